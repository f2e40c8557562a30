"""Looking into a case: queries, one event, the case as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from evtxscan.casework.cases import Filters
from evtxscan.detect.documents import Documents
from evtxscan.detect.scripts import ScriptBlocks
from evtxscan.detect.surroundings import Surroundings
from evtxscan.errors import UsageError
from evtxscan.store.case import Case, explained
from evtxscan.store.describe import describe
from evtxscan.store.events import Events
from evtxscan.store.stale import STALE_STATES, stale_documents

if TYPE_CHECKING:
    from evtxscan.rules.unknown_fields import UnknownField

# Documents made at a time: enough to share look-ups, few enough to begin at once.
_DOCUMENTS_AT_ONCE = 200


def query(case: Case, text: str, filters: Filters) -> Iterator[dict[str, Any]]:
    """Yield what an EQL query finds: documents of events, or of sequences, in Elasticsearch's order.

    The document of a sequence has its events under ``evtxscan.events`` (None for a missing one) and the values that
    join them under ``evtxscan.join_keys``. Raises EqlError for a query that is not valid, UsageError, CaseError.
    """
    # ruff: noqa: PLC0415 - the other functions need no EQL
    from evtxscan.eql.binder import BoundSequenceQuery
    from evtxscan.eql.sql.run import CaseQueries, limited, read_query
    from evtxscan.eql.sql.sequences import compile_sequence, find_sequences

    scope = filters.scope()
    bound = read_query(text)
    events = Events(case)
    queries = CaseQueries(case, events, scope)
    documents = Documents(case, events, observed_only=scope.observed_only)
    if isinstance(bound, BoundSequenceQuery):
        found = find_sequences(queries, compile_sequence(queries, bound), once=False)
        yield from documents.of_sequences(limited(found, bound.pipes))
        return
    rows = iter(limited(queries.matches(queries.compile(bound)), bound.pipes))
    while group := list(islice(rows, _DOCUMENTS_AT_ONCE)):
        yield from documents.of(group)


def unknown_in_query(case: Case, text: str) -> tuple[UnknownField, ...]:
    """Return the fields of a query that neither ECS nor the case knows. Raises EqlError, CaseError."""
    from evtxscan.eql.sql.recorded import RecordedData
    from evtxscan.eql.sql.run import read_query
    from evtxscan.rules.unknown_fields import unknown_fields

    return unknown_fields(read_query(text).fields, text, RecordedData(case))


def info(case: Case) -> dict[str, Any]:
    """Return the description of a case: label, sources, hosts, counts, losses, findings, runs. Raises CaseError."""
    return describe(case)


def coverage(case: Case, hosts: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return what the logs of a case cover, a document for each host, or for those named alone.

    Raises UsageError for a host that the case does not have, CaseError.
    """
    from evtxscan.context.coverage.documents import coverage_documents
    from evtxscan.context.coverage.read import read_coverage
    from evtxscan.detect.keep import kept_windows

    found = read_coverage(case, hosts)
    names = {name for host in found for name in (host.host, host.host.split(".")[0])}
    if unknown := [host for host in hosts if host.lower() not in names]:
        raise UsageError(f"{', '.join(unknown)}: no such host in {case.path}; evtxscan info lists them")
    documents = coverage_documents(found, Events(case))
    with explained(case.path):
        return [
            {**document, "windows": kept_windows(case, host.host)}
            for document, host in zip(documents, found, strict=True)
        ]


def stale(case: Case, *, everything: bool = False) -> Iterator[dict[str, Any]]:
    """Yield stale records that are no events of the case: place, header, why, strings; ``everything``: all of them.

    Raises CaseError.
    """
    return stale_documents(case, STALE_STATES if everything else ("unnamed", "refused"))


def show(case: Case, event_id: str) -> dict[str, Any]:
    """Return one event with everything around it: parents, children, session, raw XML.

    Raises UsageError for an id that the case does not have, CaseError.
    """
    events = Events(case)
    documents = Documents(case, events, observed_only=False)
    told = documents.told([events.find(event_id)])[0]
    around = Surroundings(case, events)
    blocks = ScriptBlocks(case.db)
    ours = {**told.ours, **around.process(told.event), **around.children(told.event)}
    for part in blocks.parts([told.event.row]).values():
        ours["script_block"] = blocks.whole(part, lambda row: documents.event_ids([row])[0])
    ours |= documents.raw(told.event)
    return replace(told, ours=ours).document()
