"""Elastic's Event Query Language: parser, checks, conditions as trees of tests, and a reference engine.

- ``parse``, ``parse_expression``: text to syntax tree (``ast``).
- ``bind``: syntax tree to checked conditions (``binder``, ``predicates``), which ``logic`` evaluates.
- ``run``, ``evaluate``: over documents in memory, with Elasticsearch's results.

Names are loaded when first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evtxscan.eql.binder import BoundEventQuery, BoundQuery, BoundSequenceQuery, bind
    from evtxscan.eql.engine import Sequence, evaluate, run
    from evtxscan.eql.mapping import FieldMapping
    from evtxscan.eql.parser import parse, parse_expression

_HOMES = {
    "BoundEventQuery": "binder",
    "BoundQuery": "binder",
    "BoundSequenceQuery": "binder",
    "FieldMapping": "mapping",
    "Sequence": "engine",
    "bind": "binder",
    "evaluate": "engine",
    "parse": "parser",
    "parse_expression": "parser",
    "run": "engine",
}

__all__ = [
    "BoundEventQuery",
    "BoundQuery",
    "BoundSequenceQuery",
    "FieldMapping",
    "Sequence",
    "bind",
    "evaluate",
    "parse",
    "parse_expression",
    "run",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return found
