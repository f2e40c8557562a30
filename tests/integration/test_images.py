"""Event logs on disk images, made here with the tools of ntfs-3g, ewf-tools and qemu-utils."""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evtxscan.evidence.discover import discover
from evtxscan.evidence.recognise import Kind
from tests.integration import archives, content
from tests.integration.command import EVIDENCE, Done, environment, evtxscan
from tests.integration.test_archives import LOG, relocated

pytest.importorskip("dfvfs", reason="dfVFS is not installed: pip install 'evtxscan[image]'")

from evtxscan.evidence.containers import parts

_SIZE = 24 << 20
_START = 2048 * 512


def need(*tools: str) -> None:
    """Skip where a tool is missing."""
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool}")


def run(*words: str | Path) -> None:
    subprocess.run(words, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)


@contextmanager
def mounted(volume: Path) -> Iterator[Path]:
    """Give the top folder of a volume, to be written to; skips where this may not be done."""
    need("ntfs-3g", "umount")
    top = volume.with_suffix(".mounted")
    top.mkdir()
    if subprocess.run(["ntfs-3g", volume, top], capture_output=True, check=False, timeout=60).returncode:
        pytest.skip("file systems may not be mounted here")
    try:
        yield top
    finally:
        run("umount", top)
        top.rmdir()


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raw disk with one partition, NTFS, and on it the shipped evidence."""
    need("mkntfs")
    folder = tmp_path_factory.mktemp("disk")
    volume = folder / "volume"
    with volume.open("wb") as file:
        file.truncate(_SIZE)
    run("mkntfs", "-F", "-q", "-Q", volume)
    with mounted(volume) as top:
        shutil.copytree(EVIDENCE, top, dirs_exist_ok=True)
        (top / "Windows/System32/winevt/Logs").mkdir(parents=True)
        (top / "Windows/System32/winevt/Logs/none.evtx").write_text("no log")
        (top / "letter.txt").write_text("dear diary")
    table = bytearray(_START)
    struct.pack_into("<B3sB3sII", table, 446, 0x80, b"\x20\x21\0", 7, b"\xfe\xff\xff", 2048, _SIZE // 512)
    table[510:512] = b"\x55\xaa"
    made = folder / "disk.raw"
    made.write_bytes(bytes(table) + volume.read_bytes())
    return made


def converted(form: str, *options: str) -> Callable[[Path, Path], str]:
    """Return what makes an image with qemu-img."""

    def make(disk: Path, folder: Path) -> str:
        need("qemu-img")
        run("qemu-img", "convert", "-O", form, *options, disk, folder / f"disk.{form}")
        return f"disk.{form}"

    return make


def raw(disk: Path, folder: Path) -> str:
    shutil.copyfile(disk, folder / "disk.dd")
    return "disk.dd"


def split(disk: Path, folder: Path) -> str:
    data = disk.read_bytes()
    part = 10 << 20
    for number, at in enumerate(range(0, len(data), part), 1):
        (folder / f"disk.{number:03}").write_bytes(data[at : at + part])
    return "disk.001"


def volume_alone(disk: Path, folder: Path) -> str:
    (folder / "volume.img").write_bytes(disk.read_bytes()[_START:])
    return "volume.img"


def ewf(disk: Path, folder: Path) -> str:
    need("ewfacquire")
    run("ewfacquire", "-u", "-q", "-t", folder / "disk", "-c", "none", "-S", "4MiB", disk)
    assert (folder / "disk.E02").exists()
    return "disk.E01"


IMAGES: dict[str, Callable[[Path, Path], str]] = {
    "raw": raw,
    "split raw": split,
    "volume": volume_alone,
    "E01 set": ewf,
    "VMDK": converted("vmdk"),
    "VHD": converted("vpc"),
    "fixed VHD": converted("vpc", "-o", "subformat=fixed"),
    "VHDX": converted("vhdx"),
    "QCOW2": converted("qcow2"),
}


@pytest.mark.parametrize("form", IMAGES)
def test_an_image_gives_the_findings_of_the_folder(form: str, disk: Path, tmp_path: Path, detection: Done) -> None:
    """Catches a byte that differs between an image and the folder on it, but for the path."""
    folder = tmp_path / "images"
    folder.mkdir()
    name = IMAGES[form](disk, folder)
    case = tmp_path / "case.db"
    done = evtxscan("ingest", folder, "--case", case, "--format", "json")
    prefix = f"{name}/" if form == "volume" else f"{name}/p1/"
    assert {source["path"].startswith(prefix) for source in done.json["sources"]} == {True}
    assert f"{prefix}Windows/System32/winevt/Logs/none.evtx" in {one["path"] for one in done.json["skipped"]}
    parts = [one for one in done.json["skipped"] if "/" not in one["path"]]
    assert all(one["reason"] == f"part of an image, read with {name}" for one in parts)
    assert bool(parts) == (form in ("E01 set", "split raw"))
    found = evtxscan("detect", "--case", case, "--format", "json")
    assert found.json["findings"]
    assert relocated(found.json, prefix) == relocated(detection.json, "")
    assert content.faults(case) == []
    named = evtxscan("ingest", folder / name, "--case", tmp_path / "named.db", "--format", "json")
    assert named.json["totals"] == done.json["totals"]


@pytest.mark.parametrize("form", ["VHDX", "QCOW2", "raw", "fixed VHD"])
def test_an_image_in_an_archive(form: str, disk: Path, tmp_path: Path, detection: Done) -> None:
    """Catches a VHDX as KAPE zips it that is not opened, or whose logs are other bytes in another thread."""
    name = IMAGES[form](disk, tmp_path)
    archive = tmp_path / "case.zip"
    archive.write_bytes(archives.zipped([(f"out/{name}", (tmp_path / name).read_bytes())]))
    case = tmp_path / "case.db"
    evtxscan("ingest", archive, "--case", case)
    found = evtxscan("detect", "--case", case, "--format", "json").json
    assert relocated(found, f"case.zip/out/{name}/p1/") == relocated(detection.json, "")


def hashes(path: Path, folder: Path) -> dict[str, str]:
    """Return the SHA-256 of the files of a folder whose names begin as an image's does."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.glob(f"{path.stem}.*")}


