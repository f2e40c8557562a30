"""Event logs on disk images, by dfVFS: image formats, partitions, file systems and shadow copies.

On a volume every file below ``winevt/Logs`` and every ``.evtx`` is looked at, and any other whose size is that of an
event log (a header of 4 KiB and chunks of 64 KiB); what it is decides its content. Archives on a volume are not opened:
a system disk has thousands.
"""

from __future__ import annotations

import io
import struct
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

from evtxscan.errors import EvidenceError
from evtxscan.evidence.containers.member import logical_name
from evtxscan.evidence.containers.reading import BUFFER, DamagedError, damaged
from evtxscan.evidence.discover import Found, Look, Skipped
from evtxscan.evidence.evtx_layout import CHUNK_SIZE, FILE_HEADER_SIZE
from evtxscan.evidence.recognise import FORMS, Kind, Nature, examine
from evtxscan.evidence.source import HEAD_SIZE, Opener, PlainFile, Source, unreadable, utc

_LOGS = "/winevt/logs/"
# Deeper than any path that Windows makes; a directory that holds itself ends here.
_MAX_DEPTH = 256
_KEPT = 4
# The first file header of EWF (libewf's format document): signature, then one byte, then the number of the file.
_EWF, _EWF_SEGMENT_AT = b"EVF\x09\x0d\x0a\xff\0", 9
# Path specifications whose location is a part of the logical path: partitions, logical volumes, shadow copies.
_VOLUMES = {"TSK_PARTITION", "GPT", "LVM", "APFS_CONTAINER", "CS", "VSHADOW"}


@dataclass(frozen=True, slots=True)
class ImageMember:
    """A file on a volume of ``image``; ``specification`` is dfVFS's path to it, as JSON."""

    image: Opener
    specification: str
    place: str
    is_direct = False
    is_sequential = False

    def stream(self) -> io.BufferedReader:
        """Open it on its volume."""
        return self.open()

    def open(self) -> io.BufferedReader:
        """Open it on its volume."""
        dfvfs = _Dfvfs.load()
        with dfvfs.explained():
            dfvfs.layer.known(self.image)
            specification = dfvfs.serializer.ReadSerialized(self.specification)
            _volume(dfvfs, specification)
            file = dfvfs.resolver.OpenFileObject(specification, resolver_context=_kept.context)
        if file is None:
            raise DamagedError("it is gone: the image has changed")
        return io.BufferedReader(_OnVolume(dfvfs, file), BUFFER)


class _Dfvfs:
    """The parts of dfVFS that are used, loaded when there is an image. It has no types."""

    _loaded: _Dfvfs | None = None

    def __init__(self) -> None:
        from dfvfs.helpers import volume_scanner  # noqa: PLC0415
        from dfvfs.resolver import context, resolver  # noqa: PLC0415
        from dfvfs.serializer.json_serializer import JsonPathSpecSerializer  # noqa: PLC0415

        from evtxscan.evidence.containers import image_layer  # noqa: PLC0415

        self.layer: Any = image_layer
        self.volume_scanner: Any = volume_scanner
        self.resolver: Any = resolver.Resolver
        self.context: Any = context.Context
        self.serializer: Any = JsonPathSpecSerializer

    @classmethod
    def load(cls) -> _Dfvfs:
        """Raises DamagedError, which says what to install, where there is no dfVFS."""
        if cls._loaded is None:
            try:
                cls._loaded = cls()
            except ImportError as error:
                raise DamagedError(
                    f"reading disk images needs dfVFS ({error}); install it with: pip install 'evtxscan[image]'"
                ) from error
        return cls._loaded

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what dfVFS and the libraries below it raise into a DamagedError."""
        try:
            yield
        except OSError:
            raise
        except Exception as error:  # native libraries on damaged evidence: what they raise has no bounds
            raise damaged(error) from error


class _Kept(threading.local):
    """What a thread has open: volumes are costly to open, and no two threads may share one."""

    def __init__(self) -> None:
        self.context: Any = None
        self.volumes: OrderedDict[str, Any] = OrderedDict()


_kept = _Kept()


def _volume(dfvfs: _Dfvfs, specification: Any) -> Any:  # noqa: ANN401 - dfVFS has no types
    """Open the file system that a path is on, or find it open; ``_kept.context`` is this thread's afterwards."""
    if _kept.context is None:
        _kept.context = dfvfs.context()
    key, volumes = specification.parent.comparable, _kept.volumes
    if key not in volumes:
        volumes[key] = dfvfs.resolver.OpenFileSystem(specification, resolver_context=_kept.context)
        while len(volumes) > _KEPT:
            volumes.popitem(last=False)
    volumes.move_to_end(key)
    return volumes[key]


