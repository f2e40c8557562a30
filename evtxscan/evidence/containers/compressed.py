"""Files compressed as a whole: gzip, bzip2, xz, zstd. A tar in one is read as one container with it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Iterator
from typing import Any, BinaryIO

import zstandard

from evtxscan.evidence.containers import tars
from evtxscan.evidence.containers.limits import MAX_DICTIONARY
from evtxscan.evidence.containers.member import Member
from evtxscan.evidence.containers.reading import BUFFER, Replayed, full_read, steady
from evtxscan.evidence.containers.sequence import SequentialMember
from evtxscan.evidence.recognise import Kind, is_tar
from evtxscan.evidence.source import Opener

_INPUT = 1 << 16


def walk(container: Opener, kind: Kind) -> Iterator[tuple[Member, BinaryIO]]:
    """Yield the one file of a compressed file, or the files of the tar that it is. Raises OSError."""
    with container.stream() as packed:
        content = Replayed(decompressed(packed, kind))
        head = full_read(content, tars.BLOCK)  # type: ignore[arg-type]
        content.rewind()
        stream: BinaryIO = io.BufferedReader(content, BUFFER)
        if is_tar(head):
            yield from tars.walk_stream(stream, container, kind)
        else:
            yield Member("", SequentialMember(container, kind, 0, container.place)), stream


def decompressed(packed: BinaryIO, kind: Kind) -> io.BufferedReader:
    """Return what comes out of a compressed stream, of several joined ones too. Reading raises what damage causes."""
    if kind is Kind.GZIP:
        return steady(gzip.GzipFile(fileobj=packed))
    if kind is Kind.BZIP2:
        return steady(bz2.BZ2File(packed))
    if kind is Kind.ZSTD:
        decoder = zstandard.ZstdDecompressor(max_window_size=MAX_DICTIONARY)
        return steady(decoder.stream_reader(packed, read_size=_INPUT, read_across_frames=True, closefd=False))
    return steady(_Xz(packed))


class _Xz(io.RawIOBase):
    """lzma.LZMAFile would take whatever memory the file asks for."""

    def __init__(self, packed: BinaryIO) -> None:
        self._packed = packed
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, MAX_DICTIONARY)

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        """Fill ``buffer``, as far as there is something."""
        while True:
            if self._decoder.eof:
                rest = (self._decoder.unused_data + self._packed.read(_INPUT)).lstrip(b"\0")  # padding between streams
                if not rest:
                    return 0
                self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, MAX_DICTIONARY)
                data = self._decoder.decompress(rest, len(buffer))
            else:
                fresh = self._packed.read(_INPUT) if self._decoder.needs_input else b""
                if self._decoder.needs_input and not fresh:
                    raise EOFError
                data = self._decoder.decompress(fresh, len(buffer))
            if data:
                buffer[: len(data)] = data
                return len(data)
