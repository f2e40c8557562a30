"""The command line that waits a tenth of a second, not ten, for another program to end its work on a case."""

from __future__ import annotations

from evtxscan.cli import main
from evtxscan.store import case

if __name__ == "__main__":
    case._WAIT_SECONDS = 0.1  # type: ignore[assignment]
    main()
