"""What dfVFS needs to open an image that is no file of its own: the bottom of its paths, over any opener.

Import it only where dfVFS is installed.
"""

from __future__ import annotations

import os
from typing import Any

from dfvfs.file_io import file_io
from dfvfs.helpers import volume_scanner
from dfvfs.path import factory, location_path_spec
from dfvfs.path.os_path_spec import OSPathSpec
from dfvfs.resolver_helpers import manager, resolver_helper

from evtxscan.evidence.containers.reading import DamagedError
from evtxscan.evidence.recognise import Kind
from evtxscan.evidence.source import Opener, PlainFile

_TYPE = "EVTXSCAN"
# Images that are one file, always; the others may have further parts beside them.
_ALONE = {Kind.VHD: "VHDI", Kind.VHDX: "VHDI", Kind.QCOW: "QCOW"}
# The openers that paths of this process lead to, by their place.
_openers: dict[str, Opener] = {}


def known(image: Opener) -> None:
    """Make paths that begin at ``image`` lead to it in this process."""
    _openers[image.place] = image


def bottom(image: Opener, kind: Kind) -> Any:  # noqa: ANN401 - dfVFS has no types
    """Return dfVFS's path to an image. Raises DamagedError for a kind that it opens as a file of its own only.

    Of a file of its own dfVFS finds the kind, and the further parts of a set.
    """
    if isinstance(image, PlainFile):
        return OSPathSpec(location=str(image.location))
    known(image)
    path = OpenerPathSpec(location=image.place)
    if kind is Kind.RAW:
        return path
    if kind not in _ALONE:
        raise DamagedError(
            f"{'an' if kind is Kind.EWF else 'a'} {kind} inside another container is not read; extract it and name it"
        )
    return factory.Factory.NewPathSpec(_ALONE[kind], parent=path)


class OpenerPathSpec(location_path_spec.LocationPathSpec):  # type: ignore[misc]
    """A path that begins at an opener; ``location`` is its place."""

    TYPE_INDICATOR = _TYPE


class OpenerFile(file_io.FileIO):  # type: ignore[misc]
    """What an opener gives, as a file object of dfVFS."""

    def __init__(self, resolver_context: Any, path_spec: Any) -> None:  # noqa: ANN401 - dfVFS has no types
        super().__init__(resolver_context, path_spec)
        self._file: Any = None
        self._size = 0

    def _Open(self, mode: str = "rb") -> None:  # noqa: N802 - dfVFS's name
        self._file = _openers[self._path_spec.location].open()
        self._size = self._file.seek(0, os.SEEK_END)
        self._file.seek(0)

    def _Close(self) -> None:  # noqa: N802 - dfVFS's name
        self._file.close()
        self._file = None

    def read(self, size: int | None = None) -> bytes:
        """Read up to ``size`` bytes from where it stands."""
        data: bytes = self._file.read(-1 if size is None else size)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> None:
        """Go to an offset."""
        self._file.seek(offset, whence)

    def get_offset(self) -> int:
        """Return the offset."""
        offset: int = self._file.tell()
        return offset

    def get_size(self) -> int:
        """Return the size in bytes."""
        return self._size


class _Helper(resolver_helper.ResolverHelper):  # type: ignore[misc]
    TYPE_INDICATOR = _TYPE

    def NewFileObject(self, resolver_context: Any, path_spec: Any) -> OpenerFile:  # noqa: ANN401, N802 - dfVFS's
        """Make the file object of a path."""
        return OpenerFile(resolver_context, path_spec)


class Scanner(volume_scanner.VolumeScanner):  # type: ignore[misc]
    """dfVFS's scanner, from any path and not only from a file of the system."""

    def roots(self, path: Any, options: Any) -> list[Any]:  # noqa: ANN401 - dfVFS has no types
        """Return the paths to the top folders of all file systems of an image."""
        found: list[Any] = self._GetBasePathSpecs(self._ScanSourcePathSpec(path), options)
        return [root for root in found if root.HasParent()]  # without: nothing was found in the file


factory.Factory.RegisterPathSpec(OpenerPathSpec)
manager.ResolverHelperManager.RegisterHelper(_Helper())
