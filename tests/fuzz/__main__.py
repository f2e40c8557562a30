"""Fuzzes evtxscan: ``python -m tests.fuzz --minutes 60 --jobs 4 --keep /tmp/mutants``.

A mutant is made of a seed and a number alone: ``--seed 0 --number 4711`` checks one of them again, and ``--first`` goes
on where an earlier run stopped. ``--cuts`` tries every log cut at every 512 bytes instead. Set EVTXSCAN_CORPUS to a
folder of logs to mutate those as well. Exit code 1 where any promise was broken.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from tests.fuzz.run import Failure, Report, run


def main() -> int:
    """Run as the command line says and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--count", type=int, help="how many mutants, instead of for how long")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the number to begin with")
    parser.add_argument("--number", type=int, help="check this one alone")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where the mutants that fail are written")
    parser.add_argument("--cuts", action="store_true", help="cut every log at every 512 bytes (--count, not --minutes)")
    options = parser.parse_args()
    seed, first, count, jobs = options.seed, options.first, options.count, options.jobs
    if options.cuts:
        seed = None
    if options.number is not None:
        first, count, jobs = options.number, 1, 1
    which = "--cuts" if options.cuts else f"--seed {seed}"

    def tell(report: Report, failure: Failure | None) -> None:
        if failure:
            print(f"{which} --number {failure.number}: {failure.log}, {', '.join(failure.mutations)}")
            print("  " + failure.problem.rstrip().replace("\n", "\n  "))
        else:
            print(f"{report.mutants:,} mutants in {report.seconds:.0f} s")
        sys.stdout.flush()

    for number in (signal.SIGINT, signal.SIGTERM):  # also in the background, where shells ignore the first
        signal.signal(number, signal.default_int_handler)
    seconds = None if count is not None or options.cuts else options.minutes * 60
    report = run(seed=seed, first=first, count=count, seconds=seconds, jobs=jobs, keep=options.keep, tell=tell)
    done = ", ".join(f"{name} {number:,}" for name, number in sorted(report.mutations.items()))
    print(f"{report.mutants:,} mutants in {report.seconds:.0f} s, the slowest took {report.slowest:.1f} s: {done}")
    print(f"{len(report.failures):,} broke a promise; go on with {which} --first {report.next}")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
