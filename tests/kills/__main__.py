"""Kills ingests (kill -9) at random moments: ``python -m tests.kills --count 200 --seed 1``. POSIX only.

Each is then completed by the same command and has to hold what an ingest holds that nothing stopped: the same counts,
events, losses and findings, nothing twice. ``--number 17`` tries one of them again, as far as chance repeats itself.
Exit code 1 where one did not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from tests.kills.run import attempt, evidence, uninterrupted


def main() -> int:
    """Run as the command line says and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--number", type=int, help="try this one alone")
    options = parser.parse_args()
    numbers = range(options.count) if options.number is None else [options.number]
    failed = early = late = 0
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="evtxscan-kills-") as name:
        folder = Path(name)
        whole = uninterrupted(evidence(folder / "evidence"), folder)
        events = len(whole.content["events"])
        print(f"uninterrupted: {events:,} events, {len(whole.content['losses']):,} losses, {whole.ends:.1f} s")
        for number in numbers:
            with tempfile.TemporaryDirectory(dir=folder) as place:
                done = attempt(whole, Path(place), Random(f"{options.seed}:{number}"))  # noqa: S311 - not secret
            early += done.stored == 0
            late += done.stored == events
            failed += bool(done.problems)
            what = "; ".join(done.problems) or "complete"
            print(f"{number}: killed {done.way}, {done.moment:.2f} s, {done.stored:,} events stored then: {what}")
            sys.stdout.flush()
    print(
        f"{len(numbers)} kills in {time.monotonic() - begun:.0f} s, {early} before anything was stored, {late} after"
        f" all events were: {failed} not completed as they should be"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
