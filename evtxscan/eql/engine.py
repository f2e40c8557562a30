"""Runs queries and expressions over documents in memory: the reference against which every faster path is tested."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from evtxscan.eql.addresses import parse_address
from evtxscan.eql.ast import Pipe, Query, Scalar
from evtxscan.eql.binder import (
    DEFAULT_CATEGORY_FIELD,
    BoundEventQuery,
    BoundSequenceQuery,
    BoundTerm,
    JoinKey,
    bind,
    bind_condition,
)
from evtxscan.eql.dates import iso_text, milliseconds
from evtxscan.eql.documents import Document, reader
from evtxscan.eql.logic import matches, truth_of
from evtxscan.eql.mapping import NUMERIC, FieldMapping, Type
from evtxscan.eql.operands import Operand, OperandBinder
from evtxscan.eql.parser import parse, parse_expression
from evtxscan.eql.predicates import Values
from evtxscan.eql.scalars import as_number, as_text
from evtxscan.eql.sequences import Hit, MissingStage, Run, SequenceMatcher, without_missing

Lookup = Callable[[str], Values]
Result = Scalar | list[Scalar | None] | None
JoinValue = tuple[str, Scalar | None]
"""A join value with its kind, so that true, 1 and "1" differ."""


@dataclass(frozen=True, slots=True)
class Sequence:
    """Events that form a sequence, None in the place of a missing one, and the values of the join keys."""

    events: tuple[Document | None, ...]
    join_keys: tuple[Scalar | None, ...]


@dataclass(frozen=True, slots=True)
class _Event:
    """A document with the lookup of its fields and its time in milliseconds (None if it has none)."""

    document: Document
    lookup: Lookup
    time: int | None


def run(
    query: Query | str,
    documents: Iterable[Document],
    *,
    category_field: str = DEFAULT_CATEGORY_FIELD,
    timestamp_field: str = "@timestamp",
    tiebreaker_field: str | None = None,
    mapping: FieldMapping | Mapping[str, Any] | None = None,
    size: int | None = None,
) -> list[Document] | list[Sequence]:
    """Return what a query finds in ``documents``, in Elasticsearch's order; raise EqlError.

    Documents are dictionaries, nested or with dotted keys. They are ordered by timestamp (whole milliseconds), then
    tiebreaker (null last), then the order given. An event query gives documents, a sequence query ``Sequence`` objects
    ordered by last event. ``mapping`` is anything that ``FieldMapping.of`` takes. ``size`` keeps the most recent
    results (Elasticsearch's default is 10; here all). An event without timestamp is part of no sequence.
    """
    known = FieldMapping.of(mapping).with_default(timestamp_field, Type.DATE)
    bound = bind(parse(query) if isinstance(query, str) else query, known, category_field=category_field)
    events = _in_order(documents, bound.mapping, timestamp_field, tiebreaker_field)
    if isinstance(bound, BoundEventQuery):
        predicate = bound.event.predicate
        found = [event.document for event in events if matches(predicate, truth_of(event.lookup))]
        return _limit(found, bound.pipes, size)
    return _limit(_sequences(bound, events), bound.pipes, size)


def evaluate(
    expression: str, document: Document | None = None, *, mapping: FieldMapping | Mapping[str, Any] | None = None
) -> Result:
    """Return the value of one expression, None for null; raise EqlError.

    With constants alone, the three-valued result of folding. A condition on fields of ``document`` gives true or false,
    as a query would; any other expression the value computed from the fields, or a list with one value for each
    combination if fields have several.
    """
    known = FieldMapping.of(mapping)
    expr = parse_expression(expression)
    operand = OperandBinder(expression, known).operand(expr)
    if operand.is_constant:
        return operand.value
    lookup = reader(document or {}, known)
    if operand.type is Type.BOOLEAN:
        return matches(bind_condition(expr, expression, known), truth_of(lookup))
    return _values(operand, lookup)


def _values(operand: Operand, lookup: Lookup) -> Result:
    rows = [
        dict(zip(operand.fields, choice, strict=True))
        for choice in product(*(lookup(path) or (None,) for path in operand.fields))
    ]
    values: list[Scalar | None] = []
    for row in rows:
        try:
            values.append(operand.compute(row))
        except (ValueError, ArithmeticError):
            values.append(None)
    return values[0] if len(values) == 1 else values


def _in_order(
    documents: Iterable[Document], mapping: FieldMapping, timestamp_field: str, tiebreaker_field: str | None
) -> list[_Event]:
    keyed = []
    for document in documents:
        lookup = reader(document, mapping)
        times = [time for value in lookup(timestamp_field) if (time := milliseconds(value)) is not None]
        event = _Event(document, lookup, min(times, default=None))
        ties = lookup(tiebreaker_field) if tiebreaker_field else ()
        keyed.append((event.time is None, event.time or 0, _rank(ties[0] if ties else None), event))
    keyed.sort(key=lambda entry: entry[:3])
    return [event for *_, event in keyed]


def _rank(value: Scalar | None) -> tuple[int, int | float, str]:
    """Return a sort key over values of any type: numbers, then texts, null last."""
    if value is None:
        return (2, 0, "")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (0, value, "")
    return (1, 0, as_text(value))


def _limit(found: list[Any], pipes: tuple[Pipe, ...], size: int | None) -> list[Any]:
    for pipe in pipes:
        found = found[: pipe.count] if pipe.name == "head" else _last(found, pipe.count)
    return found if size is None else _last(found, size)


def _last(found: list[Any], count: int) -> list[Any]:
    return found[-count:] if count else []


def _sequences(bound: BoundSequenceQuery, events: list[_Event]) -> list[Sequence]:
    positive = [term for term in bound.terms for _ in range(term.runs) if not term.missing]
    matcher: SequenceMatcher[_Event] = SequenceMatcher(len(positive), bound.maxspan)
    missing = _missing_stages(bound.terms)
    for order, event in enumerate(events):
        if event.time is None:
            continue
        served: list[tuple[int, list[tuple[JoinValue, ...]]]] = []
        keys_of = _KeysOfTerms(event)
        for stage, term in enumerate(positive):
            if keys := keys_of(term):
                served.append((stage, keys))
        matcher.feed(Hit(event.time, order, event), served, keys_of(bound.until) if bound.until else ())
        for forbidden, term in missing:
            forbidden.feed(event.time, keys_of(term))
    runs = matcher.complete
    if missing and bound.maxspan is not None:
        runs = without_missing(runs, [stage for stage, _ in missing], bound.maxspan)
    ordered = sorted(runs, key=lambda found: (found.hits[-1].order, [key_rank(value) for value in found.key]))
    return [_sequence(bound, found) for found in ordered]


class _KeysOfTerms:
    """The join keys with which one event matches a term, none if it does not; worked out once per term."""

    def __init__(self, event: _Event) -> None:
        self._event = event
        self._truth = truth_of(event.lookup)
        self._known: dict[int, list[tuple[JoinValue, ...]]] = {}

    def __call__(self, term: BoundTerm) -> list[tuple[JoinValue, ...]]:
        keys = self._known.get(id(term))
        if keys is None:
            keys = self._known[id(term)] = self._work_out(term)
        return keys

    def _work_out(self, term: BoundTerm) -> list[tuple[JoinValue, ...]]:
        if not matches(term.event.predicate, self._truth):
            return []
        return list(product(*(join_values(key, self._event.lookup) for key in term.keys)))


def join_values(key: JoinKey, lookup: Lookup) -> list[JoinValue]:
    """Return the values with which a document takes part in a join: each once; null only for an optional key."""
    values = [_join_value(key.type, value) for value in lookup(key.path)] if key.mapped else []
    if not values and key.optional:
        return [("null", None)]
    return list(dict.fromkeys(values))


def _join_value(kind: Type, value: Scalar) -> JoinValue:
    """Return a value in the form in which its type compares."""
    if kind is Type.DATE:
        instant = milliseconds(value)
        return ("text", as_text(value) if instant is None else iso_text(instant))
    if kind is Type.IP:
        return ("text", str(parse_address(as_text(value)) or value))
    if kind in (Type.KEYWORD, Type.VERSION):
        return ("text", as_text(value))
    if kind in NUMERIC:
        value = as_number(value) or value
    if isinstance(value, bool):
        return ("boolean", value)
    return ("text", value) if isinstance(value, str) else ("number", value)


def key_rank(value: JoinValue) -> tuple[int, int | float, str]:
    return (-1, 0, "") if value[1] is None else _rank(value[1])


def _missing_stages(terms: tuple[BoundTerm, ...]) -> list[tuple[MissingStage, BoundTerm]]:
    stages, position = [], 0
    for term in terms:
        if term.missing:
            stages.append((MissingStage(position), term))
        else:
            position += term.runs
    return stages


def _sequence(bound: BoundSequenceQuery, found: Run[_Event]) -> Sequence:
    hits = iter(found.hits)
    events: list[Document | None] = []
    for term in bound.terms:
        events.extend(None if term.missing else next(hits).event.document for _ in range(term.runs))
    return Sequence(tuple(events), tuple(value for _, value in found.key))