@pytest.mark.parametrize("form", ["E01 set", "split raw", "VMDK", "raw"])
def test_every_file_of_an_image_is_named_and_hashed_where_that_is_asked(form: str, disk: Path, tmp_path: Path) -> None:
    """Catches a part of a set that no hash covers, and an image that is read whole although nobody asked."""
    folder = tmp_path / "images"
    folder.mkdir()
    image = folder / IMAGES[form](disk, folder)
    case = tmp_path / "case.db"
    words = ("ingest", image, "--case", case, "--format", "json")
    expected = hashes(image, folder)
    told = evtxscan(*words).json["containers"]
    assert {one["path"]: one["sha256"] for one in told} == dict.fromkeys(expected)
    assert "not hashed" in evtxscan("manifest", "--case", case).out.decode()
    assert evtxscan("verify", "--case", case, "--format", "json").json["containers"] == []
    told = evtxscan(*words, "--hash-images").json["containers"]
    assert {one["path"]: one["sha256"] for one in told} == expected
    assert {one["first"] for one in told} == {image.name}
    info = evtxscan("info", "--case", case, "--format", "json").json
    assert {one["path"]: one["sha256"] for one in info["containers"]} == expected
    evtxscan(*words)  # without the option: what is known of the same file stays
    assert evtxscan("info", "--case", case, "--format", "json").json["containers"] == info["containers"]
    last = sorted(folder.glob(f"{image.stem}.*"))[-1]
    data = bytearray(last.read_bytes())
    data[-1] ^= 1
    last.write_bytes(data)
    found = evtxscan("verify", "--case", case, "--format", "json", code=None).json
    changed = [one["path"] for one in found["containers"] if one["outcome"] == "changed"]
    assert changed == [last.name]
    assert found["totals"]["conclusion"] == "contradicted"


def test_the_expected_hash_of_an_image(disk: Path, tmp_path: Path) -> None:
    """Catches an image that is not hashed although its hash is to be compared; and a set that has none of its own."""
    image = shutil.copyfile(disk, tmp_path / "disk.dd")
    right = hashlib.sha256(image.read_bytes()).hexdigest()
    done = evtxscan("ingest", image, "--case", tmp_path / "a.db", "--expect-sha256", right, "--format", "json")
    assert [(one["sha256"], one["error"]) for one in done.json["containers"]] == [(right, None)]
    split(disk, tmp_path)
    several = evtxscan("ingest", tmp_path / "disk.001", "--case", tmp_path / "b.db", "--expect-sha256", right, code=2)
    assert "disk.001 consists of 3" in several.message


def test_a_part_of_a_set_in_an_archive_is_told(disk: Path, tmp_path: Path) -> None:
    """Catches an E01 in an archive that is passed over: its further parts could not be reached."""
    ewf(disk, tmp_path)
    archive = tmp_path / "e.zip"
    archive.write_bytes(archives.zipped([("disk.E01", (tmp_path / "disk.E01").read_bytes()), ("a.evtx", LOG)]))
    done = evtxscan("ingest", archive, "--case", tmp_path / "case.db", "--format", "json", code=3)
    assert "e.zip/disk.E01: an EWF image (E01) inside another container is not read; extract it" in done.message
    assert done.json["totals"]["stored"] == 7


