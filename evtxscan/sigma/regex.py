r"""Turns the regular expressions of Sigma rules (PCRE) into Lucene's, which EQL's ``regex`` takes.

The two differ in everything but the basics. Sigma looks for the expression anywhere in the value, Lucene matches the
whole value; Lucene has no ``^``, ``$``, ``\b`` and lookahead, but intersection (``&``) and complement (``~``), with
which they can be said: what is still to come has to match both. ``~ & @ # < > "`` are literals in PCRE and operators in
Lucene, ``.`` is any character but a line feed in PCRE.

Back references, lookbehind, atomic groups and possessive quantifiers have no equivalent; they are refused by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

ANY = ".*"
_NOTHING = "#"
_MAX_COPIES = 16
"""How often a repeated group with an anchor in it is written out."""
_MAX_LENGTH = 20_000
_MAX_DEPTH = 40
_CONTROL = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "a": "\a", "e": "\x1b", "0": "\0"}
_LIMITS = {"*": (0, None), "+": (1, None), "?": (0, 1)}


class UnsupportedRegexError(ValueError):
    """A regular expression has no equivalent in Lucene's syntax; the message says which part."""


class Before(Enum):
    """What stands before a place in the value: its beginning, a character that is or is no part of a word, any."""

    START = "start"
    WORD = "word"
    OTHER = "other"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Chars:
    """One character: ``lucene`` matches it. ``word``: whether it is always (True), never or sometimes part of one."""

    lucene: str
    word: bool | None


@dataclass(frozen=True, slots=True)
class Anchor:
    """A place: ``^``, ``$``, ``b`` or ``B``, or with ``node`` the lookahead ``=`` or ``!``."""

    kind: str
    node: Node | None = None


@dataclass(frozen=True, slots=True)
class Repeat:
    node: Node
    low: int
    high: int | None


@dataclass(frozen=True, slots=True)
class Concat:
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    items: tuple[Node, ...]


Node = Chars | Anchor | Repeat | Concat | Either


def to_lucene(pattern: str, *, insensitive: bool = False, dot_all: bool = False) -> tuple[str, bool]:
    """Return Lucene's expression for values in which ``pattern`` is found, and whether it ignores case.

    ``dot_all``: a ``.`` is a line feed, too.
    Raises UnsupportedRegexError.
    """
    parser = _Parser(pattern, insensitive, dot_all)
    node = parser.parse()
    if not _has_anchor(node):
        found = f"{ANY}{_plain(node)}{ANY}"
    elif not _starts_with_anchor(node):
        found = f"{ANY}{_emit(node, ANY, Before.ANY)}"
    else:
        ways = [(Before.START, ""), (Before.WORD, rf"{ANY}\w"), (Before.OTHER, rf"{ANY}\W")]
        tails = [(prefix, _emit(node, ANY, before)) for before, prefix in ways]
        possible = [f"{prefix}{tail}" for prefix, tail in tails if tail != _NOTHING]
        found = "|".join(possible) or _NOTHING
    if len(found) > _MAX_LENGTH:
        raise UnsupportedRegexError("it becomes too long when its anchors are written out for Lucene")
    return found, parser.insensitive


def literal(text: str) -> str:
    """Return Lucene's expression for a text as it stands."""
    return "".join(c if c.isalnum() or not c.isascii() or c.isspace() else f"\\{c}" for c in text)


def _has_anchor(node: Node) -> bool:
    if isinstance(node, Anchor):
        return True
    if isinstance(node, Repeat):
        return _has_anchor(node.node)
    return isinstance(node, Concat | Either) and any(map(_has_anchor, node.items))


def _starts_with_anchor(node: Node) -> bool:
    """Tell whether what stands before the match may matter: an anchor other than ``$`` can come first."""
    if isinstance(node, Anchor):
        return node.kind in "^bB"
    if isinstance(node, Repeat):
        return _starts_with_anchor(node.node)
    if isinstance(node, Either):
        return any(map(_starts_with_anchor, node.items))
    if isinstance(node, Concat):
        for item in node.items:
            if _starts_with_anchor(item):
                return True
            if not _may_be_empty(item):
                return False
    return False


def _may_be_empty(node: Node) -> bool:
    if isinstance(node, Repeat):
        return node.low == 0 or _may_be_empty(node.node)
    if isinstance(node, Concat):
        return all(map(_may_be_empty, node.items))
    return isinstance(node, Anchor) or (isinstance(node, Either) and any(map(_may_be_empty, node.items)))


def _plain(node: Node) -> str:
    """Return Lucene's expression for a node without anchors."""
    if isinstance(node, Chars):
        return node.lucene
    if isinstance(node, Concat):
        return "".join(map(_plain, node.items))
    if isinstance(node, Either):
        return f"({'|'.join(_plain(item) or '()' for item in node.items)})"
    if isinstance(node, Repeat):
        inner = _plain(node.node)
        grouped = inner if isinstance(node.node, Chars | Either) else f"({inner})"
        return f"{grouped}{_quantifier(node.low, node.high)}" if inner else ""
    raise AssertionError(node)


