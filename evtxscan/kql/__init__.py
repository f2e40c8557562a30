"""Kibana's query language (KQL, kuery): a second front end onto the conditions of ``evtxscan.eql``.

- ``parse``: text to syntax tree (``ast``).
- ``bind``, ``read_kql``: text to a checked condition; the latter with the field types of a case.
- ``run``: over documents in memory, with Elasticsearch's results.

Names are loaded when first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evtxscan.kql.binder import BoundKql, bind
    from evtxscan.kql.engine import run
    from evtxscan.kql.parser import parse
    from evtxscan.kql.read import read_kql

_HOMES = {"BoundKql": "binder", "bind": "binder", "parse": "parser", "read_kql": "read", "run": "engine"}

__all__ = ["BoundKql", "bind", "parse", "read_kql", "run"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return found
