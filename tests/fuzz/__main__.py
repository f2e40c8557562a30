"""Fuzzes evtxscan: ``python -m tests.fuzz --minutes 60 --jobs 4 --keep /tmp/mutants``.

A mutant is made of a seed and a number alone: ``--seed 0 --number 4711`` checks one of them again. Exit code 1 where
any promise was broken.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tests.fuzz.run import run


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
    options = parser.parse_args()
    first, count, jobs = options.first, options.count, options.jobs
    if options.number is not None:
        first, count, jobs = options.number, 1, 1
    seconds = None if count is not None else options.minutes * 60
    report = run(seed=options.seed, first=first, count=count, seconds=seconds, jobs=jobs, keep=options.keep)
    for failure in report.failures:
        print(f"--seed {options.seed} --number {failure.number}: {failure.log}, {', '.join(failure.mutations)}")
        print("  " + failure.problem.rstrip().replace("\n", "\n  "))
    done = ", ".join(f"{name} {number:,}" for name, number in sorted(report.mutations.items()))
    print(f"{report.mutants:,} mutants in {report.seconds:.0f} s, the slowest took {report.slowest:.1f} s: {done}")
    print(f"{len(report.failures):,} broke a promise")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
