"""Turns the syntax tree of a query into checked conditions: types, folding, and one tree of tests per event.

A test of one field against constants becomes a leaf of its own kind, with the semantics of Lucene's queries (case is
ignored for A to Z only). Everything else that is not and, or, not becomes a script leaf over the values of its fields.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from evtxscan.eql.ast import (
    And,
    Call,
    Compare,
    EventFilter,
    EventQuery,
    Expr,
    Field,
    Literal,
    Match,
    Membership,
    Not,
    Or,
    Pipe,
    Query,
    Scalar,
    SequenceQuery,
    Term,
)
from evtxscan.eql.mapping import FieldMapping, Type
from evtxscan.eql.matchers import equal_to, exists, in_networks, in_order
from evtxscan.eql.operands import Operand, OperandBinder
from evtxscan.eql.patterns import glob_set, has_wildcard
from evtxscan.eql.predicates import Constant, Leaf, LeafKind, Predicate, all_of, any_of, negated
from evtxscan.eql.regexp import regexp
from evtxscan.eql.scalars import as_text, fold_ascii

DEFAULT_CATEGORY_FIELD = "event.category"


@dataclass(frozen=True, slots=True)
class BoundEvent:
    """One ``category where condition``: the test of the category (None for ``any``) and the condition as trees."""

    category: str | None
    category_test: Leaf | None
    condition: Predicate

    @property
    def predicate(self) -> Predicate:
        """Return the whole test of an event, the category first."""
        return all_of([self.category_test, self.condition]) if self.category_test else self.condition


@dataclass(frozen=True, slots=True)
class JoinKey:
    """A field that events of a sequence share. An optional key may be null; ``mapped`` is False if it always is."""

    path: str
    optional: bool
    mapped: bool
    type: Type


@dataclass(frozen=True, slots=True)
class BoundTerm:
    """One event of a sequence, with all its join keys: those of the sequence first, then its own."""

    event: BoundEvent
    keys: tuple[JoinKey, ...]
    missing: bool
    runs: int


@dataclass(frozen=True, slots=True)
class BoundEventQuery:
    """A checked query for single events. ``fields`` are all that it names, in order, the category's first."""

    query: EventQuery
    mapping: FieldMapping
    event: BoundEvent
    pipes: tuple[Pipe, ...]
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BoundSequenceQuery:
    """A checked query for sequences; ``maxspan`` in milliseconds."""

    query: SequenceQuery
    mapping: FieldMapping
    terms: tuple[BoundTerm, ...]
    until: BoundTerm | None
    maxspan: int | None
    pipes: tuple[Pipe, ...]
    fields: tuple[str, ...]


BoundQuery = BoundEventQuery | BoundSequenceQuery


def bind(
    query: Query,
    mapping: FieldMapping | Mapping[str, Any] | None = None,
    *,
    category_field: str = DEFAULT_CATEGORY_FIELD,
) -> BoundQuery:
    """Check a query against a mapping (default: every field exists, of unknown type) and fold what is constant.

    Raises EqlError, with the place, for an unknown function or field, wrong arguments, a comparison of fields with each
    other, and everything else that can never be right.
    """
    known = FieldMapping.of(mapping).with_field(category_field)
    binder = _Binder(query.source, known, category_field)
    if isinstance(query, EventQuery):
        event = binder.event(query.event)
        return BoundEventQuery(query, known, event, query.pipes, tuple(binder.met))
    terms = tuple(binder.term(term, query.keys) for term in query.terms)
    until = binder.term(query.until, query.keys) if query.until else None
    return BoundSequenceQuery(query, known, terms, until, query.maxspan, query.pipes, tuple(binder.met))


def bind_condition(expr: Expr, text: str, mapping: FieldMapping | Mapping[str, Any] | None = None) -> Predicate:
    """Check one expression, parsed from ``text``, that is to be true or false of an event."""
    return _Binder(text, FieldMapping.of(mapping), DEFAULT_CATEGORY_FIELD).condition(expr)


