"""The archives that logs come out of are hashed as files, once, and that hash is held against them again."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from tests.integration import archives, content
from tests.integration.command import EVIDENCE, evtxscan
from tests.integration.test_archives import LOG, LOGS


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A zip of the shipped evidence with a comment, which belongs to no member."""
    path = tmp_path / "evidence" / "triage.zip"
    path.parent.mkdir()
    data = bytearray(archives.zipped(LOGS.items()))
    comment = b"made by hand"
    data[-2:] = len(comment).to_bytes(2, "little")
    path.write_bytes(bytes(data) + comment)
    return path


@pytest.mark.parametrize("as_folder", [True, False])
def test_the_hash_is_everywhere(archive: Path, tmp_path: Path, as_folder: bool) -> None:
    """Catches a hash that is made and not told, or told of another file than the outermost one."""
    outer = archive.with_name("outer.zip")
    outer.write_bytes(archives.zipped([("inner.zip", archive.read_bytes())]))
    archive.unlink()
    case = tmp_path / "case.db"
    done = evtxscan("ingest", outer.parent if as_folder else outer, "--case", case, "--format", "json").json
    (told,) = done["containers"]
    assert told == {
        "path": "outer.zip",
        "first": "outer.zip",
        "kind": "zip archive",
        "sha256": sha256(outer),
        "size": outer.stat().st_size,
        "error": None,
    }
    assert all(source["path"].startswith("outer.zip/inner.zip/") for source in done["sources"])
    evtxscan("ingest", outer.parent if as_folder else outer, "--case", case)
    (known,) = evtxscan("info", "--case", case, "--format", "json").json["containers"]
    assert (known["path"], known["sha256"]) == ("outer.zip", sha256(outer))
    manifest = evtxscan("manifest", "--case", case, "--format", "json").json
    assert [container["sha256"] for container in manifest["containers"]] == [sha256(outer)]
    by_hand = hashlib.sha256(f"{sha256(outer)}  outer.zip\n".encode()).hexdigest()
    assert manifest["hashes"]["containers"] == by_hand
    assert sha256(outer) in evtxscan("info", "--case", case).out.decode()
    report = evtxscan("detect", "--case", case, "--format", "html").out.decode()
    assert sha256(outer) in report
    assert content.faults(case) == []


def test_a_byte_outside_of_all_logs_is_noticed(archive: Path, tmp_path: Path) -> None:
    """Catches a check of the logs alone: the file that was seized is another one now."""
    case = tmp_path / "case.db"
    evtxscan("ingest", archive, "--case", case)
    assert evtxscan("verify", "--case", case, "--format", "json").json["containers"][0]["outcome"] == "unchanged"
    data = bytearray(archive.read_bytes())
    data[-1] ^= 1
    archive.write_bytes(data)
    found = evtxscan("verify", "--case", case, "--format", "json", code=1).json
    assert found["totals"]["sources"]["unchanged"] == len(LOGS)
    (changed,) = found["containers"]
    assert (changed["outcome"], changed["found_sha256"]) == ("changed", sha256(archive))
    assert found["totals"]["conclusion"] == "contradicted"
    assert "CHANGED      triage.zip" in evtxscan("verify", "--case", case, code=1).out.decode()


def test_moved_or_away(archive: Path, tmp_path: Path) -> None:
    """Catches a container that is found by its old name only, and one that is gone and nobody says so."""
    case = tmp_path / "case.db"
    evtxscan("ingest", archive, "--case", case)
    moved = tmp_path / "deep" / "er" / "42.bin"
    moved.parent.mkdir(parents=True)
    shutil.move(archive, moved)
    found = evtxscan("verify", "--case", case, "--evidence", tmp_path / "deep", "--format", "json").json
    assert found["totals"]["containers"]["unchanged"] == 1
    moved.unlink()
    shutil.copytree(EVIDENCE, tmp_path / "extracted")
    found = evtxscan("verify", "--case", case, "--evidence", tmp_path / "extracted", "--format", "json", code=3).json
    assert found["totals"]["sources"]["unchanged"] == len(LOGS)
    assert found["containers"][0]["outcome"] == "missing"


def test_the_expected_hash_may_be_that_of_the_archive(archive: Path, tmp_path: Path) -> None:
    """Catches an acquisition hash that cannot be compared, or that is compared with the wrong file."""
    right, wrong = sha256(archive), "0" * 64
    words = ("ingest", archive, "--format", "json")
    done = evtxscan(*words, "--case", tmp_path / "a.db", "--expect-sha256", right.upper()).json
    assert done["containers"][0]["error"] is None
    info = evtxscan("info", "--case", tmp_path / "a.db", "--format", "json").json
    assert info["containers"][0]["expected_sha256"] == right
    done = evtxscan(*words, "--case", tmp_path / "b.db", "--expect-sha256", wrong, code=3).json
    assert done["containers"][0]["error"] == f"SHA-256 is {right}, but {wrong} was expected"
    assert done["totals"]["stored"] == 460
    report = evtxscan("detect", "--case", tmp_path / "b.db", "--format", "html").out.decode()
    assert f"{wrong} was expected" in report


def test_of_one_log_in_an_archive_either_hash_may_be_meant(tmp_path: Path) -> None:
    """Catches the log's own hash refused because it came in an archive."""
    archive = tmp_path / "one.zip"
    archive.write_bytes(archives.zipped([("Security.evtx", LOG)]))
    own = hashlib.sha256(LOG).hexdigest()
    for number, digest in enumerate((own, sha256(archive))):
        done = evtxscan("ingest", archive, "--case", tmp_path / f"{number}.db", "--expect-sha256", digest)
        assert "was expected" not in done.out.decode()
    info = evtxscan("info", "--case", tmp_path / "0.db", "--format", "json").json
    assert (info["sources"][0]["expected_sha256"], info["containers"][0]["expected_sha256"]) == (own, None)
    done = evtxscan("ingest", archive, "--case", tmp_path / "2.db", "--expect-sha256", "0" * 64, code=3)
    assert own in done.out.decode()
    assert sha256(archive) in done.out.decode()


def test_an_expected_hash_of_several_files(archive: Path, tmp_path: Path) -> None:
    """Catches a hash that is compared with one of several files, whichever came first."""
    (archive.parent / "loose.evtx").write_bytes(LOG)
    done = evtxscan("ingest", archive.parent, "--case", tmp_path / "c.db", "--expect-sha256", "0" * 64, code=2)
    assert "one container" in done.message
    assert not (tmp_path / "c.db").exists()
