"""What evtxscan promises of every log, however damaged; each breach is a line of text."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from evtxscan.casework import coverage, detect, ingest_evidence, settled, verify
from evtxscan.casework.cases import Filters
from evtxscan.errors import EvidenceError
from evtxscan.evtx.walk import walk_chunk
from evtxscan.ingest.run import Options
from evtxscan.proof.verify import Options as VerifyOptions
from evtxscan.store.case import create_or_open
from tests.fuzz.mutations import CHUNK, FILE_HEADER
from tests.integration import content

_STORED = """
SELECT number, "offset" FROM event JOIN source_chunk USING (chunk)
UNION SELECT number, "offset" FROM event_copy JOIN source_chunk USING (chunk)
UNION SELECT number, "offset" FROM stale_record JOIN source_chunk USING (chunk) WHERE state = 'copy'
"""

_WRONG_SUMS = """
SELECT path, state, found, stored, known, lost FROM source WHERE state = 'reading' OR found <> stored + known + lost
"""


class Checker:
    """Ingests logs into cases of their own in a folder, and looks at what came of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._empty = folder / "empty.db"
        create_or_open(self._empty).close()

    def ingest(self, data: bytes) -> Path:
        """Return the case of a log. Raises EvidenceError where it is none."""
        log, case = self._folder / "mutant.evtx", self._folder / "case.db"
        log.write_bytes(data)
        shutil.copyfile(self._empty, case)
        ingest_evidence(case, [log], Options(isolated=False))
        return case

    @cache  # noqa: B019 - a checker lives as long as its process
    def readable(self, original: bytes) -> dict[bytes, frozenset[int]]:
        """Return for each chunk of an original log, by hash, the offsets of its records that can be read."""
        case = self.ingest(original)
        stored: dict[int, set[int]] = {}
        for number, offset in content.read(case, _STORED):
            stored.setdefault(number, set()).add(offset)
        return {
            hashlib.sha256(_chunk(original, number)).digest(): frozenset(offsets) for number, offsets in stored.items()
        }

    def breaches(self, original: bytes, mutant: bytes, *, thorough: bool) -> Iterator[str]:
        """Yield what is wrong with the case of a mutant. ``thorough``: run the other commands over it, too.

        Whatever is raised here is a crash.
        """
        whole = self.readable(original)
        try:
            case = self.ingest(mutant)
        except EvidenceError:
            if any(hashlib.sha256(chunk).digest() in whole for _, chunk in _all_chunks(mutant)):
                yield "a log with whole chunks is taken for none"
            return
        yield from content.faults(case)
        for sums in content.read(case, _WRONG_SUMS):
            yield "{}: {}, found {}, stored {}, known {}, lost {}".format(*sums)
        stored_at = set(content.read(case, _STORED))
        for number, chunk in _all_chunks(mutant):
            expected = whole.get(hashlib.sha256(chunk).digest(), frozenset())
            if missing := [offset for offset in sorted(expected) if (number, offset) not in stored_at]:
                yield f"chunk {number} is untouched, and its records at {missing[:5]} are not stored"
            if len(walk_chunk(chunk).spans) > CHUNK // 33:
                yield f"chunk {number}: more records than have room"
        if thorough:
            _use(case)


def _use(case_path: Path) -> None:
    """Run what else a user runs over a case; what it says is of no interest here."""
    with settled(case_path) as case:
        run = case.start_run("fuzz", [])
        detect(case, run, (), Filters())
        coverage(case)
        verification = verify(case, VerifyOptions(every_record=True, jobs=1))
        list(verification.records(every=False))


def _chunk(data: bytes, number: int) -> bytes:
    return data[FILE_HEADER + number * CHUNK : FILE_HEADER + (number + 1) * CHUNK]


def _all_chunks(data: bytes) -> Iterator[tuple[int, bytes]]:
    for number in range(-(-max(0, len(data) - FILE_HEADER) // CHUNK)):
        yield number, _chunk(data, number)
