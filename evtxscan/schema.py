"""The one accessor to the data files of the top-level ``schema/`` folder.

They lie beside the package in a source tree or an editable install, and inside it (``_schema``) in a wheel.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import orjson

_INSTALLED = Path(__file__).parent / "_schema"
_SOURCE_TREE = Path(__file__).parent.parent / "schema"
ROOT = _INSTALLED if _INSTALLED.is_dir() else _SOURCE_TREE


def path(name: str) -> Path:
    """Return the path of the schema file ``name`` (with ``/`` between folders).

    Raises FileNotFoundError when the installation lacks it.
    """
    found = ROOT.joinpath(*name.split("/"))
    if not found.exists():
        raise FileNotFoundError(f"evtxscan's installation lacks the data file schema/{name}")
    return found


def read_text(name: str) -> str:
    """Return the schema file ``name`` as text."""
    return path(name).read_text(encoding="utf-8")


@cache
def read_json(name: str) -> object:
    """Return the parsed JSON schema file ``name``; treat the result as read-only, it is shared."""
    return orjson.loads(path(name).read_bytes())


@cache
def digest(folder: str) -> str:
    """Return 16 hex digits that change whenever a file of ``folder`` does: the version of a set of tables."""
    total = hashlib.sha256()
    for name in names(folder, ""):
        content = path(name).read_bytes().replace(b"\r\n", b"\n")
        total.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return total.hexdigest()[:16]


def names(folder: str, suffix: str) -> list[str]:
    """Return the names below ``folder`` that end in ``suffix``, sorted."""
    return sorted(f"{folder}/{entry.name}" for entry in path(folder).iterdir() if entry.name.endswith(suffix))