class _OnVolume(io.RawIOBase):
    """A file object of dfVFS as one of Python."""

    def __init__(self, dfvfs: _Dfvfs, file: Any) -> None:  # noqa: ANN401 - dfVFS has no types
        self._dfvfs = dfvfs
        self._file = file
        self._at = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        """Fill ``buffer``, as far as there is something."""
        with self._dfvfs.explained():
            self._file.seek(self._at, io.SEEK_SET)
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset."""
        end = self._file.get_size() if whence == io.SEEK_END else 0
        self._at = max(0, {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: end}[whence] + offset)
        return self._at

    def tell(self) -> int:
        """Return the offset."""
        return self._at


class _Mediator:
    """What dfVFS asks while it scans an image. It unlocks nothing, and notes what it met."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def PrintWarning(self, warning: str) -> None:  # noqa: N802 - dfVFS's name
        """Note a complaint."""
        self.problems.append(warning)

    def UnlockEncryptedVolume(self, scanner: Any, context: Any, node: Any, credentials: Any) -> bool:  # noqa: ANN401, N802 - dfVFS's
        """Leave it locked, and say so."""
        kind = {"BDE": "BitLocker"}.get(node.type_indicator, node.type_indicator)
        where = _volume_name(node.path_spec) or "the volume"
        self.problems.append(f"{where} is encrypted ({kind}) and not read; decrypt it with another tool")
        return False


@dataclass(frozen=True, slots=True)
class Image:
    """An image to search: how to reach it, its logical name, and whether the examiner named it outright."""

    opener: Opener
    nature: Nature
    name: str
    argument: str
    named: bool


def files_of(image: Image) -> tuple[Path, ...]:
    """Return the files that an image which is a file of its own consists of; itself alone where dfVFS cannot say."""
    path, kind = Path(image.opener.place), image.nature.kind
    try:
        with _Dfvfs.load().explained():
            from evtxscan.evidence.containers import parts  # noqa: PLC0415 - needs dfVFS

            return (path,) if kind is None else parts.files_of(path, kind)
    except OSError:
        return (path,)


def search_image(image: Image, found: Found, look: Look) -> bool:
    """Add to ``found`` the event logs on all volumes of an image, and on their shadow copies; return whether any.

    ``look`` is told of each folder.
    """
    first = _first_segment(image)
    if first is not None:
        _note_segment(image, first, found)
        return False
    search = _Search(image, found, look)
    place, kind = image.opener.place, image.nature.kind
    try:
        dfvfs = _Dfvfs.load()
        with dfvfs.explained():
            volumes = search.scan(dfvfs)
    except OSError as error:
        found.errors.append(unreadable(place, error))
        return False
    before = len(found.sources), len(found.errors)
    for volume in volumes:
        search.walk(dfvfs, volume)
    _kept.volumes.clear()
    if (len(found.sources), len(found.errors)) == before:
        systems = "1 file system" if len(volumes) == 1 else f"{len(volumes):,} file systems"
        reason = f"{kind} without event logs ({search.files:,} files on {systems})"
        if not volumes:
            reason = f"{kind} without a file system that is read"
        if image.named or not volumes:
            found.errors.append(EvidenceError(f"{place}: {reason}"))
        else:
            found.skipped.append(Skipped(image.name, image.argument, reason))
    return len(found.sources) > before[0]


def _first_segment(image: Image) -> Path | None:
    """Return where the first file of an E01 set should be, for one of the others."""
    path, head = Path(image.opener.place), image.nature.head
    if image.nature.kind is not Kind.EWF or not head.startswith(_EWF):
        return None
    (number,) = struct.unpack_from("<H", head, _EWF_SEGMENT_AT)
    return path.with_suffix(f"{path.suffix[:2]}01") if number > 1 and len(path.suffix) == 4 else None


def _note_segment(image: Image, first: Path, found: Found) -> None:
    if not image.named and isinstance(image.opener, PlainFile) and first.exists():
        found.skipped.append(Skipped(image.name, image.argument, f"part of an image, read with {first.name}"))
    else:
        found.errors.append(EvidenceError(f"{image.opener.place}: part of an image; name its first file, {first.name}"))


