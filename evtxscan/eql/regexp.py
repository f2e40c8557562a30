"""The ``regex`` operator: Lucene's regular expressions, matched against the whole value in linear time.

The syntax is Lucene's with all its operators: ``. * + ? {n,m} | ( ) [ ]``, ``"literal"``, ``<1-9>`` number interval,
``@`` any text, ``#`` nothing, ``&`` both, ``~`` complement, and ``\\d \\s \\w`` with their opposites. ``^`` and
``$`` are ordinary characters and ``.*?`` is ``.*``. A backtracking engine would let a hostile value run for years and
has no ``&`` and ``~``; so patterns become a deterministic automaton, built by derivatives as far as values need it.

Ignoring case touches the letters A to Z as single characters; a range such as ``[a-z]`` stays as written, which is
what Lucene 8 and 9 do (its RegExp folds characters and strings, not ranges).
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache

from evtxscan.eql import derivatives as d
from evtxscan.eql.scalars import fold_ascii

MAX_REPEAT = 1000
MAX_STATES = 5000
"""States kept at once; beyond, the automaton starts afresh (it stays correct, only slower)."""
_MAX_DEPTH = 50
_CLASSES = {
    "d": (("0", "9"),),
    "s": (("\t", "\n"), ("\r", "\r"), (" ", " ")),
    "w": (("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z")),
}


QUICK_STEPS = 1_000_000
"""Where it takes no more steps, Python's engine is asked, which is fast and may go astray; else the automaton."""


