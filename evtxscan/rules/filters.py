"""Reads a rule's ``filters``: Elasticsearch's Query DSL, as Kibana keeps it beside a query.

Every filter narrows the query down; one with ``meta.negate`` by what it does not match, and one with ``meta.disabled``
not at all. Of the DSL, what a rule can sensibly ask of an event is read (the keys of ``_READERS``); everything else is
refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evtxscan.eql.mapping import FieldMapping, Type
from evtxscan.eql.predicates import Constant, Predicate, all_of, any_of, negated
from evtxscan.eql.scalars import as_text
from evtxscan.kql.leaves import LeafMaker, Written
from evtxscan.kql.wildcards import Pattern, Wild, read_dsl_pattern
from evtxscan.rules.rows import MalformedError

_MATCHES_NOTHING_ELSE = frozenset({"boost", "_name"})
_ORDER = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def read_filters(filters: Sequence[Mapping[str, Any]], mapping: FieldMapping) -> list[Predicate]:
    """Return the condition of every filter that is not disabled, in order.

    Raises MalformedError that says which filter (from 1) cannot be read, and why.
    """
    found: list[Predicate] = []
    for number, entry in enumerate(filters, 1):
        try:
            condition = _filter(entry, LeafMaker(mapping))
        except ValueError as error:
            raise MalformedError(f"filter {number}: {error}") from None
        if condition is not None:
            found.append(condition)
    return found


def _filter(entry: Mapping[str, Any], make: LeafMaker) -> Predicate | None:
    meta = entry.get("meta", {})
    if not isinstance(meta, Mapping):
        raise MalformedError("meta has to be a table")
    if meta.get("disabled"):
        return None
    if "query" not in entry:
        raise MalformedError(f"it has no query; {', '.join(sorted(entry)) or 'nothing'} is not supported")
    condition = _query(entry["query"], make)
    return negated(condition) if meta.get("negate") else condition


def _query(query: object, make: LeafMaker) -> Predicate:
    if not isinstance(query, Mapping) or len(query) != 1:
        raise MalformedError("a query has to be a table with one entry, the kind of query")
    kind, spec = next(iter(query.items()))
    if kind not in _READERS:
        raise MalformedError(f"query {kind} is not supported; supported are {', '.join(sorted(_READERS))}")
    return _READERS[kind](spec, make)


def _one_field(kind: str, spec: object, names: Sequence[str]) -> tuple[str, Any, dict[str, Any]]:
    """Return field, value and other options of ``{field: value}`` or ``{field: {one of names: value, ...}}``."""
    if not isinstance(spec, Mapping) or len(spec) != 1:
        raise MalformedError(f"{kind} has to name one field")
    field, content = next(iter(spec.items()))
    if not isinstance(content, Mapping):
        return field, content, {}
    options = {key: value for key, value in content.items() if key not in _MATCHES_NOTHING_ELSE}
    name = next((name for name in names if name in options), None)
    if name is None:
        raise MalformedError(f"{kind} on {field} has no {names[0]}")
    return field, options.pop(name), options


def _insensitive(kind: str, options: dict[str, Any]) -> bool:
    insensitive = bool(options.pop("case_insensitive", False))
    _no_more(kind, options)
    return insensitive


def _no_more(kind: str, options: Mapping[str, Any]) -> None:
    if options:
        raise MalformedError(f"option {sorted(options)[0]} of {kind} is not supported")


def _text(kind: str, value: object) -> str:
    if not isinstance(value, str | int | float):
        raise MalformedError(f"{kind} needs a text, a number or a boolean, not {value!r}")
    return as_text(value)


def _written(field: str, text: str) -> Written:
    return Written(0, 0, f"{field}:{text}")


def _wildcard(spec: object, make: LeafMaker) -> Predicate:
    field, value, options = _one_field("wildcard", spec, ("value", "wildcard"))
    options.pop("rewrite", None)
    insensitive = _insensitive("wildcard", options)
    text = _text("wildcard", value)
    return make.pattern(_written(field, text), field, [read_dsl_pattern(text)], insensitive=insensitive)


def _prefix(spec: object, make: LeafMaker) -> Predicate:
    field, value, options = _one_field("prefix", spec, ("value",))
    options.pop("rewrite", None)
    insensitive = _insensitive("prefix", options)
    text = _text("prefix", value)
    pattern = Pattern((text, Wild.ANY) if text else (Wild.ANY,))
    return make.pattern(_written(field, f"{text}*"), field, [pattern], insensitive=insensitive)


def _term(spec: object, make: LeafMaker) -> Predicate:
    field, value, options = _one_field("term", spec, ("value",))
    return _terms_of(make, "term", field, [value], insensitive=_insensitive("term", options))


def _terms(spec: object, make: LeafMaker) -> Predicate:
    if not isinstance(spec, Mapping):
        raise MalformedError("terms has to be a table")
    lists = {key: value for key, value in spec.items() if key not in _MATCHES_NOTHING_ELSE}
    if len(lists) != 1 or not isinstance(values := next(iter(lists.values())), list):
        raise MalformedError("terms has to name one field and a list of values")
    return _terms_of(make, "terms", next(iter(lists)), values)


def _terms_of(
    make: LeafMaker, kind: str, field: str, values: Sequence[object], *, insensitive: bool = False
) -> Predicate:
    if make.type_of(field) is Type.TEXT:
        raise MalformedError(f"{kind} on {field}: the field is text, use match or match_phrase")
    texts = [_text(kind, value) for value in values]
    if not texts:
        return Constant(False)
    return make.equal(_written(field, " or ".join(texts)), field, texts, insensitive=insensitive)


def _match(spec: object, make: LeafMaker) -> Predicate:
    field, value, options = _one_field("match", spec, ("query",))
    _no_more("match", options)
    text = _text("match", value)
    return make.equal(_written(field, text), field, [text])


def _match_phrase(spec: object, make: LeafMaker) -> Predicate:
    field, value, options = _one_field("match_phrase", spec, ("query",))
    _no_more("match_phrase", options)
    text = _text("match_phrase", value)
    return make.phrase(_written(field, f'"{text}"'), field, [text])


def _exists(spec: object, make: LeafMaker) -> Predicate:
    field = spec.get("field") if isinstance(spec, Mapping) else None
    if not isinstance(field, str):
        raise MalformedError("exists has to name a field")
    return make.exists(_written(field, "*"), field)


def _range(spec: object, make: LeafMaker) -> Predicate:
    if not isinstance(spec, Mapping) or len(spec) != 1:
        raise MalformedError("range has to name one field")
    field, bounds = next(iter(spec.items()))
    if not isinstance(bounds, Mapping) or not set(bounds) & set(_ORDER):
        raise MalformedError(f"range on {field} has none of {', '.join(_ORDER)}")
    _no_more("range", {key: value for key, value in bounds.items() if key not in {*_ORDER, *_MATCHES_NOTHING_ELSE}})
    return all_of(
        make.order(Written(0, 0, f"{field} {_ORDER[key]} {value}"), field, _ORDER[key], _text("range", value))
        for key, value in bounds.items()
        if key in _ORDER
    )


def _bool(spec: object, make: LeafMaker) -> Predicate:
    if not isinstance(spec, Mapping):
        raise MalformedError("bool has to be a table")
    parts = {key: value for key, value in spec.items() if key not in _MATCHES_NOTHING_ELSE}
    lists = {name: [_query(item, make) for item in _items(parts.pop(name, []))] for name in _BOOL}
    least = parts.pop("minimum_should_match", None)
    _no_more("bool", parts)
    if least not in (None, 0, 1, "0", "1"):
        raise MalformedError("minimum_should_match of bool has to be 0 or 1")
    found = [*lists["must"], *lists["filter"], *map(negated, lists["must_not"])]
    # Where other clauses decide, should only ranks; alone, one of it has to hold.
    optional = bool(lists["must"] or lists["filter"]) if least is None else int(least) == 0
    if lists["should"] and not optional:
        found.append(any_of(lists["should"]))
    return all_of(found)


_BOOL = ("must", "filter", "should", "must_not")


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else [value]


def _match_all(_: object, __: LeafMaker) -> Predicate:
    return Constant(True)


def _match_none(_: object, __: LeafMaker) -> Predicate:
    return Constant(False)


_READERS: dict[str, Callable[[object, LeafMaker], Predicate]] = {
    "bool": _bool,
    "exists": _exists,
    "match": _match,
    "match_all": _match_all,
    "match_none": _match_none,
    "match_phrase": _match_phrase,
    "prefix": _prefix,
    "range": _range,
    "term": _term,
    "terms": _terms,
    "wildcard": _wildcard,
}