@dataclass(slots=True)
class _Search:
    image: Image
    found: Found
    look: Look
    unread: list[str] = field(default_factory=list)
    files: int = 0

    def scan(self, dfvfs: _Dfvfs) -> list[Any]:
        """Return the roots of all file systems. What cannot be read of the image becomes an error."""
        mediator = _Mediator()
        options = dfvfs.volume_scanner.VolumeScannerOptions()
        options.scan_mode = options.SCAN_MODE_ALL
        options.partitions = options.volumes = options.snapshots = ["all"]
        scanner = dfvfs.layer.Scanner(mediator=mediator)
        roots = scanner.roots(dfvfs.layer.bottom(self.image.opener, self.image.nature.kind), options)
        for problem in mediator.problems:
            self.found.errors.append(EvidenceError(f"{self.image.opener.place}: {problem}"))
        return sorted(roots, key=_volume_name)

    def walk(self, dfvfs: _Dfvfs, root: Any) -> None:  # noqa: ANN401 - dfVFS has no types
        """Look at the files of one volume."""
        volume = _volume_name(root)
        place = "/".join(part for part in (self.image.opener.place, volume) if part)
        self.unread.clear()
        names: list[tuple[str, Any]] = []
        try:
            with dfvfs.explained():
                top = _volume(dfvfs, root).GetRootFileEntry()
            names += self._files(dfvfs, top, "/".join(part for part in (self.image.name, volume) if part))
        except OSError as error:
            self.found.errors.append(unreadable(place, error))
        for path, entry in sorted(names, key=itemgetter(0)):
            self._look(dfvfs, f"{volume}/{path}" if volume else path, entry)
        if self.unread:
            which = self.unread[0] if len(self.unread) == 1 else f"{len(self.unread):,} folders ({self.unread[0]} ...)"
            self.found.errors.append(
                EvidenceError(f"{place}: {which} cannot be listed to the end; files may be missing")
            )

    def _files(self, dfvfs: _Dfvfs, top: Any, volume: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - dfVFS has no types
        """Yield the files that may be logs, with their paths on the volume."""
        folders: list[tuple[str, Any, int]] = [("", top, 0)]
        while folders:
            base, folder, depth = folders.pop()
            self.look(f"{volume}/{base}")
            entries = folder.sub_file_entries
            while True:
                try:
                    with dfvfs.explained():
                        entry = next(entries, None)
                        if entry is None:
                            break
                        path = f"{base}{logical_name(entry.name)}"
                        if entry.IsLink():
                            continue
                        if entry.IsDirectory() and depth < _MAX_DEPTH:
                            folders.append((f"{path}/", entry, depth + 1))
                        elif entry.IsFile():
                            self.files += 1
                            if _may_be_log(path, entry.size or 0):
                                yield path, entry
                except OSError:
                    self.unread.append(base or "/")
                    break

    def _look(self, dfvfs: _Dfvfs, path: str, entry: Any) -> None:  # noqa: ANN401 - dfVFS has no types
        place = f"{self.image.opener.place}/{path}"
        name = f"{self.image.name}/{path}"
        try:
            with dfvfs.explained():
                opener = ImageMember(self.image.opener, dfvfs.serializer.WriteSerialized(entry.path_spec), place)
                modified = entry.modification_time
                seconds = modified.CopyToPosixTimestamp() if modified else None
                size = entry.size or 0
            with opener.stream() as stream:
                nature = examine(stream)
        except OSError as error:
            self.found.errors.append(unreadable(place, error))
            return
        if form := FORMS.get(nature.kind):
            written = "" if seconds is None else utc(seconds)
            head = nature.head[:HEAD_SIZE]
            self.found.sources.append(Source(name, self.image.argument, opener, size, written, head, form=form))
        elif _is_named_as_log(path):
            reason = nature.reason or f"not an event log but a {nature.kind}"
            self.found.skipped.append(Skipped(name, self.image.argument, reason))


def _may_be_log(path: str, size: int) -> bool:
    return _is_named_as_log(path) or (size > FILE_HEADER_SIZE and size % CHUNK_SIZE == FILE_HEADER_SIZE)


def _is_named_as_log(path: str) -> bool:
    lower = f"/{path}".lower()
    return lower.endswith((".evtx", ".ndjson")) or _LOGS in lower


def _volume_name(specification: Any) -> str:  # noqa: ANN401 - dfVFS has no types
    """Return the volumes that a path leads through as part of a logical path: ``p1``, ``p1/vss2``."""
    parts: list[str] = []
    while specification is not None:
        if specification.type_indicator in _VOLUMES and getattr(specification, "location", None):
            parts.append(str(specification.location).strip("/"))
        specification = getattr(specification, "parent", None)
    return "/".join(part for part in reversed(parts) if part)
