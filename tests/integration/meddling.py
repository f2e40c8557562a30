"""The command line, and somebody who changes the evidence meanwhile: MEDDLE is "when what path".

*found*: when it has been found and nothing is read yet; *read*: when its first batch is in, and its hash.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evtxscan.casework import ingesting
from evtxscan.cli import main
from evtxscan.ingest import run

WHEN, WHAT, NAME = os.environ["MEDDLE"].split(" ", 2)


def meddle() -> None:
    path = Path(NAME)
    if WHAT == "change":
        with path.open("r+b") as file:
            file.seek(-5000, os.SEEK_END)
            file.write(b"changed")
    elif WHAT == "grow":
        with path.open("ab") as file:
            file.write(bytes(70_000))
    elif WHAT == "cut":
        os.truncate(path, path.stat().st_size - 200_000)
    else:
        path.unlink()
        if WHAT == "pipe":
            os.mkfifo(path)
        elif WHAT == "folder":
            path.mkdir()
        elif WHAT == "other":
            shutil.copyfile(Path(__file__), path)


def find(*args: Any) -> Any:  # noqa: ANN401 - whatever it takes and gives
    found = run.find_evidence(*args)
    if WHEN == "found":
        meddle()
    return found


def read(*args: Any) -> Iterator[Any]:  # noqa: ANN401
    for number, result in enumerate(_run_tasks(*args)):
        yield result
        if number == 0 and WHEN == "read":
            time.sleep(0.5)  # until it has been hashed
            meddle()


_run_tasks = run.run_tasks
run.run_tasks = read
ingesting.find_evidence = find

if __name__ == "__main__":
    main()
