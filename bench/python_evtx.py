"""The same with python-evtx, for as many records as fit into the given time."""

from __future__ import annotations

import json
import sys
import time

from Evtx.Evtx import Evtx


def main(path: str, limit: float) -> None:
    """Render records of ``path`` as XML for ``limit`` seconds; print how many and how long."""
    records = 0
    start = time.perf_counter()
    with Evtx(path) as log:
        for record in log.records():
            record.xml()
            records += 1
            if time.perf_counter() - start > limit:
                break
    print(json.dumps({"records": records, "seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
