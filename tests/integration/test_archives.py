"""Event logs in archives: the same findings as from the folder, and nothing that an archive says is believed."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from evtxscan.evidence.containers import limits
from evtxscan.evidence.containers.member import logical_name
from evtxscan.evidence.discover import Found, discover
from evtxscan.ingest.plan import plan
from tests.integration import archives, content
from tests.integration.command import EVIDENCE, ROOT, Done, environment, evtxscan

LOGS = archives.files(EVIDENCE)
SMALL = "SRV-OLD-02/Windows/System32/winevt/Logs/System.evtx"
LOG = LOGS[SMALL]


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def look(path: Path) -> Found:
    found = discover([path])
    found.errors.sort(key=str)
    return found


def paths(found: Found) -> list[str]:
    return [source.path for source in found.sources]


def relocated(document: Any, prefix: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return a result with ``prefix`` taken off every path of a source."""
    if isinstance(document, dict):
        return {
            key: value.removeprefix(prefix) if key == "path" and isinstance(value, str) else relocated(value, prefix)
            for key, value in document.items()
            if key != "modified"
        }
    if isinstance(document, list):
        return [relocated(value, prefix) for value in document]
    return document


@pytest.mark.parametrize("form", archives.FORMATS)
def test_an_archive_gives_the_findings_of_the_folder(form: str, tmp_path: Path, detection: Done) -> None:
    """Catches a byte that differs between an archive and the folder that it was made of, but for the path."""
    archive = write(tmp_path / f"evidence.{form}", archives.pack(LOGS, form))
    case = tmp_path / "case.db"
    evtxscan("ingest", archive, "--case", case)
    found = evtxscan("detect", "--case", case, "--format", "json").json
    assert found["findings"]
    assert relocated(found, f"{archive.name}/") == relocated(detection.json, "")
    assert content.faults(case) == []


def test_archives_in_archives(tmp_path: Path) -> None:
    """Catches a logical path that leaves a container out, and an inner archive that is not reached."""
    inner = archives.pack({SMALL: LOG}, "zip")
    middle = archives.pack({"a/inner.zip": inner, "System.evtx.gz": archives.compress(LOG, "gz")}, "tar.gz")
    outer = write(tmp_path / "outer.zip", archives.zipped([("m.tgz", middle), ("plain.evtx", LOG)]))
    done = evtxscan("ingest", outer, "--case", tmp_path / "case.db", "--format", "json")
    assert {source["path"] for source in done.json["sources"]} == {
        f"outer.zip/m.tgz/a/inner.zip/{SMALL}",
        "outer.zip/m.tgz/System.evtx.gz/System.evtx",
        "outer.zip/plain.evtx",
    }
    assert [source["stored"] for source in done.json["sources"]].count(0) == 2, "two of three are copies"
    assert content.faults(tmp_path / "case.db") == []


@pytest.mark.parametrize("form", ["zip", "tar.gz"])
def test_workers_store_the_same_from_an_archive(bulk: Path, tmp_path: Path, form: str) -> None:
    """Catches chunks that get lost, doubled or misnumbered on their way from the archive to a worker."""
    write(tmp_path / f"bulk.{form}", archives.pack(archives.files(bulk), form))
    kept = []
    for evidence in (bulk, tmp_path / f"bulk.{form}"):
        case = tmp_path / f"{evidence.name}.db"
        evtxscan("ingest", evidence, "--case", case, "--jobs", "2", code=3)
        kept.append(content.content(case))
        assert content.faults(case) == []
    folder, archive = kept
    assert len(folder["events"]) > 1000
    for part in ("events", "losses", "chunks", "processes", "chunk bytes"):
        assert archive[part] == folder[part], part
    assert sorted(row[0].removeprefix(f"bulk.{form}/") for row in archive["places"]) == sorted(
        row[0] for row in folder["places"]
    )
    assert [row[1] for row in archive["sources"]] == [row[1] for row in folder["sources"]]


