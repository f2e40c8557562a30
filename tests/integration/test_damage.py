"""Damaged logs: what is intact is read, what is not is a loss with its place and reason, and the sums agree."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.evtxmaker import damage
from tests.export.schemas import faults
from tests.integration import content, logs
from tests.integration.command import evtxscan

FIRST = 1000
COUNT = 300
BAD = FIRST + 100


@dataclass(frozen=True, slots=True)
class Log:
    """A log to be damaged: where each record is, by id."""

    path: Path
    places: dict[int, damage.RecordPlace]

    def chunk_of(self, record_id: int) -> int:
        return self.places[record_id].chunk

    def ids_of(self, chunk: int) -> set[int]:
        return {record_id for record_id, place in self.places.items() if place.chunk == chunk}

    @property
    def last_chunk(self) -> int:
        return max(place.chunk for place in self.places.values())


@pytest.fixture(scope="session")
def whole_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("damage") / "log.evtx"
    logs.write(path, logs.mixed(COUNT), first_record_id=FIRST)
    return path


@pytest.fixture
def log(whole_log: Path, tmp_path: Path) -> Log:
    """A log of several chunks, to be damaged."""
    path = Path(shutil.copyfile(whole_log, tmp_path / "log.evtx"))
    places = {place.record_id: place for place in damage.record_places(path)}
    assert len(places) == COUNT
    assert max(place.chunk for place in places.values()) >= 3
    return Log(path, places)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an ingest of a damaged log said and stored."""

    source: dict[str, Any]
    stored: list[int]
    losses: list[dict[str, Any]]

    @property
    def lost(self) -> set[int]:
        return {loss["record_id"] for loss in self.losses}


def ingest(log: Log, *words: str) -> Outcome:
    """Ingest, and hold what has to be true of every damaged log."""
    case = log.path.with_name("case.db")
    done = evtxscan("ingest", log.path, "--case", case, "--format", "json", *words, code=None)
    assert faults("ingest", done.json) == []
    (source,) = done.json["sources"]
    assert source["found"] == source["stored"] + source["known"] + source["lost"] + source["filtered"]
    assert done.json["totals"] == {key: source[key] for key in ("found", "stored", "known", "lost", "filtered")}
    assert len(source["losses"]) == source["lost"]
    assert done.code == (3 if source["lost"] or source["error"] else 0)
    assert content.faults(case) == []

    told = evtxscan("info", "--case", case, "--format", "json").json
    reasons = Counter(loss["reason"] for loss in source["losses"])
    assert {loss["reason"]: loss["records"] for loss in told["losses"]} == reasons
    table = evtxscan("ingest", log.path, "--case", log.path.with_name("table.db"), *words, "-v", code=None).out.decode()
    for loss in source["losses"]:
        assert loss["reason"].replace("_", " ") in table
        assert f"chunk {loss['chunk']}" in table
        assert loss["detail"]

    rows = content.read(case, f'SELECT "winlog.record_id" FROM event WHERE {content.LIVE} ORDER BY 1')
    assert len(rows) == source["stored"]
    stored = [int(record) for (record,) in rows if record is not None]  # damage may have left none
    return Outcome(source, stored, source["losses"])


def test_an_undamaged_log_has_no_losses(log: Log) -> None:
    """Catches losses that are made up."""
    outcome = ingest(log)
    assert outcome.stored == list(log.places)
    assert outcome.losses == []


def test_cut_inside_a_chunk(log: Log) -> None:
    """Catches a last chunk that is given up because it is not whole, and ids in it that nobody misses."""
    last = log.last_chunk
    kept = damage.cut_mid_chunk(log.path, last)
    outcome = ingest(log)
    assert outcome.stored == [record for record in log.places if log.chunk_of(record) < last or record in kept]
    assert outcome.lost == log.ids_of(last) - set(kept)
    assert {(loss["chunk"], loss["reason"]) for loss in outcome.losses} <= {
        (last, "chunk_truncated"),
        (last, "record_unreadable"),
    }


def test_cut_between_chunks(log: Log) -> None:
    """Catches chunks that are missing as a whole, of which no chunk header tells."""
    damage.cut(log.path, damage.chunk_offset(2))
    outcome = ingest(log)
    assert outcome.stored == [record for record in log.places if log.chunk_of(record) < 2]
    assert f"announces {log.last_chunk + 1} chunks, and it ends after 2" in outcome.source["error"]


def test_zeroed_file_header(log: Log) -> None:
    """Catches a log that is given up for its first 4 KiB, which say nothing that the chunks do not say."""
    damage.zero_file_header(log.path)
    assert ingest(log).stored == list(log.places)


def test_overwritten_chunk_magic(log: Log) -> None:
    """Catches a chunk that is passed over because its signature is wrong."""
    damage.overwrite_chunk_magic(log.path, 1)
    assert ingest(log).stored == list(log.places)


def test_zeroed_chunk_header(log: Log) -> None:
    """Catches a chunk that is given up with its header: records follow each other without it."""
    damage.overwrite(log.path, damage.chunk_offset(1), bytes(512))
    outcome = ingest(log)
    assert set(outcome.stored) | outcome.lost == set(log.places)
    assert outcome.stored == list(log.places)


@pytest.mark.parametrize("size", [0, 1, 24, 0xFFFFFFFF, 0x10000, 200])
def test_broken_record_size(log: Log, size: int) -> None:
    """Catches a walk that loses its way at a size that is not right."""
    damage.break_record_size(log.path, BAD, size)
    outcome = ingest(log)
    assert set(outcome.stored) | outcome.lost == set(log.places)
    assert set(log.places) - set(outcome.stored) <= {BAD}


