"""Finds the events that a rule cannot decide, and says why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping as Dict
from functools import cache

from evtxscan.detect.verdict import Missing, Reason
from evtxscan.ecs.documents import DOCUMENTS
from evtxscan.ecs.inferred import INFERRED
from evtxscan.ecs.kind import Kind
from evtxscan.ecs.mapping import Mapping, mappings
from evtxscan.eql.sql.compile import Compiled
from evtxscan.eql.sql.run import CaseQueries
from evtxscan.store.scripts import SCRIPT_TEXT

# Process starts are told by the log that has most to say of them.
_SYSMON = "sysmon/"
_LINEAGE_REASONS: dict[str, Reason] = {
    "parent_record_missing": "parent_record_missing",
    "command_line_not_audited": "command_line_not_audited",
}


def undecided(queries: CaseQueries, compiled: Compiled) -> dict[str, tuple[Missing, ...]]:
    """Return host (lower case) -> what was missing, over all events that do not match and might have.

    A process with a second witness that decides is decided; a kind without a category is no evidence of anything.
    """
    hosts = _host_names(queries, (lack.host for lack in compiled.scanned.lacks))
    totals: dict[str, Counter[tuple[str, Reason]]] = {}
    for lack, events in compiled.scanned.lacks.items():
        # Where nothing may be inferred, what lineage lacks is no reason.
        lineage = None if queries.scope.observed_only else lack.reason
        reason = reason_for(lack.field, queries.events.kinds[lack.kind], lineage, absent=lack.is_absent)
        totals.setdefault(hosts[lack.host], Counter())[lack.field, reason] += events
    return as_missing(totals)


def undecided_events(queries: CaseQueries, compiled: Compiled) -> Counter[str]:
    """Return host -> how many events are undecided; a start with two records is one."""
    hosts = _host_names(queries, compiled.scanned.undecided)
    counts: Counter[str] = Counter()
    for host, events in compiled.scanned.undecided.items():
        counts[hosts[host]] += events
    return counts


def _host_names(queries: CaseQueries, hosts: Iterable[int | None]) -> dict[int | None, str]:
    texts = queries.events.texts(host for host in hosts if host is not None)
    return {None: "", **{host: text.lower() for host, text in texts.items()}}


def as_missing(counts: Dict[str, Counter[tuple[str, Reason]]]) -> dict[str, tuple[Missing, ...]]:
    """Return host -> what was missing, in order of field and reason."""
    return {
        host: tuple(Missing(field, events, reason) for (field, reason), events in sorted(counter.items()))
        for host, counter in counts.items()
    }


def reason_for(field: str, kind: tuple[Kind, Mapping], lineage: str | None, *, absent: bool) -> Reason:
    """Return why an event of this kind lacks a field, or, where it has one (not ``absent``), why that says nothing."""
    if not absent:
        return "script_block_incomplete" if field == SCRIPT_TEXT else "shared_service_host"
    mapping = kind[1]
    if kind[0].is_document and mapping.id in DOCUMENTS:
        return "not_recorded"
    if mapping.id == "security/4688" and field in INFERRED:
        return _LINEAGE_REASONS.get(lineage or "", "no_sysmon")
    if mapping.id == "security/4688" and field in ("process.command_line", "process.args", "process.args_count"):
        return "command_line_not_audited"
    if field in mapping.fields or mapping.id.startswith(_SYSMON):
        return "not_recorded" if field in mapping.fields else "not_in_event_logs"
    categories = frozenset(kind[1].constants(kind[0]).get("event.category", ()))
    return "no_sysmon" if _known_to_sysmon(field, categories) else "not_in_event_logs"


@cache
def _known_to_sysmon(field: str, categories: frozenset[str]) -> bool:
    """Whether Sysmon records this field in events of one of these categories."""
    return any(
        field in other.fields
        for other in mappings().values()
        if other.id.startswith(_SYSMON) and categories & set(other.table.constants.get("event.category", ()))
    )
