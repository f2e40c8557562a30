"""Makes archives of a folder, in every format that is read."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
import zstandard

FORMATS = ("zip", "stored.zip", "tar", "tar.gz", "tar.bz2", "tar.xz", "tar.zst", "7z")


def files(folder: Path) -> dict[str, bytes]:
    """Return everything below a folder by its name with ``/``."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def pack(content: Mapping[str, bytes], form: str) -> bytes:
    """Return an archive; skips the test where the format needs a package that is not there."""
    if form.endswith("zip"):
        return zipped(content.items(), zipfile.ZIP_STORED if form == "stored.zip" else zipfile.ZIP_DEFLATED)
    if form == "7z":
        return seven_zipped(content)
    packed = tarred(content)
    suffix = form.partition(".")[2]
    return compress(packed, suffix) if suffix else packed


def zipped(entries: object, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip of (name, bytes) pairs; names may repeat."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in entries:  # type: ignore[attr-defined]
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return stream.getvalue()


def tarred(content: Mapping[str, bytes]) -> bytes:
    """Return a tar."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def compress(data: bytes, form: str) -> bytes:
    """Return a file compressed as a whole."""
    makers = {
        "gz": gzip.compress,
        "bz2": bz2.compress,
        "xz": lzma.compress,
        "zst": zstandard.ZstdCompressor().compress,
    }
    return makers[form](data)


def seven_zipped(content: Mapping[str, bytes], **options: object) -> bytes:
    """Return a 7z archive by py7zr."""
    py7zr = pytest.importorskip("py7zr", reason="7z archives are made by py7zr")
    stream = io.BytesIO()
    with py7zr.SevenZipFile(stream, "w", **options) as archive:
        for name, data in content.items():
            archive.writestr(data, name)
    return stream.getvalue()