def test_broken_record_magic(log: Log) -> None:
    """Catches a record that vanishes with its signature: the chunk's header still claims it."""
    damage.break_record_magic(log.path, BAD)
    outcome = ingest(log)
    assert outcome.stored == [record for record in log.places if record != BAD]
    (loss,) = outcome.losses
    assert (loss["chunk"], loss["record_id"], loss["reason"]) == (log.chunk_of(BAD), BAD, "record_missing")


def test_broken_record_body(log: Log) -> None:
    """Catches what the Rust parser does by itself: it gives up the rest of the chunk."""
    place = damage.break_record_body(log.path, BAD)
    outcome = ingest(log)
    assert outcome.stored == [record for record in log.places if record != BAD]
    (loss,) = outcome.losses
    offset = place.offset - damage.chunk_offset(place.chunk)
    assert (loss["chunk"], loss["offset"], loss["record_id"]) == (place.chunk, offset, BAD)
    assert loss["reason"] == "record_unreadable"


def test_first_record_of_a_chunk(log: Log) -> None:
    """Catches records that are lost with the one that defines their template: it says so of each of them."""
    first = min(log.ids_of(1))
    damage.break_record_body(log.path, first)
    outcome = ingest(log)
    assert set(outcome.stored) | outcome.lost == set(log.places)
    assert {loss["chunk"] for loss in outcome.losses} == {1}
    assert outcome.lost <= log.ids_of(1)
    assert first in outcome.lost


BREAKS: list[Callable[[Path, int], object]] = [
    damage.break_record_body,
    damage.break_record_magic,
    damage.break_record_size,
]


def test_many_kinds_of_damage_at_once(log: Log) -> None:
    """Catches damage in one chunk that costs a record of another one."""
    damage.cut_mid_chunk(log.path, log.last_chunk)
    damage.overwrite_chunk_magic(log.path, 0)
    broken = [max(log.ids_of(chunk)) - 3 for chunk in (2, 1, 0)]  # backwards: places are looked up from the start
    for record, damaged in zip(broken, BREAKS, strict=True):
        damaged(log.path, record)
    outcome = ingest(log)
    assert set(outcome.stored) | outcome.lost == set(log.places)
    assert outcome.lost <= {*broken, *log.ids_of(log.last_chunk)}


@pytest.mark.parametrize("seed", range(10))
def test_random_bytes_cost_no_record_of_another_chunk(log: Log, seed: int) -> None:
    """Catches a crash, a record counted twice or not at all, and damage that reaches beyond its chunk."""
    start = damage.chunk_offset(1)
    flipped = damage.flip_bytes(log.path, 1 + 3 * seed, seed=seed, start=start)
    touched = {(offset - damage.chunk_offset(0)) // 65536 for offset in flipped}
    outcome = ingest(log)
    untouched = {record for record, place in log.places.items() if place.chunk not in touched}
    assert untouched <= set(outcome.stored)
    assert {loss["chunk"] for loss in outcome.losses} <= touched
    # A flipped byte may be in an id; by place, every record is stored or lost.
    accounted = {(row[0], row[1]) for row in content.read(log.path.with_name("case.db"), _PLACES)}
    accounted |= {(loss["chunk"], loss["offset"]) for loss in outcome.losses}
    by_id = {loss["record_id"] for loss in outcome.losses if loss["offset"] is None}
    for record, place in log.places.items():
        offset = place.offset - damage.chunk_offset(place.chunk)
        assert (place.chunk, offset) in accounted or record in by_id, record


_PLACES = 'SELECT number, "offset" FROM event JOIN source_chunk USING (chunk)'


def test_only_counts_what_it_leaves_out_of_a_damaged_log(log: Log) -> None:
    """Catches sums that agree for whole logs and full ingests alone."""
    damage.break_record_body(log.path, BAD)
    outcome = ingest(log, "--only", "registry")
    assert outcome.stored == []
    assert outcome.source["filtered"] == COUNT - 1
    assert outcome.lost == {BAD}


def test_stale_records_are_not_read_as_live_ones(log: Log) -> None:
    """Catches records behind the end of live data that are taken for the log's own."""
    stale = damage.leave_in_slack(log.path, 1, 5)
    outcome = ingest(log)
    assert outcome.source["slack"]["events"] == 5
    assert outcome.stored == [record for record in log.places if record not in stale]
    assert outcome.losses == []


def test_losses_make_a_verdict_incomplete(log: Log) -> None:
    """Catches *no match* where the record that would have matched could not be read."""
    damage.break_record_body(log.path, BAD)
    ingest(log)
    case = log.path.with_name("case.db")
    rule = log.path.with_name("rule.toml")
    rule.write_text(
        '[rule]\nrule_id = "r"\nname = "r"\ntype = "eql"\nlanguage = "eql"\nseverity = "low"\nrisk_score = 1\n'
        "query = 'registry where registry.path : \"nothing\"'\n"
    )
    found = evtxscan("detect", "--case", case, "--rules", rule, "--format", "json").json
    assert {verdict["verdict"] for verdict in found["verdicts"]} == {"incomplete"}
    for verdict in found["verdicts"]:
        assert {"field": "*", "events": 1, "reason": "evidence_lost"} in verdict["missing"]
    assert [source["losses"][0]["record_id"] for source in found["sources"]] == [BAD]