@pytest.mark.parametrize(
    ("name", "becomes"),
    [
        ("../../escape.evtx", "%2E%2E/%2E%2E/escape.evtx"),
        ("/etc/absolute.evtx", "etc/absolute.evtx"),
        (r"C\Windows\back.evtx", "C/Windows/back.evtx"),
        ("./a//b/./c.evtx", "a/b/c.evtx"),
        ("uploads/auto/C%3A/Windows/x%254Operational.evtx", "uploads/auto/C%3A/Windows/x%254Operational.evtx"),
        ("\x1b[31mred\u202e.evtx", "\x1b[31mred\u202e.evtx"),
    ],
)
def test_names_are_never_a_way_out(name: str, becomes: str, tmp_path: Path) -> None:
    """Catches an entry's name that is used as a path, and a logical path that leads out of the archive."""
    archive = write(tmp_path / "in" / "e.zip", archives.zipped([(name, LOG)]))
    done = evtxscan("ingest", archive, "--case", tmp_path / "case.db", "--format", "json")
    assert [source["path"] for source in done.json["sources"]] == [f"e.zip/{becomes}"]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["case.db", "e.zip", "in"]
    table = evtxscan("ingest", archive, "--case", tmp_path / "case.db")
    assert b"\x1b" not in table.out


def test_names_of_no_encoding() -> None:
    """Catches names that cannot be stored, or depend on the locale."""
    assert logical_name(b"B\xfcro/\xc3\xbc.evtx") == "B\\xfcro/ü.evtx"
    assert logical_name("lone\ud800") == "lone\\ud800"
    assert logical_name("../..") == "%2E%2E/%2E%2E"
    assert logical_name("/") == "(no name)"


def test_two_files_of_one_name_are_two_sources(tmp_path: Path) -> None:
    """Catches the second of two entries of one name that replaces the first, in the archive or in the case."""
    other = LOGS["WS-FIN-07/Windows/System32/winevt/Logs/System.evtx"]
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = archives.zipped([("a.evtx", LOG), ("a.evtx", other), ("a.evtx", LOG)])
    done = evtxscan("ingest", write(tmp_path / "e.zip", data), "--case", tmp_path / "case.db", "--format", "json")
    assert [(source["path"], source["stored"]) for source in done.json["sources"]] == [
        ("e.zip/a.evtx", 7),
        ("e.zip/a.evtx (2)", 24),
        ("e.zip/a.evtx (3)", 0),
    ]
    assert content.faults(tmp_path / "case.db") == []


_PASSWORD = "secret"  # noqa: S105 - of an archive made here


def flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :]


def encrypted(data: bytes) -> bytes:
    """Return a zip that claims of all its entries that they are encrypted."""
    changed = bytearray(data)
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = changed.find(magic)
        while place >= 0:
            changed[place + at] |= 1
            place = changed.find(magic, place + 4)
    return bytes(changed)


def test_encrypted_entries_are_told_and_the_rest_is_read(tmp_path: Path) -> None:
    """Catches encrypted evidence that is passed over in silence, and one error for each of thousands of files."""
    inner = encrypted(archives.zipped([("a.evtx", LOG), ("b.evtx", LOG)]))
    archive = write(tmp_path / "e.zip", archives.zipped([("data.zip", inner), ("c.evtx", LOG)]))
    done = evtxscan("ingest", archive, "--case", tmp_path / "case.db", "--format", "json", code=3)
    assert done.json["totals"]["stored"] == 7
    assert len(done.json["errors"]) == 1
    assert "e.zip/data.zip: 2 files (a.evtx ...) are encrypted and not read" in done.message
    locked = archives.seven_zipped({"a.evtx": LOG}, password=_PASSWORD, header_encryption=True)
    told = evtxscan("ingest", write(tmp_path / "e.7z", locked), "--case", tmp_path / "no.db", code=1)
    assert "encrypted, names too; extract it with the password" in told.message


@pytest.mark.parametrize("form", ["zip", "stored.zip"])
def test_a_wrong_checksum_costs_no_record(form: str, tmp_path: Path) -> None:
    """Catches damage that is not noticed, or that takes what was read before it along."""
    other = LOGS["WS-FIN-07/Windows/System32/winevt/Logs/System.evtx"]
    data = archives.pack({"a.evtx": LOG, "b.evtx": other}, form)
    archive = write(tmp_path / "e.zip", flip(data, data.index(b"PK\x01\x02") + 16))
    done = evtxscan("ingest", archive, "--case", tmp_path / "case.db", "--format", "json", code=3)
    first, second = done.json["sources"]
    assert (first["stored"], first["sha256"]) == (7, hashlib.sha256(LOG).hexdigest())
    assert "checksum is wrong" in first["error"]
    assert (second["stored"], second["error"]) == (24, None)


