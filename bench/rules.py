"""Measures rules over a case: `python -m bench.rules --rules FOLDER [--case FILE]`.

How the time grows with the number of rules, and what it would be if every rule were asked about every event, one after
the other, as a query with a callback does.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.process import run
from evtxscan.eql.binder import BoundSequenceQuery
from evtxscan.eql.documents import reader
from evtxscan.eql.logic import matches, truth_of
from evtxscan.eql.mapping import FieldMapping
from evtxscan.rules.load import load_rules
from evtxscan.rules.ready import Ready, prepare
from evtxscan.store.case import open_case
from evtxscan.store.events import Events

_WORK = Path(__file__).with_name("work")
_SEED = 1
_SAMPLE = 2_000


@dataclass(frozen=True, slots=True)
class Measured:
    """One set of rules: how many ran, what they matched, seconds of each round and the most memory in bytes."""

    name: str
    rules: int
    hits: int
    seconds: list[float]
    memory: int


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    sets = _sets(options.rules)
    with sqlite3.connect(f"file:{options.case}?mode=ro", uri=True) as db:
        (events,) = db.execute("SELECT count(*) FROM event").fetchone()
    print(f"{events:,} events; {options.rounds} rounds; times are those of the whole process")
    print(f"{'rules':24} {'number':>6} {'hits':>7} {'seconds':>8} {'(range)':>13} {'MB':>5} {'ms a rule':>9}")
    measured = [_measure(name, options.case, paths, options.rounds) for name, paths in sets.items()]
    singles = sets["all of one event"]
    each = _callbacks(options.case, singles)
    estimate = each * events * len(singles)
    ours = statistics.median(next(one for one in measured if one.name == "all of one event").seconds)
    print(
        f"\nrow by row: {each * 1e6:.1f} us for a rule and an event (measured on {_SAMPLE:,} documents);"
        f"\nall {len(singles)} rules over all events would take {estimate:,.0f} s, {estimate / ours:,.0f} times as long"
    )
    return 0


def _sets(folder: Path) -> dict[str, list[str]]:
    """Return the sets of rule files to run, by name."""
    ready = [read for read in map(prepare, load_rules((str(folder),)).rules) if isinstance(read, Ready)]
    sequences = [read.rule.path for read in ready if isinstance(read.query, BoundSequenceQuery)]
    other = [read.rule.path for read in ready if read.rule.type != "eql"]
    singles = [read.rule.path for read in ready if read.rule.path not in {*sequences, *other}]
    drawn = random.Random(_SEED).sample(singles, len(singles))  # noqa: S311 - any rules will do
    few = {f"{number} of one event": drawn[:number] for number in (1, 10, 100) if number < len(drawn)}
    return few | {
        "all of one event": singles,
        "all sequences": sequences,
        "all in EQL": [*singles, *sequences],
        "all, KQL too": [*singles, *sequences, *other],
    }


def _measure(name: str, case: Path, paths: Sequence[str], rounds: int) -> Measured:
    times: list[float] = []
    memory = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(paths):
            shutil.copyfile(path, Path(folder) / f"{number}-{Path(path).name}")
        for _ in range(rounds):
            finished = run([sys.executable, "-m", "bench.run_rules", str(case), folder])
            if finished.code:
                raise SystemExit(finished.error)
            told = json.loads(finished.output)
            times.append(finished.seconds)
            memory = max(memory, finished.memory)
    measured = Measured(name, told["rules"], told["hits"], times, memory)
    seconds, spread = statistics.median(times), f"{min(times):.2f}-{max(times):.2f}"
    print(
        f"{name:24} {measured.rules:6} {measured.hits:7,} {seconds:8.2f} {spread:>13} {memory / 1e6:5.0f}"
        f" {seconds / measured.rules * 1e3:9.1f}",
        flush=True,
    )
    return measured


def _callbacks(case_path: Path, paths: Sequence[str]) -> float:
    """Return the seconds that it takes to ask one rule about one event, in Python, a document at a time."""
    trees = [
        read.query.event.predicate
        for read in map(prepare, load_rules(tuple(paths)).rules)
        if isinstance(read, Ready) and not isinstance(read.query, BoundSequenceQuery)
    ]
    truths = [truth_of(reader(document, FieldMapping({}))) for document in _documents(case_path)]
    started = time.perf_counter()
    for tree in trees:
        for truth in truths:
            matches(tree, truth)
    return (time.perf_counter() - started) / len(trees) / len(truths)


def _documents(case_path: Path) -> Iterator[dict[str, Any]]:
    with open_case(case_path, read_only=True) as case:
        (events,) = case.db.execute("SELECT count(*) FROM event").fetchone()
        step = max(events // _SAMPLE, 1)
        rows = [row for (row,) in case.db.execute("SELECT id FROM event WHERE id % ? = 0", (step,))]
        for event in Events(case).read(rows[:_SAMPLE]):
            yield event.document()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.rules", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rules", type=Path, required=True, help="folder of rule files in Elastic's TOML layout")
    parser.add_argument("--case", type=Path, default=_WORK / "made-1G-all.db", help="a case, as bench.run leaves it")
    parser.add_argument("--rounds", type=int, default=3, help="how often each time is taken (default: 3)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
