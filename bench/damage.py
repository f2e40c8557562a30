"""Measures what is read of damaged logs, against four other parsers: ``python -m bench.damage FOLDER [--made LOG]``.

FOLDER is searched for logs; LOG, whole, is damaged in every way that evidence is. A record counts for a parser if it
gives it with the id that stands in its header. What libevtx *recovers* behind live data counts if it decodes to XML
with that id, a provider and a channel. *missing* is what any other parser has and evtxscan has not, by id, as often.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import re
import resource
import signal
import struct
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from evtxscan.casework import ingest_evidence
from evtxscan.ingest.run import Options
from evtxscan.store.case import open_case
from tests.evtxmaker import damage

Ids = Counter[int]
_LIMIT = 60  # seconds of processor time for one parser and file


@dataclass(slots=True)
class Ours:
    """What evtxscan says of one log: ids stored live, how many of them mended, ids of stale records, and the losses.

    ``said``: the ids of all of them as EventRecordID says. Exported logs are numbered anew, and damage mixes records.
    """

    live: Ids = field(default_factory=Counter)
    mended: int = 0
    stale: Ids = field(default_factory=Counter)
    said: Ids = field(default_factory=Counter)
    lost: int = 0
    bad_checksums: int = 0


def evtxscan(path: Path) -> Ours:
    """Read with evtxscan, into a case of its own."""
    with tempfile.TemporaryDirectory() as folder:
        case_path = Path(folder) / "case.db"
        ingest_evidence(case_path, [path], Options(jobs=1))
        with open_case(case_path, read_only=True) as case:
            data = path.read_bytes()
            stale = set(case.db.execute("SELECT chunk, \"offset\" FROM stale_record WHERE state IN ('event', 'copy')"))
            ours = Ours()
            places = case.db.execute(
                'SELECT number, chunk, stored."offset", mended, said FROM source_chunk JOIN (SELECT chunk, "offset",'
                ' mended, "winlog.record_id" AS said FROM event UNION ALL SELECT c.chunk, c."offset",'
                ' e.mended, e."winlog.record_id" FROM event_copy c JOIN event e ON e.id = c.event UNION ALL SELECT'
                ' r.chunk, r."offset", 0, e."winlog.record_id" FROM stale_record r JOIN event e ON e.id ='
                " r.event WHERE r.state = 'copy') AS stored USING (chunk)"
            )
            for number, chunk, offset, mended, said in places:
                ours.said[said] += 1
                (record_id,) = struct.unpack_from("<Q", data, 4096 + number * 65536 + offset + 8)
                if (chunk, offset) in stale:
                    ours.stale[record_id] += 1
                else:
                    ours.live[record_id] += 1
                    ours.mended += mended
            (ours.lost,) = case.db.execute("SELECT sum(lost) FROM source").fetchone()
            (ours.bad_checksums,) = case.db.execute("SELECT count(*) FROM chunk WHERE NOT checksums_ok").fetchone()
            return ours


def rust(path: Path) -> tuple[Ids, Ids]:
    """Read with the Rust parser, going on after each error."""
    from evtx import PyEvtxParser  # noqa: PLC0415 - a parser is loaded only in the process that may die of it

    def records() -> Iterator[int]:
        found: Iterator[Any] = iter(PyEvtxParser(str(path)).records_json())
        while True:
            try:
                yield next(found)["event_record_id"]
            except StopIteration:
                return
            except (OSError, RuntimeError, ValueError):
                continue

    return Counter(records()), Counter()


_ID = re.compile(r"<EventRecordID>(\d+)</EventRecordID>")


def libevtx(path: Path) -> tuple[Ids, Ids]:
    """Read with libevtx: live records, and those it recovers."""
    import pyevtx  # noqa: PLC0415

    file = pyevtx.file()
    file.open(str(path))
    live, recovered = Ids(), Ids()
    for number in range(file.get_number_of_records()):
        with contextlib.suppress(OSError):
            record = file.get_record(number)
            record.get_xml_string()
            live[record.identifier] += 1
    for number in range(file.get_number_of_recovered_records()):
        with contextlib.suppress(OSError):
            record = file.get_recovered_record(number)
            xml = record.get_xml_string()
            said = _ID.search(xml)
            whole = "<Channel>" in xml and 'Provider Name="' in xml
            if said and int(said[1]) == record.identifier and whole:
                recovered[record.identifier] += 1
    return live, recovered


def dissect(path: Path) -> tuple[Ids, Ids]:
    """Read with dissect.eventlog."""
    from dissect.eventlog.evtx import Evtx  # noqa: PLC0415

    live = Ids()
    with path.open("rb") as file:
        records = iter(Evtx(file))
        while True:
            try:
                record = next(records)
            except StopIteration:
                return live, Ids()
            except Exception:  # noqa: BLE001 - whatever it raises is the end of its list
                return live, Ids()
            live[int(record["EventRecordID"])] += 1


def python_evtx(path: Path) -> tuple[Ids, Ids]:
    """Read with python-evtx, record by record."""
    from Evtx.Evtx import Evtx  # noqa: PLC0415

    live = Ids()
    with Evtx(str(path)) as log:
        records = log.records()
        while True:
            try:
                record = next(records)
                record.xml()
                live[record.record_num()] += 1
            except StopIteration:
                return live, Ids()
            except Exception:  # noqa: BLE001, S112 - one record that it does not render, or the end of what it finds
                continue


PARSERS: dict[str, Callable[[Path], tuple[Ids, Ids]]] = {
    "evtx": rust,
    "libevtx": libevtx,
    "dissect": dissect,
    "python-evtx": python_evtx,
}


def _child(connection: Connection, name: str, path: Path) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (_LIMIT, _LIMIT))
    try:
        connection.send(PARSERS[name](path))
    except Exception as error:  # noqa: BLE001 - it refuses the log
        connection.send(f"{type(error).__name__}")


def read(name: str, path: Path) -> tuple[Ids, Ids] | str:
    """Read a log with another parser in a process of its own; a text says why there is nothing."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_child, args=(there, name, path))
    process.start()
    there.close()
    try:
        return here.recv()  # type: ignore[no-any-return]
    except EOFError:
        process.join()
        return "does not end" if process.exitcode in (-signal.SIGXCPU, -signal.SIGKILL) else "dies"
    finally:
        process.join()