def test_damage_in_a_member_costs_what_stands_behind_it(tmp_path: Path) -> None:
    """Catches a damaged member of which nothing is read, or that stops the archive."""
    large = LOGS["WS-FIN-07/Windows/System32/winevt/Logs/Security.evtx"]
    data = archives.zipped([("a.evtx", large), ("b.evtx", LOG)], zipfile.ZIP_DEFLATED)
    middle = data.index(b"PK\x03\x04", 4) * 9 // 10
    archive = write(tmp_path / "e.zip", data[:middle] + bytes(64) + data[middle + 64 :])
    done = evtxscan("ingest", archive, "--case", tmp_path / "case.db", "--format", "json", code=3)
    first, second = done.json["sources"]
    assert 0 < first["stored"] < 219
    assert "bytes before that were read" in first["error"]
    assert second["stored"] == 7
    assert content.faults(tmp_path / "case.db") == []


@pytest.mark.parametrize("form", ["tar", "tar.gz", "tar.zst"])
def test_a_cut_archive_is_read_up_to_the_cut(form: str, tmp_path: Path) -> None:
    """Catches a cut collection that is taken for a whole one, or thrown away as a whole."""
    data = archives.pack(LOGS, form)
    archive = write(tmp_path / f"e.{form}", data[: len(data) * 3 // 4])
    done = evtxscan("ingest", archive, "--case", tmp_path / "case.db", "--format", "json", code=3)
    assert "it was cut, or is damaged" in done.message
    assert done.json["totals"]["stored"] > 0
    assert content.faults(tmp_path / "case.db") == []


def test_a_damaged_header_of_a_tar_costs_its_file_only(tmp_path: Path) -> None:
    """Catches a reader that stops at the first bad header of a tar."""
    data = archives.tarred({"a.evtx": LOG, "b.evtx": LOG, "c.evtx": LOG})
    second = 512 + -(-len(LOG) // 512) * 512
    found = look(write(tmp_path / "e.tar", flip(data, second + 100)))
    assert paths(found) == ["e.tar/a.evtx", "e.tar/c.evtx"]
    assert [f"{len(LOG) + 512:,} bytes are neither" in str(error) for error in found.errors] == [True]


def deep(levels: int) -> bytes:
    data = LOG
    for level in range(levels):
        data = archives.zipped([(f"{level}.zip" if level else "a.evtx", data)])
    return data


def forged(data: bytes, size: int) -> bytes:
    """Return a zip whose directory claims another size of its first file."""
    place = data.index(b"PK\x01\x02") + 24
    return data[:place] + struct.pack("<I", size) + data[place + 4 :]


def zeros(form: str) -> bytes:
    """Return a compressed file of more empty bytes than may come out of one that small."""
    part = 16 << 20
    return archives.compress(bytes(part), form) * (limits.MAX_RATIO_FREE // part + 1)


BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "nested.zip": (lambda: deep(limits.MAX_NESTING + 2), "nested more than"),
    "claims.zip": (lambda: forged(archives.zipped([("a.evtx", LOG)]), 3 << 30), "zip bomb"),
    "log.gz": (lambda: archives.compress(LOG, "gz") + zeros("gz"), "zip bomb"),
    "zip.zst": (lambda: archives.compress(b"PK\x03\x04" + bytes(100), "zst") + zeros("zst"), "too large"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_by_name_and_the_rest_is_read(name: str, tmp_path: Path) -> None:
    """Catches an archive that fills the memory, the disk or the day, and one whose refusal costs other evidence."""
    make, says = BOMBS[name]
    folder = tmp_path / "evidence"
    write(folder / name, make())
    write(folder / "good.evtx", LOG)
    done = evtxscan("ingest", folder, "--case", tmp_path / "case.db", "--format", "json", code=3)
    assert done.json["totals"]["stored"] == 7
    (error,) = done.json["errors"]
    assert says in error
    assert name in error


def test_an_honest_log_that_shrinks_much_is_no_bomb(tmp_path: Path) -> None:
    """Catches a bound on the ratio that refuses a log of the size that Windows makes, almost empty."""
    log = LOG + bytes(320 * 65536)
    archive = write(tmp_path / "e.zip", archives.zipped([("a.evtx", log)]))
    assert len(log) > 100 * archive.stat().st_size
    evtxscan("ingest", archive, "--case", tmp_path / "case.db")


_KILLED = """
import os, signal, sys
from pathlib import Path
from evtxscan.evidence.containers import spool
from evtxscan.evidence.discover import discover
found = discover([Path(sys.argv[1])])
assert found.sources and not found.errors, found
with found.sources[0].open() as file:
    assert file.read(8) == b"ElfFile\\0"
    assert any(copy._file._rolled for copy in spool._copies.values()), "all of it is in memory"
    print(len(os.listdir(os.environ["TMPDIR"])), flush=True)
    if sys.argv[2] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="files without a name are Linux's")
@pytest.mark.parametrize("how", ["killed", "ended"])
def test_no_copy_of_evidence_is_left_behind(how: str, tmp_path: Path) -> None:
    """Catches a temporary file with a name, which a kill leaves behind."""
    place = tmp_path / "temporary"
    place.mkdir()
    inner = archives.zipped([("a.evtx", LOG), ("filler.bin", os.urandom(40 << 20))], zipfile.ZIP_STORED)
    archive = write(tmp_path / "outer.tar", archives.tarred({"inner.zip": inner}))
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, archive, how],
        env=environment({"TMPDIR": str(place), "PYTHONPATH": str(ROOT)}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "0\n", done.stderr
    assert done.returncode == (-signal.SIGKILL if how == "killed" else 0)
    assert list(place.iterdir()) == []


def test_in_a_folder_an_archive_without_logs_is_one_skipped_file(tmp_path: Path) -> None:
    """Catches an office document whose hundred parts fill the list of what was skipped."""
    folder = tmp_path / "evidence"
    write(folder / "letter.docx", archives.zipped([("[Content_Types].xml", b"<a/>"), ("b.xml", b"<b/>")]))
    write(folder / "a.evtx", LOG)
    done = evtxscan("ingest", folder, "--case", tmp_path / "case.db", "--format", "json")
    assert done.json["skipped"] == [
        {"path": "letter.docx", "reason": "zip archive without event logs (2 files)"},
    ]
    alone = evtxscan("ingest", folder / "letter.docx", "--case", tmp_path / "no.db", code=1)
    assert "zip archive without event logs (2 files)" in alone.message


def test_an_archive_is_not_overwritten(tmp_path: Path, scenario: Path) -> None:
    """Catches evidence in an archive that a mistyped --output replaces."""
    archive = write(tmp_path / "e.zip", archives.zipped([("a.evtx", LOG)]))
    case = shutil.copyfile(scenario, tmp_path / "case.db")
    done = evtxscan("detect", "--case", case, "--output", archive, code=2)
    assert "will not be overwritten" in done.message
    assert paths(look(archive)) == ["e.zip/a.evtx"]


def test_a_source_opens_at_any_offset(tmp_path: Path) -> None:
    """Catches an opener that cannot be sent to another process, or reads other bytes than the archive has."""
    import pickle

    for form in archives.FORMATS:
        for source in look(write(tmp_path / f"e.{form}", archives.pack(LOGS, form))).sources:
            sent = pickle.loads(pickle.dumps(source))  # noqa: S301 - made here
            with sent.open() as file:
                file.seek(4096)
                assert file.read(8) == b"ElfChnk\0"
                file.seek(0)
                assert file.read() == LOGS[source.path.partition("/")[2]]


def damaged(data: bytes, number: int) -> bytes:
    """Return a mutant: cut, or with some bytes changed, more often where directories and headers stand."""
    dice = random.Random(number)  # noqa: S311 - the same mutant for the same number
    if dice.random() < 0.25:
        return data[: dice.randrange(len(data))]
    changed = bytearray(data)
    for _ in range(dice.randrange(1, 8)):
        near = min(900, len(data))
        at = dice.choice([dice.randrange(len(data)), dice.randrange(near), len(data) - 1 - dice.randrange(near)])
        changed[at] = dice.choice([0, 0xFF, changed[at] ^ 1 << dice.randrange(8)])
    return bytes(changed)


@pytest.mark.parametrize("form", archives.FORMATS)
def test_no_damage_ends_in_anything_but_an_error_that_names_the_archive(form: str, tmp_path: Path) -> None:
    """Catches whatever a reader of an archive raises at damage that nobody has thought of."""
    whole = archives.pack({name: LOGS[name] for name in LOGS if "SRV" in name}, form)
    read = 0
    for number in range(40):
        found = look(write(tmp_path / f"e.{form}", damaged(whole, number)))
        assert all(f"e.{form}" in str(error) for error in found.errors)
        with ThreadPoolExecutor(1) as reader:
            planned = list(plan(found.sources, None, reader))
        assert all(f"e.{form}" in one.problem for one in planned if one.problem)
        assert [source.sha256() for source in found.sources] == [one.sha256 for one in planned if one.is_last]
        read += len(found.sources)
    # A bzip2 of this size is one block, and a 7z archive is nothing without its directory.
    assert read or form in ("tar.bz2", "7z")
