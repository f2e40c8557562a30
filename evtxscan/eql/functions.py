"""EQL's functions: what arguments they take and what they give for single values.

Names compare without case. A function with a ``~`` form ignores case there. Unless said otherwise, an argument without
a value (None) makes the result None. Source: Elasticsearch's EQL function reference and its query and folding tests.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from evtxscan.eql.addresses import parse_network, within
from evtxscan.eql.ast import Scalar
from evtxscan.eql.mapping import Type
from evtxscan.eql.patterns import glob_set
from evtxscan.eql.scalars import Number, as_number, as_text, calculate, fold_unicode

_LONGEST_NUMBER = 64


class Kind(StrEnum):
    """What an argument must be."""

    ANY = "any value"
    TEXT = "text"
    NUMBER = "a number"
    BOOLEAN = "true or false"
    ADDRESS = "an IP address"
    PATTERN = "a constant text"
    NETWORK = "a constant network such as 10.0.0.0/8"


Value = Scalar | None
Implementation = Callable[[bool, tuple[Value, ...]], Value]


@dataclass(frozen=True, slots=True)
class Function:
    """A function: arguments it needs, those it may have, the kind of all further ones; ``call(insensitive, args)``."""

    name: str
    returns: Type
    needs: tuple[Kind, ...]
    may: tuple[Kind, ...] = ()
    more: Kind | None = None
    has_insensitive: bool = False
    call: Implementation = lambda insensitive, args: None

    def kind_of(self, index: int) -> Kind:
        """Return what the argument at ``index`` must be."""
        kinds = self.needs + self.may
        return kinds[index] if index < len(kinds) else (self.more or Kind.ANY)

    def accepts_count(self, count: int) -> bool:
        """Tell whether the function takes so many arguments."""
        most = count if self.more else len(self.needs) + len(self.may)
        return len(self.needs) <= count <= most

    def usage(self) -> str:
        """Return the form of a call, for messages."""
        names = [str(kind) for kind in self.needs] + [f"[{kind}]" for kind in self.may]
        return f"{self.name}({', '.join([*names, '...'] if self.more else names)})"


def _texts(call: Callable[[bool, str, str], Value]) -> Implementation:
    """Adapt a function of two texts: None if one has no value; folded where case is ignored."""

    def wrapped(insensitive: bool, args: tuple[Value, ...]) -> Value:
        if args[0] is None or args[1] is None:
            return None
        first, second = as_text(args[0]), as_text(args[1])
        if insensitive:
            first, second = fold_unicode(first), fold_unicode(second)
        return call(insensitive, first, second)

    return wrapped


def _contains(_: bool, text: str, part: str) -> bool:
    return bool(text and part) and part in text


def _length(_: bool, args: tuple[Value, ...]) -> int | None:
    return None if args[0] is None else len(as_text(args[0]))


def _substring(_: bool, args: tuple[Value, ...]) -> str | None:
    """Slice as Python does; without a start the whole text."""
    text, start, *rest = args
    if text is None:
        return None
    end = _whole(rest[0]) if rest else None
    return as_text(text) if start is None else as_text(text)[slice(_whole(start), end)]


def _index_of(insensitive: bool, args: tuple[Value, ...]) -> int | None:
    """Return the place of the first occurrence at or after the third argument, from 0; None if there is none."""
    if args[0] is None or args[1] is None:
        return None
    text, part = as_text(args[0]), as_text(args[1])
    if insensitive:
        text, part = fold_unicode(text), fold_unicode(part)
    start = _whole(args[2]) if len(args) > 2 else None
    place = text.find(part, max(start or 0, 0))
    return None if place < 0 else place


def _between(insensitive: bool, args: tuple[Value, ...]) -> str | None:
    """Return what stands between the first left text and the next right one (the last one if greedy), or ""."""
    if args[0] is None or args[1] is None or args[2] is None:
        return None
    text, left, right = map(as_text, args[:3])  # type: ignore[arg-type]
    if not (text and left and right):
        return text
    where = text
    if insensitive:
        where, left, right = fold_unicode(text), fold_unicode(left), fold_unicode(right)
    start = where.find(left)
    if start < 0:
        return ""
    start += len(left)
    greedy = len(args) > 3 and args[3] is True
    end = where.rfind(right, start) if greedy else where.find(right, start)
    return "" if end < 0 else text[start:end]


def _concat(_: bool, args: tuple[Value, ...]) -> str | None:
    texts = [as_text(arg) for arg in args if arg is not None]
    return "".join(texts) if len(texts) == len(args) else None


def _string(_: bool, args: tuple[Value, ...]) -> str | None:
    return None if args[0] is None else as_text(args[0])


def _number(_: bool, args: tuple[Value, ...]) -> Number | None:
    """Read a text as a number: base 10 by default, 16 after ``0x``. Raises ValueError if it is none."""
    if args[0] is None:
        return None
    text = as_text(args[0]).strip()
    hexadecimal = text.startswith("0x")
    base = _whole(args[1]) if len(args) > 1 else None
    if base is None:
        base = 16 if hexadecimal else 10
    digits = text[2:] if hexadecimal and base == 16 else text
    number = as_number(digits) if base == 10 else _in_base(digits, base)
    if number is None:
        raise ValueError(f"cannot read {text[:40]!r} as a number of base {base}")
    return number


def _in_base(digits: str, base: int) -> int | None:
    plain = digits[1:] if digits[:1] in ("+", "-") else digits
    if not 2 <= base <= 36 or len(plain) > _LONGEST_NUMBER or not (plain.isascii() and plain.isalnum()):
        return None
    try:
        return int(digits, base)
    except ValueError:
        return None


def _cidr_match(_: bool, args: tuple[Value, ...]) -> bool | None:
    if args[0] is None:
        return None
    networks = tuple(network for arg in args[1:] if arg is not None and (network := parse_network(as_text(arg))))
    return within(as_text(args[0]), networks)


def _wildcard(insensitive: bool, args: tuple[Value, ...]) -> bool | None:
    if args[0] is None:
        return None
    patterns = tuple(as_text(arg) for arg in args[1:] if arg is not None)
    return glob_set(patterns, insensitive).matches(as_text(args[0]))


def _arithmetic(operator: str) -> Implementation:
    return lambda _, args: calculate(operator, args[0], args[1])


def _whole(value: Value) -> int | None:
    number = None if value is None else as_number(value)
    return None if number is None else int(number)


_TWO_TEXTS = (Kind.TEXT, Kind.TEXT)
_TWO_NUMBERS = (Kind.NUMBER, Kind.NUMBER)
_ALL = [
    Function("add", Type.LONG, _TWO_NUMBERS, call=_arithmetic("+")),
    Function(
        "between",
        Type.KEYWORD,
        (Kind.TEXT, Kind.TEXT, Kind.TEXT),
        (Kind.BOOLEAN,),
        has_insensitive=True,
        call=_between,
    ),
    Function("cidrMatch", Type.BOOLEAN, (Kind.ADDRESS, Kind.NETWORK), more=Kind.NETWORK, call=_cidr_match),
    Function("concat", Type.KEYWORD, (Kind.ANY,), more=Kind.ANY, call=_concat),
    Function("divide", Type.LONG, _TWO_NUMBERS, call=_arithmetic("/")),
    Function(
        "endsWith", Type.BOOLEAN, _TWO_TEXTS, has_insensitive=True, call=_texts(lambda _, text, end: text.endswith(end))
    ),
    Function("indexOf", Type.LONG, _TWO_TEXTS, (Kind.NUMBER,), has_insensitive=True, call=_index_of),
    Function("length", Type.LONG, (Kind.TEXT,), call=_length),
    Function("modulo", Type.LONG, _TWO_NUMBERS, call=_arithmetic("%")),
    Function("multiply", Type.LONG, _TWO_NUMBERS, call=_arithmetic("*")),
    Function("number", Type.LONG, (Kind.TEXT,), (Kind.NUMBER,), call=_number),
    Function(
        "startsWith",
        Type.BOOLEAN,
        _TWO_TEXTS,
        has_insensitive=True,
        call=_texts(lambda _, text, start: text.startswith(start)),
    ),
    Function("string", Type.KEYWORD, (Kind.ANY,), call=_string),
    Function("stringContains", Type.BOOLEAN, _TWO_TEXTS, has_insensitive=True, call=_texts(_contains)),
    Function("substring", Type.KEYWORD, (Kind.TEXT, Kind.NUMBER), (Kind.NUMBER,), call=_substring),
    Function("subtract", Type.LONG, _TWO_NUMBERS, call=_arithmetic("-")),
    Function(
        "wildcard",
        Type.BOOLEAN,
        (Kind.TEXT, Kind.PATTERN),
        more=Kind.PATTERN,
        has_insensitive=True,
        call=_wildcard,
    ),
]
FUNCTIONS = {function.name.lower(): function for function in _ALL}
"""All functions, by their name in lower case."""
