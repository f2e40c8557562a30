"""Runs several commands in one process: what starting Python costs is paid once.

``python several.py '[["query", ...], ["info", ...]]'``; leaves with the first exit code that is not 0 or 3.
"""

from __future__ import annotations

import json
import sys

from evtxscan.cli import cli

if __name__ == "__main__":
    for words in json.loads(sys.argv[1]):
        sys.argv = ["evtxscan", *words]
        code = cli.main(words, standalone_mode=False)
        if code not in (0, 3):
            sys.exit(f"{words}: {code}")
