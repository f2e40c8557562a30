"""The command line with a commit after every batch and workers for evidence of any size: more places to be killed at.

Both are a matter of speed in the real thing, which waits for 64 MB and uses workers from 16 MB on.
"""

from __future__ import annotations

from evtxscan.cli import main
from evtxscan.ingest import run

if __name__ == "__main__":
    run._COMMIT_BYTES = 1
    run._SMALL_BYTES = 0
    main()