def _quantifier(low: int, high: int | None) -> str:
    if (low, high) in ((0, None), (1, None), (0, 1)):
        return {(0, None): "*", (1, None): "+", (0, 1): "?"}[low, high]
    return f"{{{low}}}" if low == high else f"{{{low},{'' if high is None else high}}}"


def _emit(node: Node, rest: str, before: Before) -> str:
    """Return Lucene's expression for a node and all that follows it, which has to match ``rest``."""
    if rest == _NOTHING:
        return _NOTHING
    if isinstance(node, Chars) or not _has_anchor(node):
        return f"{_plain(node)}{rest}"
    if isinstance(node, Anchor):
        return _anchored(node, rest, before)
    if isinstance(node, Either):
        ways = [way for item in node.items if (way := _emit(item, rest, before)) != _NOTHING]
        return f"({'|'.join(way or '()' for way in ways)})" if ways else _NOTHING
    if isinstance(node, Repeat):
        return _repeated(node, rest, before)
    places = [before]
    for item in node.items:
        places.append(_after(item, places[-1]))
    for item, place in zip(reversed(node.items), reversed(places[:-1]), strict=True):
        rest = _emit(item, rest, place)
    return rest


def _repeated(node: Repeat, rest: str, before: Before) -> str:
    if node.high is None or node.high > _MAX_COPIES:
        raise UnsupportedRegexError("an anchor inside a group that repeats without limit")
    ways = [
        _emit(Concat((node.node,) * count), rest, before) if count else rest for count in range(node.low, node.high + 1)
    ]
    possible = [way for way in ways if way != _NOTHING]
    return f"({'|'.join(way or '()' for way in possible)})" if possible else _NOTHING


def _anchored(anchor: Anchor, rest: str, before: Before) -> str:
    if anchor.kind == "^":
        return rest if before is Before.START else _NOTHING
    if anchor.kind == "$":
        return "" if rest in ("", ANY) else f"(()&({rest}))"
    if anchor.node is not None:
        ahead = _emit(anchor.node, ANY, before)
        if ahead == _NOTHING:
            return _NOTHING if anchor.kind == "=" else rest
        return f"(({ahead})&({rest}))" if anchor.kind == "=" else f"(~({ahead})&({rest}))"
    if before is Before.ANY:
        raise UnsupportedRegexError(r"\b after something that may end in any character")
    at_word = before is Before.WORD
    wants_word = at_word == (anchor.kind == "B")
    ahead = rf"\w{ANY}" if wants_word else rf"(\W{ANY})?"
    return ahead if rest == ANY else f"(({ahead})&({rest}))"


def _after(node: Node, before: Before) -> Before:
    """Return what stands before the place behind a node."""
    if isinstance(node, Anchor):
        return before
    if isinstance(node, Chars):
        return {True: Before.WORD, False: Before.OTHER, None: Before.ANY}[node.word]
    if isinstance(node, Concat):
        for item in node.items:
            before = _after(item, before)
        return before
    if isinstance(node, Repeat):
        ends = {_after(node.node, before)} | ({before} if node.low == 0 else set())
    else:
        ends = {_after(item, before) for item in node.items}
    return ends.pop() if len(ends) == 1 else Before.ANY


