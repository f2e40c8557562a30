"""Records of event logs in files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evtx.test_carve import noise
from tests.evtxmaker import damage
from tests.integration import content, logs
from tests.integration.command import evtxscan
from tests.integration.test_again import documents, ingest
from tests.integration.test_stale import ids, origins, without_places


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of three chunks."""
    logs.write(tmp_path / "evidence" / "log.evtx", (logs.process_start(number) for number in range(60)), per_chunk=20)
    return tmp_path / "evidence" / "log.evtx"


@pytest.fixture
def image(log: Path, tmp_path: Path) -> Path:
    """Noise, and in it: the log's first chunk, some records of the second, half of the third."""
    data = log.read_bytes()
    places = list(damage.record_places(log))
    pieces = [data[4096:69632]]
    pieces += [data[place.offset : place.offset + place.size] for place in places[22:30]]
    last = places[50]
    pieces.append(data[damage.chunk_offset(2) : last.offset])
    path = tmp_path / "image.raw"
    path.write_bytes(
        b"".join(noise(1000 + number, number) + piece for number, piece in enumerate(pieces)) + noise(99, 0)
    )
    return path


def test_carved_records_are_events_of_their_own(image: Path, log: Path, tmp_path: Path) -> None:
    """Catches a record that is missed, rendered otherwise than in its log, or counted as live."""
    case, reference = tmp_path / "case.db", tmp_path / "reference.db"
    summary = evtxscan("carve", image, "--case", case, "--format", "json").json
    ingest(reference, log)
    assert [(source["chunks"], source["records"], source["known"]) for source in summary["sources"]] == [(2, 8, 0)]
    assert (summary["records"]["found"], summary["records"]["events"]) == (38, 38)
    found = documents(case)
    wanted = [*range(1, 21), *range(23, 31), *range(41, 51)]
    assert ids(found) == wanted
    assert all(origins(document) == ["carved"] for document in found)
    live = {document["winlog"]["record_id"]: without_places(document) for document in documents(reference)}
    assert all(without_places(document) == live[document["winlog"]["record_id"]] for document in found)
    assert evtxscan("info", "--case", case, "--format", "json").json["events"] == []
    assert content.faults(case) == []
    last = found[-1]["evtxscan"]
    place = last["provenance"][0]
    data = image.read_bytes()[place["chunk"] + place["offset"] :]
    assert data[:4] == b"**\0\0"
    assert int.from_bytes(data[8:16], "little") == place["record_id"]
    shown = evtxscan("show", last["event"]["id"], "--case", case).out.decode()
    assert ">50</EventRecordID>" in shown
    assert "carved" in shown


@pytest.mark.parametrize("carve_first", [True, False])
def test_what_is_live_too_is_a_copy_whichever_came_first(
    carve_first: bool, image: Path, log: Path, tmp_path: Path
) -> None:
    """Catches a record that is two events, and an answer that depends on the order of commands."""
    case, reference = tmp_path / "case.db", tmp_path / "reference.db"
    for name in (case, reference):
        if name == case and carve_first:
            evtxscan("carve", image, "--case", name)
        ingest(name, log)
        if name == reference or not carve_first:
            evtxscan("carve", image, "--case", name)
    found = documents(case)
    assert ids(found) == [*range(1, 61)]
    assert {tuple(origins(document)) for document in found} == {("live",), ("live", "carved")}
    assert sum("carved" in origins(document) for document in found) == 18
    assert found == documents(reference)
    assert content.content(case)["stale records"] == content.content(reference)["stale records"]
    assert content.faults(case) == []


def test_the_same_image_again_adds_nothing(image: Path, tmp_path: Path) -> None:
    """Catches a second carving that stores everything twice."""
    case = tmp_path / "case.db"
    evtxscan("carve", image, "--case", case)
    before = content.content(case)
    again = evtxscan("carve", image, "--case", case, "--format", "json").json
    assert again["sources"][0]["known"] == 10
    assert content.content(case) == before


def test_a_list_needs_no_case(image: Path, tmp_path: Path) -> None:
    """Catches a look that leaves something behind, and places that are not where the bytes are."""
    listed = evtxscan("carve", image, "--list", "--format", "json", cwd=tmp_path).lines
    assert [entry["what"] for entry in listed] == ["chunk"] + ["record"] * 8 + ["chunk"]
    assert [entry["records"] for entry in listed] == [20, *[1] * 8, 10]
    data = image.read_bytes()
    assert all(data[entry["offset"] :][:4] in (b"ElfC", b"**\0\0") for entry in listed)
    assert not (tmp_path / "case.db").exists()
    assert evtxscan("carve", image, "--list").out.decode().count("chunk") == 2


def test_what_cannot_be_carved_is_said(tmp_path: Path) -> None:
    """Catches a traceback, and a case that is made for nothing."""
    missing = evtxscan("carve", tmp_path / "missing", "--case", tmp_path / "case.db", code=1)
    assert "no such file" in missing.message
    assert "a folder" in evtxscan("carve", tmp_path, "--case", tmp_path / "case.db", code=1).message
    assert not (tmp_path / "case.db").exists()
    (tmp_path / "empty").touch()
    done = evtxscan("carve", tmp_path / "empty", "--case", tmp_path / "case.db", "--format", "json")
    assert done.json["records"]["found"] == 0
