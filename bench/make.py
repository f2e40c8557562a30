"""Makes event logs to measure with: `python -m bench.make --records 1000000 --out bench/work/big.evtx`.

The records are those of `bench.world`; with `--from FOLDER` they are real ones (`bench.tile`). The same arguments give
the same bytes.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

from bench import tile, world
from tests.evtxmaker import write_log

_SAMPLE = 20_000  # records whose mean size stands for all


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    if options.from_folder is not None:
        written = tile.write(options.out, options.from_folder, options.size or 64 << 20, options.seed)
    else:
        records = options.records or records_for(options.size or 64 << 20, options.seed)
        written = (make_folder if options.split else make_log)(options.out, records, options.seed)
    print(f"{written} records")
    return 0


def make_log(path: Path, records: int, seed: int) -> int:
    """Write one log with the records of all channels; returns how many."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_log(path, world.events(records, seed)).records


def make_folder(folder: Path, records: int, seed: int) -> int:
    """Write a folder with one log per channel, as Windows keeps them; returns how many records."""
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    for channel in world.CHANNELS:
        path = folder / f"{channel.replace('/', '%4')}.evtx"
        written += write_log(path, world.events(records, seed, frozenset({channel}))).records
    return written


def records_for(size: int, seed: int) -> int:
    """Return how many records make about ``size`` bytes."""
    sample = io.BytesIO()
    write_log(sample, world.events(_SAMPLE, seed))
    return max(1, size * _SAMPLE // sample.tell())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.make", description=(__doc__ or "").splitlines()[0])
    how_much = parser.add_mutually_exclusive_group()
    how_much.add_argument("--records", type=int, help="how many records")
    how_much.add_argument("--size", type=size, help="about how many bytes; 64M, 1G (default: 64M)")
    parser.add_argument("--out", type=Path, required=True, help="the log to write, or the folder with --split")
    parser.add_argument("--split", action="store_true", help="one log per channel instead of a mixed one")
    parser.add_argument("--from", dest="from_folder", type=Path, help="folder of real logs to take the records from")
    parser.add_argument("--seed", type=int, default=1)
    return parser


def size(text: str) -> int:
    """Return the bytes that a text as 64M or 1G means."""
    factor = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(text[-1:].upper(), 1)
    return int(text.rstrip("KMGkmg")) * factor


if __name__ == "__main__":
    sys.exit(main())
