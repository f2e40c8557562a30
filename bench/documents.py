"""Measures the ingest of event documents beside that of records: `python -m bench.documents`.

What counts is processor time per document in times of that per record, both from the same machine in the same minute.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import orjson

from bench import make
from bench.process import run
from tests.ndjson.made import defend_documents, raw_documents

_WORK = Path(__file__).with_name("work")
_SEED = 1


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=200_000, help="how many of each sort")
    options = parser.parse_args(arguments)
    logs = _WORK / "made-64M"
    if not logs.exists():
        make.make_folder(logs, make.records_for(make.size("64M"), _SEED), _SEED)
    sorts: dict[str, Callable[[Path, int], Iterator[dict[str, Any]]]] = {"raw": _raw, "defend": _defend}
    print(
        f"{'':<12}{'MB':>8}{'events':>10}{'seconds':>9}{'CPU s':>8}{'events/s of CPU':>17}{'PSS MB':>8}{'case MB':>9}"
    )
    _measure("records", logs)
    for name, documents in sorts.items():
        path = _WORK / f"{name}-{options.documents}.ndjson"
        if not path.exists():
            with path.open("wb") as file:
                file.writelines(orjson.dumps(document) + b"\n" for document in documents(logs, options.documents))
        _measure(name, path)
    return 0


def _measure(name: str, path: Path) -> None:
    case = _WORK / f"documents-{name}.db"
    for old in case.parent.glob(case.name + "*"):
        old.unlink()
    command = [
        sys.executable,
        "-m",
        "evtxscan",
        "ingest",
        str(path),
        "--case",
        str(case),
        "--quiet",
        "--format",
        "json",
    ]
    done = run(command)
    if done.code:
        raise SystemExit(done.error)
    totals = orjson.loads(done.output)["sources"]
    events, size = sum(source["stored"] for source in totals), sum(source["size"] for source in totals)
    print(
        f"{name:<12}{size / 1e6:>8.0f}{events:>10,}{done.seconds:>9.1f}{done.cpu:>8.1f}{events / done.cpu:>17,.0f}"
        f"{done.memory / 1e6:>8.0f}{case.stat().st_size / 1e6:>9.0f}"
    )


def _raw(logs: Path, count: int) -> Iterator[dict[str, Any]]:
    """Yield Winlogbeat's documents of the made records, over again with other record ids where they are too few."""
    for number, document in enumerate(islice(cycle(raw_documents(logs)), count)):
        yield {**document, "winlog": {**document["winlog"], "record_id": number}}


def _defend(logs: Path, count: int) -> Iterator[dict[str, Any]]:
    """Yield Defend's documents with ids, hashes and command lines of their own."""
    for number, document in enumerate(islice(cycle(defend_documents()), count)):
        process = {**document["process"], "entity_id": f"E{number}", "hash": {"sha256": f"{number:064x}"}}
        if "command_line" in process:
            process["command_line"] += f" {number % 5000}"
            process["args"] = [*process["args"], str(number % 5000)]
        second, milli = divmod(number * 37, 1000)
        hour, minute = divmod(second // 60, 60)
        time = f"2024-05-{1 + hour // 24:02d}T{hour % 24:02d}:{minute:02d}:{second % 60:02d}.{milli:03d}1234Z"
        event = {**document["event"], "id": f"N{number}", "sequence": number, "created": time}
        yield {**document, "@timestamp": time, "event": event, "process": process}


if __name__ == "__main__":
    raise SystemExit(main())