class _Parser:
    """Recursive descent over the part of PCRE's syntax that rules use."""

    def __init__(self, pattern: str, insensitive: bool, dot_all: bool) -> None:
        self.insensitive = insensitive
        self._dot = "." if dot_all else "[^\n]"
        self._text = pattern
        self._at = 0
        self._depth = 0

    def parse(self) -> Node:
        node = self._either()
        if self._at < len(self._text):
            raise self._error("a ')' without '('")
        return node

    def _error(self, message: str) -> UnsupportedRegexError:
        return UnsupportedRegexError(f"{message}, at character {self._at + 1} of {self._text!r}")

    def _peek(self, text: str) -> bool:
        return self._text.startswith(text, self._at)

    def _accept(self, text: str) -> bool:
        if self._peek(text):
            self._at += len(text)
            return True
        return False

    def _next(self) -> str:
        if self._at >= len(self._text):
            raise self._error("the expression ends too early")
        self._at += 1
        return self._text[self._at - 1]

    def _either(self) -> Node:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._error(f"groups nested more than {_MAX_DEPTH} deep")
        items = [self._concat()]
        while self._accept("|"):
            items.append(self._concat())
        self._depth -= 1
        return items[0] if len(items) == 1 else Either(tuple(items))

    def _concat(self) -> Node:
        items: list[Node] = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            item = self._repeat()
            if item is not None:
                items.append(item)
        return items[0] if len(items) == 1 else Concat(tuple(items))

    def _repeat(self) -> Node | None:
        node = self._atom()
        while node is not None and (limits := self._limits()) is not None:
            if self._accept("+"):
                raise self._error("a possessive quantifier")
            self._accept("?")  # lazy or not is the same where only the match as a whole counts
            if isinstance(node, Anchor):
                raise self._error("a quantifier after an anchor")
            node = Repeat(node, *limits)
        return node

    def _limits(self) -> tuple[int, int | None] | None:
        if self._at < len(self._text) and self._text[self._at] in _LIMITS:
            return _LIMITS[self._next()]
        end = self._text.find("}", self._at)
        if not self._peek("{") or end < 0:
            return None
        low, comma, high = self._text[self._at + 1 : end].partition(",")
        if not (low + high).isdecimal() or not (low.isdecimal() or not low) or (not low and not comma):
            return None  # a brace that is no quantifier stands for itself
        self._at = end + 1
        return int(low or 0), (int(high) if high else None) if comma else int(low)

    def _atom(self) -> Node | None:
        char = self._next()
        if char == "(":
            return self._group()
        if char == "[":
            return self._class()
        if char == "\\":
            return self._escape()
        if char == ".":
            return Chars(self._dot, None)
        if char in "^$":
            return Anchor(char)
        if char in "*+?":
            self._at -= 1
            raise self._error(f"a quantifier {char} after nothing")
        return self._char(char)

    def _char(self, char: str) -> Chars:
        return Chars(literal(char), _is_word(char))

    def _group(self) -> Node | None:
        look = ""
        if self._accept("?"):
            if self._peek("=") or self._peek("!"):
                look = self._next()
            elif self._peek("P<") or (self._peek("<") and not (self._peek("<=") or self._peek("<!"))):
                self._at = self._text.find(">", self._at) + 1 or len(self._text)
            elif not self._accept(":"):
                self._flags()
                return None
        node = self._either()
        if not self._accept(")"):
            raise self._error("a group without its ')'")
        return Anchor(look, node) if look else node

    def _flags(self) -> None:
        end = self._text.find(")", self._at)
        flags = self._text[self._at : end] if end >= 0 else self._text[self._at :]
        if flags.startswith(("<", ">", "P", "R", "#", "(")):
            raise self._error(f"a group of the kind (?{flags[0]}")
        if flags != "i" or self._at != 2:
            raise self._error(f"the flags (?{flags}; only (?i) at the start is")
        self.insensitive = True
        self._at = end + 1

    def _escape(self) -> Node:
        char = self._next()
        if char in "dswDSW":
            return Chars(f"\\{char}", {"d": True, "w": True, "s": False, "W": False}.get(char))
        if char in "bB":
            return Anchor(char)
        if char in "AzZ":
            return Anchor("^" if char == "A" else "$")
        return self._char(self._escaped(char))

    def _escaped(self, char: str) -> str:
        """Return the character that an escape stands for."""
        if char in "xu":
            digits = self._text[self._at : self._at + (2 if char == "x" else 4)]
            try:
                code = int(digits, 16)
            except ValueError:
                raise self._error(f"\\{char}{digits}") from None
            self._at += len(digits)
            return chr(code)
        if char in _CONTROL:
            return _CONTROL[char]
        if char.isascii() and char.isalnum():
            self._at -= 1
            raise self._error("a back reference" if char.isdigit() else f"the escape \\{char}")
        return char

    def _class(self) -> Chars:
        negated = self._accept("^")
        items: list[str] = []
        words: set[bool | None] = set()
        while not self._peek("]") or not items:
            item, word = self._class_item()
            items.append(item)
            words.add(word)
        self._at += 1
        word = words.pop() if len(words) == 1 else None
        if negated:
            return Chars(f"[^{''.join(items)}]", None)
        return Chars(f"[{''.join(items)}]", word)

    def _class_item(self) -> tuple[str, bool | None]:
        if self._peek("[:"):
            raise self._error("a POSIX class")
        first = self._next()
        if first == "\\":
            first = self._next()
            if first in "dswDSW":
                return f"\\{first}", {"d": True, "w": True, "s": False, "W": False}.get(first)
            first = "\b" if first == "b" else self._escaped(first)
        if not self._peek("-") or self._text[self._at + 1 : self._at + 2] in ("]", ""):
            return literal(first), _is_word(first)
        self._at += 1
        last = self._next()
        if last == "\\":
            last = self._escaped(self._next())
        if first > last:
            raise self._error(f"the range {first}-{last}")
        same = first.isascii() and last.isascii() and first.isalnum() and last.isalnum()
        return self._range(first, last), True if same and _one_kind(first, last) else None

    def _range(self, first: str, last: str) -> str:
        """Write a range; Lucene does not ignore the case of ranges, so that both cases are named."""
        text = f"{literal(first)}-{literal(last)}"
        if self.insensitive and first.isascii() and first.isalpha() and last.isalpha() and _one_kind(first, last):
            text += f"{first.swapcase()}-{last.swapcase()}"
        return text


def _is_word(char: str) -> bool:
    return (char.isascii() and char.isalnum()) or char == "_"


def _one_kind(first: str, last: str) -> bool:
    return (first.isdigit(), first.islower()) == (last.isdigit(), last.islower())
