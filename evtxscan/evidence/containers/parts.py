"""The files that a disk image consists of: an E01 set, a split raw image, the extents of a VMDK, the parents of a VHD.

Import it only where dfVFS is installed; it finds the files as dfVFS does when it opens the image.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyewf
import pyvhdi
import pyvmdk
from dfvfs.lib import raw_helper
from dfvfs.path import factory
from dfvfs.resolver import resolver

from evtxscan.evidence.recognise import Kind

# A differential image that names itself, or one that names it, as its parent ends here.
_MAX_PARENTS = 32


def files_of(image: Path, kind: Kind) -> tuple[Path, ...]:
    """Return the files of an image, the one that was named first, each once. Raises OSError."""
    found = dict.fromkeys([image, *_FINDERS.get(kind, _alone)(image)])
    return tuple(path for path in found if path.is_file())


def _alone(_: Path) -> Iterator[Path]:
    yield from ()


def _ewf(image: Path) -> Iterator[Path]:
    yield from (Path(name) for name in pyewf.glob(str(image)))


def _raw(image: Path) -> Iterator[Path]:
    system: Any = factory.Factory.NewPathSpec("OS", location=str(image))
    path = factory.Factory.NewPathSpec("RAW", parent=system)
    for part in raw_helper.RawGlobPathSpec(resolver.Resolver.OpenFileSystem(system), path):
        yield Path(part.location)


def _vmdk(image: Path) -> Iterator[Path]:
    handle = pyvmdk.handle()
    handle.open(str(image))
    try:
        for extent in handle.extent_descriptors:
            if extent.filename:
                yield image.with_name(_file_name(extent.filename))
    finally:
        handle.close()


def _vhd(image: Path) -> Iterator[Path]:
    for _ in range(_MAX_PARENTS):
        file = pyvhdi.file()
        file.open(str(image))
        parent = file.parent_filename
        file.close()
        if not parent:
            return
        image = image.with_name(_file_name(parent))
        if not image.is_file():
            return
        yield image


def _file_name(path: str) -> str:
    """Return the name of a file that an image names as the system did where it was made."""
    return path.replace("\\", "/").rpartition("/")[2]


_FINDERS = {Kind.EWF: _ewf, Kind.RAW: _raw, Kind.VMDK: _vmdk, Kind.VHD: _vhd, Kind.VHDX: _vhd}
