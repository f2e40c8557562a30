"""Measures evtxscan against the bare parser, in the same run: `python -m bench.run [--size small|full]`.

Times on a shared machine mean little, so each round runs the bare parser and every variant of ingest one after the
other, and what counts is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sqlite3
import statistics
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench import make, peers, tile
from bench.process import Finished, run

_WORK = Path(__file__).with_name("work")
_SEED = 1
_VARIANTS = {"all": [], "only": ["--only", "process,authentication"]}
_GOALS = {"all": 3.0, "only": 1.3}
_PYTHON_EVTX_SECONDS = 5.0
_EVENT_ID = """
    SELECT substr(source.sha256, 1, 16) || '-' || source_chunk.number || '-' || event."offset" FROM event
    JOIN source_chunk USING (chunk) JOIN source ON source.id = source_chunk.source ORDER BY event.id LIMIT 1 OFFSET 1000
"""


@dataclass(slots=True)
class Measured:
    """What was measured on one set of logs. Times in seconds, one per round; memory and sizes in bytes."""

    name: str
    bytes: int
    records: int = 0
    bare: list[float] = field(default_factory=list)
    ingest: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)
    case: dict[str, int] = field(default_factory=dict)

    def ratios(self, variant: str) -> list[float]:
        """Return the time of each round's ingest in times of the same round's bare parser."""
        return [ours / bare for ours, bare in zip(self.ingest[variant], self.bare, strict=True)]

    def cpu_ratio(self, variant: str) -> float:
        """Return the same of processor time; busy neighbours change it less."""
        return statistics.median(ours / bare for ours, bare in zip(self.cpu[variant], self.bare, strict=True))


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    logs = _logs(options.size, options.real)
    measured = [_measure(name, path, options.rounds if rounds else 1, options.jobs) for name, path, rounds in logs]
    path = logs[0][1]
    report: dict[str, object] = {
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "sqlite": sqlite3.sqlite_version},
        "logs": [asdict(entry) for entry in measured],
        "commands": _commands(measured[-1].name),
        "python-evtx": _python_evtx(path, measured[0]),
        "peers": peers.measure(path, dict(map(_peer, options.peer))),
    }
    _print(measured, report)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=2) + "\n")
    print(f"\nAll figures: {options.json}")
    return 0


def _logs(size: str, real: Path | None) -> list[tuple[str, Path, bool]]:
    """Return name, path and whether to time it in rounds, of the logs to measure; makes those that are not there."""
    wanted = [("64M", True)] if size == "small" else [("64M", True), ("1G", True), ("2G", False)]
    found = []
    for text, rounds in wanted:
        name = f"made-{text}"
        path = _WORK / name
        if not path.exists():
            print(f"making {path} ...", file=sys.stderr)
            make.make_folder(path, make.records_for(make.size(text), _SEED), _SEED)
        found.append((name, path, rounds))
    if real is not None:
        text = "64M" if size == "small" else "1G"
        path = _WORK / f"real-{text}.evtx"
        if not path.exists():
            print(f"making {path} ...", file=sys.stderr)
            tile.write(path, real, make.size(text), _SEED)
        found.append((f"real-{text}", path, True))
    return found


def _measure(name: str, path: Path, rounds: int, jobs: int | None) -> Measured:
    files = sorted(path.rglob("*.evtx")) if path.is_dir() else [path]
    measured = Measured(name, sum(file.stat().st_size for file in files))
    for number in range(rounds):
        print(f"{name}: round {number + 1} of {rounds}", file=sys.stderr)
        bare = json.loads(_checked(_python("bench.bare", *map(str, files))).output)
        measured.bare.append(bare["seconds"])
        measured.records = bare["records"]
        for variant, extra in _VARIANTS.items():
            case = _case(name, variant)
            for old in case.parent.glob(case.name + "*"):
                old.unlink()
            workers = [] if jobs is None else ["--jobs", str(jobs)]
            finished = _checked(_evtxscan("ingest", str(path), "--case", str(case), "--quiet", *workers, *extra))
            measured.ingest.setdefault(variant, []).append(finished.seconds)
            measured.cpu.setdefault(variant, []).append(finished.cpu)
            measured.memory[variant] = max(measured.memory.get(variant, 0), finished.memory)
            measured.case[variant] = case.stat().st_size
    return measured


def _commands(name: str) -> dict[str, object]:
    """Time what is asked of a finished case; the median of five."""
    case = _case(name, "all")
    with sqlite3.connect(f"file:{case}?mode=ro", uri=True) as db:
        event = db.execute(_EVENT_ID).fetchone()[0]
    asked = {
        "detect": ["detect", "--case", str(case), "--quiet"],
        "show": ["show", event, "--case", str(case)],
        "help": ["--help"],
    }
    found: dict[str, object] = {}
    for command, arguments in asked.items():
        runs = [_evtxscan(*arguments, watch=False) for _ in range(5)]
        if runs[-1].code:
            said = (runs[-1].error.strip().splitlines() or ["no message"])[-1]
            found[command] = f"skipped: exit code {runs[-1].code}, {said}"
        else:
            found[command] = round(statistics.median(finished.seconds for finished in runs), 3)
    return found


def _python_evtx(path: Path, measured: Measured) -> dict[str, object]:
    file = max(path.rglob("*.evtx"), key=lambda found: found.stat().st_size) if path.is_dir() else path
    found = json.loads(_checked(_python("bench.python_evtx", str(file), str(_PYTHON_EVTX_SECONDS))).output)
    each = found["seconds"] / found["records"]
    bare = statistics.median(measured.bare) / measured.records
    return {
        "records": found["records"],
        "records_per_second": round(1 / each),
        "times_bare": round(each / bare),
        "extrapolated_seconds": {measured.name: round(each * measured.records)},
    }


def _print(measured: list[Measured], report: dict[str, object]) -> None:
    print(f"{'logs':10} {'ingest':6} {'x bare':>7} {'(range)':>13} {'goal':>5} {'x CPU':>6} {'records/s':>10} "
          f"{'MB/s':>6} {'bare rec/s':>10} {'PSS MB':>7} {'case/log':>8}")  # fmt: skip
    for entry in measured:
        bare = entry.records / statistics.median(entry.bare)
        for variant, times in entry.ingest.items():
            ratios, seconds = entry.ratios(variant), statistics.median(times)
            spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
            memory, case = entry.memory[variant] / 1e6, entry.case[variant] / entry.bytes
            print(f"{entry.name:10} {variant:6} {statistics.median(ratios):7.2f} {spread:>13} "
                  f"{_GOALS[variant]:5.1f} {entry.cpu_ratio(variant):6.2f} {entry.records / seconds:10,.0f} "
                  f"{entry.bytes / seconds / 1e6:6.0f} {bare:10,.0f} {memory:7.0f} {case:8.0%}")  # fmt: skip
    for title in ("commands", "python-evtx", "peers"):
        print(f"\n{title}")
        section = report[title]
        if isinstance(section, dict):
            for name, value in section.items():
                print(f"  {name}: {value}")


def _case(name: str, variant: str) -> Path:
    return _WORK / f"{name}-{variant}.db"


def _evtxscan(*arguments: str, watch: bool = True) -> Finished:
    return run([sys.executable, "-m", "evtxscan", *arguments], watch=watch)


def _python(module: str, *arguments: str) -> Finished:
    return run([sys.executable, "-m", module, *arguments], watch=False)


def _checked(finished: Finished) -> Finished:
    if finished.code:
        raise SystemExit(f"exit code {finished.code}: {finished.error.strip()}")
    return finished


def _peer(text: str) -> tuple[str, list[str]]:
    name, _, command = text.partition("=")
    return name, shlex.split(command)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", choices=("small", "full"), default="small", help="64 MB; or also 1 GB and 2 GB")
    parser.add_argument("--real", type=Path, help="folder of real logs: measure also a log made of their chunks")
    parser.add_argument("--rounds", type=int, default=3, help="how often each time is taken (default: 3)")
    parser.add_argument("--jobs", type=int, help="worker processes (default: as ingest chooses)")
    parser.add_argument("--json", type=Path, default=_WORK / "result.json", help="where all figures go")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND",
                        help="another tool to time; {logs} and {out} are filled in")  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main())
