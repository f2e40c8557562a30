"""The yardstick: the Rust parser alone, making JSON of every record of the given logs in one process."""

from __future__ import annotations

import json
import sys
import time

from evtx import PyEvtxParser


def main(paths: list[str]) -> None:
    """Print how many records there were and how long that took, start of the interpreter not counted."""
    records = 0
    start = time.perf_counter()
    for path in paths:
        for _ in PyEvtxParser(path).records_json():
            records += 1
    print(json.dumps({"records": records, "seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main(sys.argv[1:])
