"""What can be done with a case: one public function for each command of the command line.

- ``ingest_evidence``: evidence to a case.
- ``carve_evidence``, ``list_carved``: what is left of logs in other files.
- ``settled``, ``logged``: open a case for the functions below, and enter what is done into its log.
- ``detect``, ``query``, ``show``, ``stale`` (slack), ``info``, ``coverage``, ``verify``, ``manifest``,
  ``check_manifest``: what the commands of these names do.
- ``unknown_in_query``: the fields of a query that nobody knows.
- ``rules``, ``rule``: the rules of a set and their states, with what a case can decide; one of them.

Names are loaded when first used: a command pays for its own imports only.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evtxscan.casework.carving import carve_evidence, list_carved
    from evtxscan.casework.cases import Filters, logged, settled
    from evtxscan.casework.detecting import detect
    from evtxscan.casework.ingesting import Label, categories, ingest_evidence
    from evtxscan.casework.looking import coverage, info, query, show, stale, unknown_in_query
    from evtxscan.casework.proving import check_manifest, manifest, verify
    from evtxscan.casework.ruling import rule, rules

_HOMES = {
    "Filters": "cases",
    "Label": "ingesting",
    "carve_evidence": "carving",
    "categories": "ingesting",
    "check_manifest": "proving",
    "coverage": "looking",
    "detect": "detecting",
    "info": "looking",
    "ingest_evidence": "ingesting",
    "list_carved": "carving",
    "logged": "cases",
    "manifest": "proving",
    "query": "looking",
    "rule": "ruling",
    "rules": "ruling",
    "settled": "cases",
    "show": "looking",
    "stale": "looking",
    "unknown_in_query": "looking",
    "verify": "proving",
}

__all__ = [
    "Filters",
    "Label",
    "carve_evidence",
    "categories",
    "check_manifest",
    "coverage",
    "detect",
    "info",
    "ingest_evidence",
    "list_carved",
    "logged",
    "manifest",
    "query",
    "rule",
    "rules",
    "settled",
    "show",
    "stale",
    "unknown_in_query",
    "verify",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return found