class RegexpError(ValueError):
    """The pattern is not a Lucene regular expression; ``offset`` is the place in it."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


@lru_cache(maxsize=512)
def regexp(patterns: tuple[str, ...], insensitive: bool) -> "Regexp":
    """Return the compiled alternative of ``patterns``; raise RegexpError."""
    return Regexp(patterns, insensitive)


class _State:
    """One state of the automaton: what is left to match, and the steps worked out so far."""

    __slots__ = ("accepts", "by_char", "by_class", "node")

    def __init__(self, node: d.Node) -> None:
        self.node = node
        self.accepts = d.nullable(node)
        self.by_char: dict[str, _State] = {}
        self.by_class: dict[int, _State] = {}


class Regexp:
    """Matches a whole text against any of several Lucene regular expressions.

    ``required``: texts of which every match, folded, contains one; none where that would not narrow anything down.
    """

    def __init__(self, patterns: Sequence[str], insensitive: bool) -> None:
        node = d.either([_Parser(pattern, insensitive).parse() for pattern in patterns])
        self.required = tuple(sorted(d.required_texts(node)))
        pattern, self._quick_length = d.as_python(node, QUICK_STEPS)
        self._quick = re.compile(pattern, re.DOTALL).fullmatch
        self._edges = d.boundaries(node)
        self._node = node
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._states: dict[d.Node, _State] = {}
        self._start = self._state(self._node)

    def _state(self, node: d.Node) -> _State:
        state = self._states.get(node)
        if state is None:
            state = self._states[node] = _State(node)
        return state

    def matches(self, value: str) -> bool:
        """Tell whether the whole of ``value`` matches."""
        if self.required:
            folded = fold_ascii(value)
            if not any(text in folded for text in self.required):
                return False
        if len(value) < self._quick_length:
            return self._quick(value) is not None
        state = self._start
        for char in value:
            following = state.by_char.get(char)
            state = self._step(state, char) if following is None else following
            if state.node is d.NOTHING:
                return False
            if state.node is d.ANYTHING:
                return True
        return state.accepts

    def match_many(self, values: Iterable[str]) -> list[bool]:
        """Return for each value whether it matches."""
        matches = self.matches
        return [matches(value) for value in values]

    def _step(self, state: _State, char: str) -> _State:
        if len(self._states) > MAX_STATES:
            self._start_afresh()
        number = bisect_right(self._edges, char)
        following = state.by_class.get(number)
        if following is None:
            # All characters between two edges behave alike, so that one of them stands for all.
            following = self._state(d.derivative(state.node, self._edges[number - 1]))
            state.by_class[number] = following
        if len(state.by_char) < 256:
            state.by_char[char] = following
        return following


class _Parser:
    """Recursive descent over Lucene's grammar; each method reads one level of precedence."""

    def __init__(self, pattern: str, insensitive: bool) -> None:
        self._pattern = pattern
        self._insensitive = insensitive
        self._at = 0
        self._depth = 0

    def parse(self) -> d.Node:
        if not self._pattern:
            return d.EMPTY
        node = self._union()
        if self._more():
            raise self._error("')' without '('")
        return node

    def _error(self, message: str) -> RegexpError:
        return RegexpError(f"regular expression: {message}", self._at)

    def _more(self) -> bool:
        return self._at < len(self._pattern)

    def _peek(self, chars: str) -> bool:
        return self._more() and self._pattern[self._at] in chars

    def _accept(self, char: str) -> bool:
        if self._peek(char):
            self._at += 1
            return True
        return False

    def _next(self) -> str:
        if not self._more():
            raise self._error("unexpected end")
        self._at += 1
        return self._pattern[self._at - 1]

    def _union(self) -> d.Node:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._error(f"nested more than {_MAX_DEPTH} levels deep")
        nodes = [self._intersection()]
        while self._accept("|"):
            nodes.append(self._intersection())
        self._depth -= 1
        return d.either(nodes)

    def _intersection(self) -> d.Node:
        nodes = [self._concatenation()]
        while self._accept("&"):
            nodes.append(self._concatenation())
        return d.both(nodes)

    def _concatenation(self) -> d.Node:
        nodes = [self._repetition()]
        while self._more() and not self._peek(")|&"):
            nodes.append(self._repetition())
        return d.concat(nodes)

    def _repetition(self) -> d.Node:
        node = self._complement()
        while self._peek("?*+{"):
            sign = self._next()
            if sign == "{":
                low, high = self._bounds()
                node = d.repeat(node, low, high)
            else:
                node = d.repeat(node, 1 if sign == "+" else 0, 1 if sign == "?" else None)
        return node

    def _bounds(self) -> tuple[int, int | None]:
        low = self._number()
        high: int | None = low
        if self._accept(","):
            high = self._number() if self._peek("0123456789") else None
        if not self._accept("}"):
            raise self._error("expected '}'")
        if max(low, high or 0) > MAX_REPEAT:
            raise self._error(f"more than {MAX_REPEAT} repetitions")
        if high is not None and low > high:
            raise self._error("the repetition's minimum is above its maximum")
        return low, high

    def _number(self) -> int:
        start = self._at
        while self._peek("0123456789") and self._at - start < 6:
            self._at += 1
        if start == self._at:
            raise self._error("expected a number")
        return int(self._pattern[start : self._at])

    def _complement(self) -> d.Node:
        negated = False
        while self._accept("~"):
            negated = not negated
        node = self._class() if self._accept("[") else self._simple()
        return d.complement(node) if negated else node

    def _class(self) -> d.Node:
        negated = self._accept("^")
        ranges = self._class_item()
        while self._more() and not self._peek("]"):
            ranges += self._class_item()
        if not self._accept("]"):
            raise self._error("expected ']'")
        return d.chars(d.outside(ranges) if negated else ranges)

    def _class_item(self) -> list[tuple[str, str]]:
        named = self._named_class()
        if named is not None:
            return named
        first = self._char()
        if not self._accept("-"):
            return self._ranges(first)
        last = self._char()
        if first > last:
            raise self._error(f"range {first}-{last} is empty")
        return [(first, last)]

    def _named_class(self) -> list[tuple[str, str]] | None:
        name = self._pattern[self._at + 1 : self._at + 2]
        if not self._peek("\\") or name.lower() not in _CLASSES or not name:
            return None
        self._at += 2
        ranges = list(_CLASSES[name.lower()])
        return d.outside(ranges) if name.isupper() else ranges

    def _simple(self) -> d.Node:
        named = self._named_class()
        if named is not None:
            return d.chars(named)
        if self._accept("."):
            return d.ANY_CHAR
        if self._accept("#"):
            return d.NOTHING
        if self._accept("@"):
            return d.ANYTHING
        if self._accept('"'):
            return d.concat([d.chars(self._ranges(char)) for char in self._until('"')])
        if self._accept("("):
            return self._group()
        if self._accept("<"):
            return self._interval(self._until(">"))
        return d.chars(self._ranges(self._char()))

    def _group(self) -> d.Node:
        if self._accept(")"):
            return d.EMPTY
        node = self._union()
        if not self._accept(")"):
            raise self._error("expected ')'")
        return node

    def _until(self, end: str) -> str:
        stop = self._pattern.find(end, self._at)
        if stop < 0:
            raise self._error(f"expected {end!r}")
        text = self._pattern[self._at : stop]
        self._at = stop + 1
        return text

    def _char(self) -> str:
        self._accept("\\")
        return self._next()

    def _ranges(self, char: str) -> list[tuple[str, str]]:
        if self._insensitive and char.isascii() and char.isalpha():
            return [(char.upper(), char.upper()), (char.lower(), char.lower())]
        return [(char, char)]

    def _interval(self, text: str) -> d.Node:
        low, dash, high = text.partition("-")
        if not dash or not (low + high).isascii() or not (low.isdigit() and high.isdigit()):
            raise self._error(f"<{text}> is no interval of numbers such as <1-100>")
        if len(low) > 18 or len(high) > 18:
            raise self._error(f"<{text}> is too large")
        digits = len(low) if len(low) == len(high) else 0
        first, last = sorted((int(low), int(high)))
        if digits:
            return d.number_range(str(first).zfill(digits), str(last).zfill(digits))
        widths = range(len(str(first)), len(str(last)) + 1)
        numbers = [d.number_range(*_clip(first, last, width)) for width in widths]
        return d.concat([d.repeat(d.chars([("0", "0")]), 0, None), d.either(numbers)])


def _clip(first: int, last: int, width: int) -> tuple[str, str]:
    """Return the part of the interval whose numbers have ``width`` digits, as texts."""
    least = 10 ** (width - 1) if width > 1 else 0
    return str(max(first, least)), str(min(last, 10**width - 1))