class _Binder(OperandBinder):
    def __init__(self, text: str, mapping: FieldMapping, category_field: str) -> None:
        super().__init__(text, mapping)
        self._category_field = category_field

    def event(self, event: EventFilter) -> BoundEvent:
        test = None
        if event.category is not None:
            field = Field(event.start, event.category_end, self._category_field)
            constant = Literal(event.start, event.category_end, event.category)
            expr = Compare(event.start, event.category_end, "==", field, constant)
            test = replace(
                self._equal(expr, field, (event.category,)), source=f'{self._category_field} == "{event.category}"'
            )
        return BoundEvent(event.category, test, self.condition(event.condition))

    def term(self, term: Term, shared: tuple[Field, ...]) -> BoundTerm:
        keys = tuple(self._key(field) for field in (*shared, *term.keys))
        return BoundTerm(self.event(term.event), keys, term.missing, term.runs)

    def _key(self, field: Field) -> JoinKey:
        kind = self.resolve(field)
        return JoinKey(field.path, field.optional, kind is not Type.NULL, kind)

    def condition(self, expr: Expr) -> Predicate:
        """Return the tree of tests for an expression that must be true or false."""
        if isinstance(expr, And):
            return all_of(list(map(self.condition, expr.items)))
        if isinstance(expr, Or):
            return any_of(list(map(self.condition, expr.items)))
        if isinstance(expr, Not):
            return negated(self.condition(expr.item))
        if isinstance(expr, Field):
            return self._bare_field(expr)
        if isinstance(expr, Compare):
            return self._comparison(expr)
        if isinstance(expr, Match) and isinstance(expr.value, Field):
            return self._field_match(expr, expr.value)
        if isinstance(expr, Membership) and isinstance(expr.value, Field):
            return self._field_membership(expr, expr.value)
        if isinstance(expr, Call) and expr.args and isinstance(expr.args[0], Field):
            return self._field_call(expr, expr.args[0])
        return self._script(expr)

    def _script(self, expr: Expr) -> Predicate:
        operand = self.boolean(expr)
        return self._script_leaf(expr, operand)

    def _script_leaf(self, expr: Expr, operand: Operand) -> Predicate:
        if operand.is_constant:
            if not isinstance(operand.value, bool | None):
                raise self.error(expr, f"expected a condition; {self.written(expr)} is not true or false")
            return Constant(operand.value)
        return self._leaf(LeafKind.SCRIPT, expr, operand.fields, _safely(operand))

    def _leaf(
        self,
        kind: LeafKind,
        expr: Expr,
        fields: tuple[str, ...],
        holds: Callable[..., bool],
        *,
        constants: tuple[Scalar, ...] = (),
        operator: str = "",
        insensitive: bool = False,
        many: Callable[[Iterable[str]], list[bool]] | None = None,
        literals: tuple[str, ...] = (),
    ) -> Leaf:
        types = tuple(map(self.mapping.type_of, fields))
        source = self.text[expr.start : expr.end]
        return Leaf(kind, fields, types, expr, source, holds, constants, operator, insensitive, many, literals)

    def _bare_field(self, field: Field) -> Predicate:
        kind = self.resolve(field)
        if kind is Type.NULL:
            return Constant(None)
        if kind not in (Type.BOOLEAN, Type.UNKNOWN):
            raise self.error(field, f"expected a condition; {field.path} is {kind}, not true or false")
        return self._equal(field, field, (True,))

    def _comparison(self, expr: Compare) -> Predicate:
        """Bind a comparison; ``!=`` is a Not around ``==``, so that it holds where the field is missing."""
        if expr.op == "!=":
            return negated(self._comparison(Compare(expr.start, expr.end, "==", expr.left, expr.right)))
        left, operator, right = self.sides(expr)
        field, value = left.expr, right.value
        if left.is_constant or value is None:
            return self._null_or_constant(expr, left, right)
        if isinstance(field, Field):
            if operator == "==":
                return self._equal(expr, field, (value,))
            holds = self._reading(expr, lambda: in_order(left.type, operator, value))
            return self._leaf(LeafKind.ORDER, expr, left.fields, holds, constants=(value,), operator=operator)
        if operator == "==" and left.type is Type.BOOLEAN and isinstance(right.value, bool):
            condition = self.condition(left.expr)
            return condition if right.value else negated(condition)
        return self._script_leaf(expr, self.operand(expr))

    def _null_or_constant(self, expr: Compare, left: Operand, right: Operand) -> Predicate:
        if right.is_null and expr.op == "==" and isinstance(left.expr, Field) and not left.is_constant:
            return negated(self._leaf(LeafKind.EXISTS, expr, left.fields, exists))
        return self._script_leaf(expr, self.operand(expr))

    def _reading(self, expr: Expr, make: Callable[[], Callable[..., bool]]) -> Callable[..., bool]:
        """Make a test whose constants are read by the field's type; ValueError becomes an error at ``expr``."""
        try:
            return make()
        except ValueError as error:
            raise self.error(expr, f"{self.written(expr)}: {error}") from None

    def _equal(self, expr: Expr, field: Field, constants: tuple[Scalar, ...], insensitive: bool = False) -> Leaf:
        kind = self.resolve(field)
        holds = self._reading(expr, lambda: equal_to(kind, constants, insensitive))
        return self._leaf(
            LeafKind.EQUAL, expr, (field.path,), holds, constants=constants, operator="==", insensitive=insensitive
        )

    def _field_match(self, expr: Match, field: Field) -> Predicate:
        operand = self.operand(field)
        self.check_text(expr, operand)
        patterns = tuple(str(pattern.value) for pattern in expr.patterns)
        if operand.is_constant:
            return Constant(None)
        if expr.op != "regex":
            return self._globs(expr, field, patterns, expr.insensitive)
        matches = self.compile_regexp(expr)
        compiled = regexp(patterns, expr.insensitive)
        return self._leaf(
            LeafKind.REGEXP,
            expr,
            (field.path,),
            lambda value: value is not None and matches(as_text(value)),
            constants=patterns,
            insensitive=expr.insensitive,
            many=compiled.match_many,
            literals=compiled.required,
        )

    def _globs(self, expr: Expr, field: Field, patterns: tuple[str, ...], insensitive: bool) -> Leaf:
        globs = glob_set(patterns, insensitive)
        return self._leaf(
            LeafKind.GLOB,
            expr,
            (field.path,),
            lambda value: value is not None and globs.matches(as_text(value)),
            constants=patterns,
            insensitive=insensitive,
            many=globs.match_many,
        )

    def _field_membership(self, expr: Membership, field: Field) -> Predicate:
        wanted = tuple(item for item in self.items(expr) if item is not None)
        if self.resolve(field) is Type.NULL or not wanted:
            return Constant(None)
        return self._equal(expr, field, wanted, expr.insensitive)

    def _field_call(self, expr: Call, field: Field) -> Predicate:
        """Bind a function whose first argument is a field: a query of Lucene's if all others are constants."""
        operand = self.boolean(expr)
        arguments = [self.operand(arg) for arg in expr.args]
        texts = tuple(arg.value for arg in arguments[1:] if isinstance(arg.value, str))
        if operand.fields != (field.path,) or len(texts) < len(arguments) - 1 or arguments[0].is_constant:
            return self._script_leaf(expr, operand)
        name = self.function(expr).name
        if name == "cidrMatch":
            return self._leaf(LeafKind.NETWORK, expr, operand.fields, in_networks(texts), constants=texts)
        if name == "wildcard":
            return self._globs(expr, field, texts, expr.insensitive)
        if name in _EDGES:
            return self._edge(expr, field, name, texts[0])
        return self._script_leaf(expr, operand)

    def _edge(self, expr: Call, field: Field, name: str, text: str) -> Predicate:
        """Bind startsWith, endsWith or stringContains; a wildcard character is one only in stringContains."""
        if name == "stringContains" or not has_wildcard(text):
            return self._globs(expr, field, (_EDGES[name].replace("_", text),), expr.insensitive)
        test = str.startswith if name == "startsWith" else str.endswith
        fold: Callable[[str], str] = fold_ascii if expr.insensitive else str
        edge = fold(text)
        return self._leaf(
            LeafKind.SCRIPT,
            expr,
            (field.path,),
            lambda value: value is not None and test(fold(as_text(value)), edge),
            insensitive=expr.insensitive,
        )


_EDGES = {"startsWith": "_*", "endsWith": "*_", "stringContains": "*_*"}


def _safely(operand: Operand) -> Callable[..., bool]:
    """Return the test of a script for one value per field; what cannot be computed is null, which is not true."""
    compute, fields = operand.compute, operand.fields

    def holds(*values: Scalar | None) -> bool:
        try:
            return compute(dict(zip(fields, values, strict=True))) is True
        except (ValueError, ArithmeticError):
            return False

    return holds
