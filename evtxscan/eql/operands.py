"""Expressions as values: type checks, constant folding, and the function that computes the rest.

What is computed here is what Elasticsearch evaluates in a script: null goes through (three values), case is ignored as
Java does it (all letters, not only A to Z). Tests of a field against constants are not: see ``binder``, ``matchers``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from evtxscan.eql.addresses import parse_network
from evtxscan.eql.ast import (
    And,
    Arith,
    Call,
    Compare,
    Expr,
    Field,
    Literal,
    Match,
    Membership,
    Negate,
    Node,
    Not,
    Or,
    Scalar,
)
from evtxscan.eql.functions import FUNCTIONS, Function, Kind, Value
from evtxscan.eql.mapping import NUMERIC, FieldMapping, Type
from evtxscan.eql.matchers import script_value
from evtxscan.eql.patterns import glob_set, has_wildcard
from evtxscan.eql.regexp import RegexpError, regexp
from evtxscan.eql.scalars import as_text, calculate, equal, fold_unicode, negate, ordered
from evtxscan.eql.source import error_at
from evtxscan.errors import EqlError

Row = Mapping[str, Scalar | None]
"""One value for each field of an expression."""
Compute = Callable[[Row], Value]

SWAPPED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_ACCEPTED = {
    Kind.TEXT: frozenset([Type.KEYWORD, Type.VERSION]),
    Kind.NUMBER: NUMERIC,
    Kind.BOOLEAN: frozenset([Type.BOOLEAN]),
    Kind.ADDRESS: frozenset([Type.IP, Type.KEYWORD]),
    Kind.PATTERN: frozenset([Type.KEYWORD]),
    Kind.NETWORK: frozenset([Type.KEYWORD]),
    Kind.ANY: frozenset(Type),
}


@dataclass(frozen=True, slots=True, eq=False)
class Operand:
    """A checked expression: its type, the fields it needs in order, and how to compute it.

    Without fields it is a constant and ``value`` is its value.
    """

    expr: Expr
    type: Type
    fields: tuple[str, ...]
    compute: Compute
    value: Value = None

    @property
    def is_constant(self) -> bool:
        """Tell whether the value is known without a document."""
        return not self.fields

    @property
    def is_null(self) -> bool:
        """Tell whether this is the constant null."""
        return not self.fields and self.value is None


class OperandBinder:
    """Binds expressions of one query (``text``) against a mapping; remembers the fields it met."""

    def __init__(self, text: str, mapping: FieldMapping) -> None:
        self.text = text
        self.mapping = mapping
        self.met: dict[str, None] = {}

    def error(self, node: Node, message: str) -> EqlError:
        """Make the error for a node."""
        return error_at(self.text, node.start, message)

    def written(self, node: Node) -> str:
        """Return the text of a node, shortened for a message."""
        text = " ".join(self.text[node.start : node.end].split())
        return text if len(text) <= 60 else text[:57] + "..."

    def operand(self, expr: Expr) -> Operand:
        """Check and fold an expression; raise EqlError where it makes no sense."""
        if isinstance(expr, Literal):
            return self._constant(expr, expr.value)
        if isinstance(expr, Field):
            return self._field(expr)
        if isinstance(expr, Call):
            return self._call(expr)
        if isinstance(expr, Negate):
            operand = self._numeric(expr.operand)
            return self._computed(expr, Type.LONG, [operand], lambda row: negate(operand.compute(row)))
        if isinstance(expr, Arith):
            return self._arithmetic(expr)
        if isinstance(expr, Compare):
            return self._compare(expr)
        if isinstance(expr, Match):
            return self._match(expr)
        if isinstance(expr, Membership):
            return self._membership(expr)
        return self._logic(expr)

    def _constant(self, expr: Expr, value: Value) -> Operand:
        return Operand(expr, _type_of(value), (), lambda row: value, value)

    def _computed(self, expr: Expr, kind: Type, operands: list[Operand], compute: Compute) -> Operand:
        """Return the operand for a computation: its value if it needs no field."""
        fields = tuple(dict.fromkeys(field for operand in operands for field in operand.fields))
        if fields:
            return Operand(expr, kind, fields, compute)
        try:
            return self._constant(expr, compute({}))
        except ZeroDivisionError:
            raise self.error(expr, f"division by zero in {self.written(expr)}") from None
        except (ValueError, ArithmeticError) as error:
            raise self.error(expr, str(error)) from None

    def _field(self, expr: Field) -> Operand:
        kind = self.resolve(expr)
        if kind is Type.NULL:
            return self._constant(expr, None)
        read, path = script_value(kind), expr.path

        def compute(row: Row) -> Value:
            value = row[path]
            return None if value is None else read(value)

        return Operand(expr, kind, (path,), compute)

    def resolve(self, field: Field) -> Type:
        """Return the type of a field, NULL if it is optional and not mapped; raise EqlError if it may not be used."""
        if not self.mapping.exists(field.path):
            if field.optional:
                return Type.NULL
            raise self.error(field, f"unknown field {field.path}{_suggestion(field.path, self.mapping.known())}")
        self.met[field.path] = None
        kind = self.mapping.type_of(field.path)
        if kind is Type.TEXT:
            if self.mapping.type_of(f"{field.path}.keyword") is not Type.KEYWORD:
                raise self.error(field, f"{field.path} is an analysed text field, which EQL cannot search")
            return Type.KEYWORD
        return kind

    def function(self, call: Call) -> Function:
        """Return the function that a call names; raise EqlError if there is none or it takes other arguments."""
        function = FUNCTIONS.get(call.name.lower())
        if function is None:
            names = [entry.name for entry in FUNCTIONS.values()]
            raise self.error(call, f"unknown function {call.name}{_suggestion(call.name, names)}")
        if call.insensitive and not function.has_insensitive:
            raise self.error(call, f"{function.name} has no case-insensitive form {function.name}~")
        if not function.accepts_count(len(call.args)):
            raise self.error(call, f"{call.name} does not take {len(call.args)} arguments; write {function.usage()}")
        return function

    def _call(self, call: Call) -> Operand:
        function = self.function(call)
        args = [self.operand(arg) for arg in call.args]
        for index, arg in enumerate(args):
            self._check_argument(function, index, arg)
        implementation, insensitive = function.call, call.insensitive

        def compute(row: Row) -> Value:
            return implementation(insensitive, tuple(arg.compute(row) for arg in args))

        return self._computed(call, function.returns, args, compute)

    def _check_argument(self, function: Function, index: int, arg: Operand) -> None:
        kind = function.kind_of(index)
        fits = arg.type in (Type.UNKNOWN, Type.NULL) or arg.type in _ACCEPTED[kind]
        if kind in (Kind.PATTERN, Kind.NETWORK):
            fits = arg.is_constant and isinstance(arg.value, str)
        if kind is Kind.NETWORK and fits:
            fits = parse_network(str(arg.value)) is not None
        if not fits:
            found = f"found {self.written(arg.expr)}"
            if not arg.is_constant:
                found += f", which is {arg.type}"
            raise self.error(arg.expr, f"argument {index + 1} of {function.name} must be {kind}; {found}")

    def _numeric(self, expr: Expr) -> Operand:
        operand = self.operand(expr)
        if operand.type not in NUMERIC and operand.type not in (Type.UNKNOWN, Type.NULL):
            raise self.error(expr, f"arithmetic needs numbers; {self.written(expr)} is {operand.type}")
        return operand

    def _arithmetic(self, expr: Arith) -> Operand:
        first = self._numeric(expr.first)
        rest = [(operator, self._numeric(item)) for operator, item in expr.rest]

        def compute(row: Row) -> Value:
            value = first.compute(row)
            for operator, operand in rest:
                value = calculate(operator, value, operand.compute(row))
            return value

        return self._computed(expr, Type.LONG, [first, *(operand for _, operand in rest)], compute)

    def sides(self, expr: Compare) -> tuple[Operand, str, Operand]:
        """Return the sides of a comparison with the constant on the right; raise EqlError if neither is one."""
        left, operator, right = self.operand(expr.left), expr.op, self.operand(expr.right)
        if left.is_constant and not right.is_constant:
            left, operator, right = right, SWAPPED[operator], left
        if not right.is_constant:
            raise self.error(
                right.expr,
                f"comparing fields with each other is not supported in EQL: {self.written(expr)}",
            )
        return left, operator, right

    def _compare(self, expr: Compare) -> Operand:
        left, operator, right = self.sides(expr)
        value = left.compute
        if operator in ("==", "!="):
            negative = operator == "!="
            if right.is_null or left.is_null:
                other = left if right.is_null else right
                return self._computed(expr, Type.BOOLEAN, [left], lambda row: (other.compute(row) is None) != negative)
            return self._computed(expr, Type.BOOLEAN, [left], _when_there(value, _equality(right.value, negative)))
        bound = right.value
        if bound is None:
            return self._constant(expr, None)
        return self._computed(
            expr, Type.BOOLEAN, [left], _when_there(value, lambda found: ordered(operator, found, bound))
        )

    def _match(self, expr: Match) -> Operand:
        operand = self.operand(expr.value)
        self.check_text(expr, operand)
        return self._computed(expr, Type.BOOLEAN, [operand], _when_there(operand.compute, self._text_test(expr)))

    def check_text(self, expr: Match, operand: Operand) -> None:
        """Raise EqlError unless what stands before ``:``, ``like``, ``regex`` can be text."""
        if operand.type not in (Type.KEYWORD, Type.VERSION, Type.UNKNOWN, Type.NULL):
            raise self.error(
                expr, f"the left side of {expr.op} must be text; {self.written(expr.value)} is {operand.type}"
            )

    def _text_test(self, expr: Match) -> Callable[[Scalar], bool]:
        patterns = tuple(str(pattern.value) for pattern in expr.patterns)
        if expr.op == "regex":
            matches = self.compile_regexp(expr)
            return lambda value: matches(as_text(value))
        globs = glob_set(patterns, expr.insensitive)
        if not expr.insensitive:
            return lambda value: globs.matches(as_text(value))
        plain = frozenset(fold_unicode(pattern) for pattern in patterns if not has_wildcard(pattern))
        return lambda value: fold_unicode(as_text(value)) in plain or globs.matches(as_text(value))

    def compile_regexp(self, expr: Match) -> Callable[[str], bool]:
        """Return the matcher for a ``regex`` test; raise EqlError at the pattern that is wrong."""
        for pattern in expr.patterns:
            try:
                regexp((str(pattern.value),), expr.insensitive)
            except RegexpError as error:
                raise self.error(pattern, f"{error} (character {error.offset + 1} of the pattern)") from None
        return regexp(tuple(str(pattern.value) for pattern in expr.patterns), expr.insensitive).matches

    def items(self, expr: Membership) -> list[Value]:
        """Return the constants of a list after ``in``; raise EqlError at what is none."""
        operands = [self.operand(item) for item in expr.items]
        for operand in operands:
            if not operand.is_constant:
                raise self.error(
                    operand.expr, f"a list after 'in' holds constants only, not {self.written(operand.expr)}"
                )
            if expr.insensitive and not isinstance(operand.value, str | None):
                raise self.error(operand.expr, f"in~ compares text; found {self.written(operand.expr)}")
        return [operand.value for operand in operands]

    def _membership(self, expr: Membership) -> Operand:
        operand, items = self.operand(expr.value), self.items(expr)
        wanted = [item for item in items if item is not None]
        if not wanted:
            return self._constant(expr, None)
        absent = None if len(wanted) < len(items) else False
        folded = frozenset(fold_unicode(as_text(item)) for item in wanted)

        def test(value: Scalar) -> bool | None:
            if expr.insensitive:
                return fold_unicode(as_text(value)) in folded or absent
            return any(equal(value, item) for item in wanted) or absent

        return self._computed(expr, Type.BOOLEAN, [operand], _when_there(operand.compute, test))

    def _logic(self, expr: Not | And | Or) -> Operand:
        operands = [self.boolean(item) for item in ((expr.item,) if isinstance(expr, Not) else expr.items)]
        if isinstance(expr, Not):
            inner = operands[0].compute
            return self._computed(expr, Type.BOOLEAN, operands, _when_there(inner, lambda value: value is not True))
        decisive = isinstance(expr, Or)

        def compute(row: Row) -> Value:
            values = [operand.compute(row) for operand in operands]
            if decisive in values:
                return decisive
            return None if None in values else not decisive

        return self._computed(expr, Type.BOOLEAN, operands, compute)

    def boolean(self, expr: Expr) -> Operand:
        """Bind an expression that must be true or false."""
        operand = self.operand(expr)
        if operand.type not in (Type.BOOLEAN, Type.NULL, Type.UNKNOWN):
            raise self.error(expr, f"expected a condition; {self.written(expr)} is {operand.type}, not true or false")
        return operand


def _when_there(compute: Compute, test: Callable[[Scalar], Value]) -> Compute:
    """Return null where the operand is null, else what the test says."""

    def computed(row: Row) -> Value:
        value = compute(row)
        return None if value is None else test(value)

    return computed


def _equality(constant: Value, negative: bool) -> Callable[[Scalar], bool]:
    if constant is None:
        return lambda value: negative
    return lambda value: equal(value, constant) != negative


def _type_of(value: Value) -> Type:
    if value is None:
        return Type.NULL
    if isinstance(value, bool):
        return Type.BOOLEAN
    if isinstance(value, str):
        return Type.KEYWORD
    return Type.LONG if isinstance(value, int) else Type.DOUBLE


def _suggestion(name: str, known: "list[str] | frozenset[str]") -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only for a message, and slow to load

    lowered = {entry.lower(): entry for entry in sorted(known)}
    close = get_close_matches(name.lower(), lowered, n=1)
    return f"; did you mean {lowered[close[0]]}?" if close else ""