def made(log: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Damage a whole log in every way, one way at a time; yield what was done and the file."""
    places = list(damage.record_places(log))
    chunks = places[-1].chunk + 1
    bad = next(place.record_id for place in places if place.chunk == chunks // 4)
    middle = [place.record_id for place in places if place.chunk == chunks // 4][20]

    def swap(path: Path) -> None:
        data = bytearray(path.read_bytes())
        one, other = damage.chunk_offset(2), damage.chunk_offset(chunks - 3)
        data[one : one + 65536], data[other : other + 65536] = data[other : other + 65536], data[one : one + 65536]
        path.write_bytes(data)

    def circle(path: Path) -> None:
        data = bytearray(path.read_bytes())
        start = damage.chunk_offset(3)
        heads = [head for head in struct.unpack_from("<64I", data, start + 128) if head]
        for head, other in zip(heads, heads[1:] + heads[:1], strict=True):
            struct.pack_into("<I", data, start + head, other)
        path.write_bytes(data)

    kinds: dict[str, Callable[[Path], object]] = {
        "nothing": lambda _: None,
        "cut in the middle of a chunk": lambda path: damage.cut(path, damage.chunk_offset(chunks // 2) + 32768),
        "cut between chunks": lambda path: damage.cut(path, damage.chunk_offset(chunks // 2)),
        "file header zeroed": damage.zero_file_header,
        "file header and first ten chunks zeroed": lambda path: damage.overwrite(
            path, 0, bytes(damage.chunk_offset(10))
        ),
        "chunk signature overwritten": lambda path: damage.overwrite_chunk_magic(path, chunks // 4),
        "chunk header zeroed": lambda path: damage.overwrite(path, damage.chunk_offset(chunks // 4), bytes(512)),
        "chunk zeroed": lambda path: damage.overwrite(path, damage.chunk_offset(chunks // 4), bytes(65536)),
        "chunks swapped": swap,
        "sector of 512 bytes in a chunk zeroed": lambda path: damage.overwrite(
            path, damage.chunk_offset(chunks // 4) + 16384, bytes(512)
        ),
        "size of a record 0": lambda path: damage.break_record_size(path, middle, 0),
        "size of a record 2^32 - 1": lambda path: damage.break_record_size(path, middle, 0xFFFFFFFF),
        "signature of a record overwritten": lambda path: damage.break_record_magic(path, middle),
        "body of a record overwritten": lambda path: damage.break_record_body(path, middle),
        "first record of a chunk overwritten": lambda path: damage.break_record_body(path, bad),
        "26 random bytes inverted": lambda path: damage.flip_bytes(path, 26, seed=1),
        "names of a chunk in a circle": circle,
    }
    for kind, change in kinds.items():
        path = folder / "damaged.evtx"
        path.write_bytes(log.read_bytes())
        change(path)
        yield kind, path


def line(name: str, path: Path) -> str:
    """Return a row of the table."""
    ours = evtxscan(path)
    everything = dict.fromkeys(PARSERS, ours.live + ours.stale) | {"dissect": ours.said}
    cells: list[str] = []
    missing: dict[str, list[int]] = {}
    for parser in PARSERS:
        theirs = read(parser, path)
        if isinstance(theirs, str):
            cells.append(theirs)
            continue
        live, recovered = theirs
        fresh = recovered - live
        cells.append(f"{live.total():,}" + (f" + {fresh.total():,}" if parser == "libevtx" else ""))
        if lacking := sorted(((live + fresh) - everything[parser]).elements()):
            missing[parser] = lacking
    told = "; ".join(
        f"{parser} {ids[:8]}{' ...' if len(ids) > 8 else ''} ({len(ids)})" for parser, ids in missing.items()
    )
    mine = f"{ours.live.total():,} ({ours.mended:,}) + {ours.stale.total():,}"
    return f"| {name} | {mine} | {ours.lost:,} | {ours.bad_checksums} | {' | '.join(cells)} | {told or 'none'} |"


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--made", type=Path, metavar="LOG")
    parser.add_argument("--without", action="append", choices=PARSERS, default=[], help="leave a parser out")
    options = parser.parse_args()
    for name in options.without:
        del PARSERS[name]
    head = (
        "| {} | evtxscan live (mended) + stale | lost | chunks with wrong checksums | "
        + " | ".join(PARSERS)
        + " | missing |"
    )
    if options.folder:
        print(head.format("file"), "|" + " --- |" * (5 + len(PARSERS)), sep="\n")
        for path in sorted(options.folder.rglob("*.evtx")):
            with path.open("rb") as file:
                if file.read(8) == b"ElfFile\0":
                    print(line(path.name, path), flush=True)
    if options.made:
        print(head.format("damage"), "|" + " --- |" * (5 + len(PARSERS)), sep="\n")
        with tempfile.TemporaryDirectory() as folder:
            for kind, path in made(options.made, Path(folder)):
                print(line(kind, path), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
