"""Tells what a file is from its content, never from its name."""

from __future__ import annotations

import io
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from evtxscan.evidence.evtx_layout import (
    CHUNK_HEADER_SIZE,
    CHUNK_MAGIC,
    CHUNK_SIZE,
    FILE_HEADER_SIZE,
    FILE_MAGIC,
    RECORD_MAGIC,
)
from evtxscan.evidence.ndjson import has_documents, is_export, may_have_documents, read_ahead, why_not
from evtxscan.evidence.source import Form, open_file

# A log whose file header is gone is known by any of its first chunks.
_CHUNKS_TRIED = 16
_TAR_MAGIC_AT = 257  # POSIX.1 ustar; GNU tar writes the same five letters
_VHD_FOOTER = 512


class Kind(StrEnum):
    """What a file can be that has event logs, or is one; the values are read by people."""

    LOG = "event log"
    DOCUMENTS = "file of event documents (NDJSON)"
    EXPORT = "export of evtxscan"
    ZIP = "zip archive"
    TAR = "tar archive"
    SEVENZIP = "7z archive"
    GZIP = "gzip file"
    BZIP2 = "bzip2 file"
    XZ = "xz file"
    ZSTD = "zstd file"
    EWF = "EWF image (E01)"
    VMDK = "VMDK image"
    VHD = "VHD image"
    VHDX = "VHDX image"
    QCOW = "QCOW image"
    RAW = "raw disk image"


FORMS: dict[Kind | None, Form] = {Kind.LOG: "evtx", Kind.DOCUMENTS: "ndjson"}
"""What events are read from, and what a source calls it."""
_OWN_EXPORT = "an export of evtxscan, which says where its evidence lies; to take it as documents, name the file itself"
IMAGES = frozenset({Kind.EWF, Kind.VMDK, Kind.VHD, Kind.VHDX, Kind.QCOW, Kind.RAW})
# APPNOTE.TXT; 7zFormat.txt; RFC 1952; bzip2; the xz and Zstandard format documents; libyal's of the images.
_MAGIC = (
    (FILE_MAGIC, Kind.LOG),
    (b"PK\x03\x04", Kind.ZIP),
    (b"PK\x05\x06", Kind.ZIP),
    (b"PK\x07\x08PK\x03\x04", Kind.ZIP),
    (b"7z\xbc\xaf\x27\x1c", Kind.SEVENZIP),
    (b"\x1f\x8b\x08", Kind.GZIP),
    (b"BZh", Kind.BZIP2),
    (b"\xfd7zXZ\0", Kind.XZ),
    (b"\x28\xb5\x2f\xfd", Kind.ZSTD),
    (b"EVF\x09\x0d\x0a\xff\0", Kind.EWF),
    (b"EVF2\x0d\x0a\x81\0", Kind.EWF),
    (b"KDMV", Kind.VMDK),
    (b"# Disk DescriptorFile", Kind.VMDK),
    (b"conectix", Kind.VHD),
    (b"vhdxfile", Kind.VHDX),
    (b"QFI\xfb", Kind.QCOW),
)


@dataclass(frozen=True, slots=True)
class Nature:
    """What a file is: its kind, or why it is none of them; and its first bytes."""

    kind: Kind | None
    reason: str
    head: bytes


def examine(file: BinaryIO) -> Nature:
    """Tell what a file is, reading it forward only, up to a megabyte. Raises OSError."""
    head = _read(file, FILE_HEADER_SIZE)
    kind = _kind(head)
    if kind is None and head:
        ahead = b""
        if may_have_documents(head):
            ahead = read_ahead(head, file)
            kind = _of_lines(head + ahead)
        kind = kind or (Kind.LOG if _has_chunk(_again(ahead, file) if ahead else file) else _disk(head))
    return Nature(kind, _OWN_EXPORT if kind is Kind.EXPORT else "" if kind else _no_log(head), head)


def _of_lines(start: bytes) -> Kind | None:
    """Tell what the lines are that a file begins with."""
    if not has_documents(start):
        return None
    return Kind.EXPORT if is_export(start) else Kind.DOCUMENTS


def _again(ahead: bytes, file: BinaryIO) -> BinaryIO:
    """Return a file from where it was before these bytes of it were read, to be read forward."""
    if file.seekable():
        file.seek(-len(ahead), io.SEEK_CUR)
        return file
    return io.BytesIO(ahead + _read(file, max(0, _CHUNKS_TRIED * CHUNK_SIZE - len(ahead))))


def is_tar(head: bytes) -> bool:
    """Tell whether a file that begins with these 512 bytes is a tar archive."""
    return head[_TAR_MAGIC_AT : _TAR_MAGIC_AT + 5] == b"ustar"


def examine_file(path: Path) -> Nature:
    """Tell what a file of its own is. Raises OSError."""
    with open_file(path) as file:
        nature = examine(file)
        if nature.kind in (None, Kind.RAW) and nature.head and _ends_as_vhd(file):
            return Nature(Kind.VHD, "", nature.head)
    return nature


def kind_of(path: Path) -> Kind | None:
    """Return what kind of evidence a file is, None for other files. Raises OSError."""
    return examine_file(path).kind


def _ends_as_vhd(file: BinaryIO) -> bool:
    """Tell whether a file ends as a VHD of fixed size does, which begins as the disk in it. Raises OSError."""
    size = file.seek(0, io.SEEK_END)
    if size <= _VHD_FOOTER:
        return False
    file.seek(size - _VHD_FOOTER)
    return _read(file, 8) == b"conectix"


def _kind(head: bytes) -> Kind | None:
    found = next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
    return found or (Kind.TAR if is_tar(head) else None)


def _has_chunk(file: BinaryIO) -> bool:
    """Tell whether a chunk stands where one has to be; ``file`` is right behind the place of a file header."""
    start = CHUNK_HEADER_SIZE + len(RECORD_MAGIC)
    for _ in range(_CHUNKS_TRIED):
        chunk = _read(file, start)
        if chunk.startswith(CHUNK_MAGIC) or chunk[CHUNK_HEADER_SIZE:] == RECORD_MAGIC:
            return True
        if len(chunk) < start:
            break
        if file.seekable():
            file.seek(CHUNK_SIZE - start, io.SEEK_CUR)
        else:
            _read(file, CHUNK_SIZE - start)
    return False


def _disk(head: bytes) -> Kind | None:
    """Tell whether a file begins as a disk or a volume does: a boot sector of NTFS, or a table of partitions."""
    if head[510:512] != b"\x55\xaa" or len(head) < FILE_HEADER_SIZE:
        return None
    volume = head[3:11] in (b"NTFS    ", b"-FVE-FS-", b"EXFAT   ") or head[82:87] == b"FAT32"
    entries = [head[at : at + 16] for at in range(446, 510, 16)]
    table = any(entry[4] for entry in entries) and all(entry[0] in (0, 0x80) for entry in entries)
    return Kind.RAW if volume or table else None


def _no_log(head: bytes) -> str:
    if not head:
        return "empty file"
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer; fetch the file it stands for"
    return why_not(head) or "not an event log (neither a file header nor a chunk of the EVTX format)"


def _read(file: BinaryIO, size: int) -> bytes:
    parts: list[bytes] = []
    while size > 0 and (part := file.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