def test_logs_are_found_by_content_on_a_volume(tmp_path: Path) -> None:
    """Catches a log under another name and outside the log folder that is passed over."""
    need("mkntfs", "ntfscp")
    volume = tmp_path / "volume.dd"
    with volume.open("wb") as file:
        file.truncate(_SIZE)
    run("mkntfs", "-F", "-q", "-Q", volume)
    hidden, text = tmp_path / "hidden", tmp_path / "text"
    hidden.write_bytes(LOG)
    text.write_bytes(b"x" * len(LOG))
    run("ntfscp", "-q", volume, hidden, "holiday.jpg")
    run("ntfscp", "-q", volume, text, "text.txt")
    done = evtxscan("ingest", volume, "--case", tmp_path / "case.db", "--format", "json")
    assert [(source["path"], source["stored"]) for source in done.json["sources"]] == [("volume.dd/holiday.jpg", 7)]


def test_an_image_and_its_archive_are_one_set_of_events(disk: Path, tmp_path: Path) -> None:
    """Catches an event that is there twice because it was found on an image and in a folder; both are its sources."""
    image = shutil.copyfile(disk, tmp_path / "disk.dd")
    case = tmp_path / "case.db"
    done = evtxscan("ingest", EVIDENCE, image, "--case", case, "--format", "json")
    assert done.json["totals"] == {"found": 920, "stored": 460, "known": 460, "lost": 0, "filtered": 0}
    (event, *_) = evtxscan("query", "process where true", "--case", case, "--format", "ndjson").lines
    places = [place["source"]["path"] for place in event["evtxscan"]["provenance"]]
    assert len(places) == 2
    assert any(place.startswith("disk.dd/p1/") for place in places)


def test_a_cut_image_is_told(disk: Path, tmp_path: Path) -> None:
    """Catches an image that ends early and is taken for a whole one, or that ends in a traceback."""
    for share in (0.05, 0.3, 0.6):
        image = tmp_path / "disk.dd"
        image.write_bytes(disk.read_bytes()[: int(_SIZE * share)])
        done = evtxscan("ingest", image, "--case", tmp_path / f"{share}.db", code=None)
        assert done.code in (1, 3), share
        assert "disk.dd" in done.message + done.out.decode()


def test_a_later_segment_alone_is_told(disk: Path, tmp_path: Path) -> None:
    """Catches the second file of a set that is read as an image, or skipped where the first is not there."""
    ewf(disk, tmp_path)
    (tmp_path / "alone").mkdir()
    shutil.move(tmp_path / "disk.E02", tmp_path / "alone" / "disk.E02")
    done = evtxscan("ingest", tmp_path / "alone", "--case", tmp_path / "case.db", code=1)
    assert "name its first file, disk.E01" in done.message
    gap = evtxscan("ingest", tmp_path / "disk.E01", "--case", tmp_path / "case.db", code=None)
    assert gap.code in (1, 3)


OTHERS = {
    "image.vhd": ("VHD image", 3, "a_directory"),
    "image-differential.vhd": ("VHD image", 3, "a_directory"),
    "windows_volume.qcow2": ("QCOW image", 14, "Windows/System32/config"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_an_image_that_others_made(name: str, tmp_path: Path) -> None:
    """Catches layers that only open what was made here, and an image without logs that nobody is told of."""
    folder = os.environ.get("EVTXSCAN_IMAGES")
    if not folder:
        pytest.skip("EVTXSCAN_IMAGES is not set")
    kind, files, directory = OTHERS[name]
    looked: list[str] = []
    found = discover([Path(folder, name)], looked.append)
    assert f"{name}/{directory}/" in looked
    assert not found.sources
    done = evtxscan("ingest", Path(folder, name), "--case", tmp_path / "case.db", code=1)
    assert f"{name}: {kind} without event logs ({files} files on 1 file system)" in done.message
    assert not (tmp_path / "case.db").exists()


def test_a_differential_image_consists_of_its_parents_too() -> None:
    """Catches a parent that no hash covers."""
    folder = os.environ.get("EVTXSCAN_IMAGES")
    if not folder:
        pytest.skip("EVTXSCAN_IMAGES is not set")
    files = parts.files_of(Path(folder, "image-differential.vhd"), Kind.VHD)
    assert [file.name for file in files] == ["image-differential.vhd", "image.vhd"]


def test_without_dfvfs_an_image_is_an_error_that_says_what_to_install(disk: Path, tmp_path: Path) -> None:
    """Catches an image that is skipped as no event log where the extra is not installed."""
    (tmp_path / "dfvfs.py").write_text("raise ImportError('No module named dfvfs')\n")
    shutil.copyfile(disk, tmp_path / "disk.dd")
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    done = evtxscan(
        "ingest", tmp_path / "disk.dd", "--case", tmp_path / "c.db", code=1, env=environment({"PYTHONPATH": paths})
    )
    assert "pip install 'evtxscan[image]'" in done.message
