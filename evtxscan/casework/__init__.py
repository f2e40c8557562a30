"""What can be done with a case: one public function for each command of the command line.

- ``ingest_evidence``: evidence to a case.
- ``settled``, ``logged``: open a case for the functions below, and enter what is done into its log.
- ``detect``, ``query``, ``show``, ``info``: what the commands of these names do.
- ``unknown_in_query``: the fields of a query that nobody knows.
- ``rules``, ``rule``: the rules of a set and their states, with what a case can decide; one of them.

Names are loaded when first used: a command pays for its own imports only.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evtxscan.casework.cases import Filters, logged, settled
    from evtxscan.casework.detecting import detect
    from evtxscan.casework.ingesting import Label, categories, ingest_evidence
    from evtxscan.casework.looking import info, query, show, unknown_in_query
    from evtxscan.casework.ruling import rule, rules

_HOMES = {
    "Filters": "cases",
    "Label": "ingesting",
    "categories": "ingesting",
    "detect": "detecting",
    "info": "looking",
    "ingest_evidence": "ingesting",
    "logged": "cases",
    "query": "looking",
    "rule": "ruling",
    "rules": "ruling",
    "settled": "cases",
    "show": "looking",
    "unknown_in_query": "looking",
}

__all__ = [
    "Filters",
    "Label",
    "categories",
    "detect",
    "info",
    "ingest_evidence",
    "logged",
    "query",
    "rule",
    "rules",
    "settled",
    "show",
    "unknown_in_query",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return found
