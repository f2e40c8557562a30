r"""Reads KQL (kuery): text to syntax tree.

The language, as Kibana's grammar (kbn-es-query) has it, in own words:

- ``or`` binds weaker than ``and``, that weaker than ``not``; all in any case. ``and`` and ``or`` have white space on
  both sides, ``not`` has it behind. Parentheses group conditions, and values behind a colon.
- A quoted text takes ``\\ \" \t \r \n \uXXXX``; any other backslash stands for itself, and so does ``*``.
- An unquoted text goes on over white space up to a keyword or one of ``\ ( ) : < > " { }``, which need a backslash
  before them to be plain, as do ``*`` and a word that would be a keyword; white space around it is cut off.

Nested queries, field names with wildcards and values without a field are recognised and refused by name.
"""

import re
from collections.abc import Callable, Iterable

from evtxscan.eql.source import error_at, unsupported_at
from evtxscan.errors import EqlError
from evtxscan.kql.ast import And, Condition, Is, Name, Not, Or, Partial, Range, Value, joined
from evtxscan.kql.wildcards import Pattern, Wild

MAX_DEPTH = 50
"""Deepest nesting of parentheses: real rules need six, and ten calls a level have to fit Python's stack."""

_SPACE = " \t\r\n\u00a0"
_SPACES = re.compile(f"[{_SPACE}]*")
_KEYWORD = re.compile(f"(?:and|or|not)[{_SPACE}]", re.IGNORECASE)
_ESCAPED = re.compile(r"\\(?:(?P<white>[trn])|u(?P<hex>[0-9a-fA-F]{4})|(?P<plain>[\\\":()<>*{}]))")
_ESCAPED_KEYWORD = re.compile(r"\\(and|or|not)", re.IGNORECASE)
_QUOTED = re.compile(r'[^"\\]+')
_RANGE = re.compile(r"<=|>=|<|>")
_WHITE = {"t": "\t", "r": "\r", "n": "\n"}
_SPECIAL = frozenset('\\():<>"{}')


def parse(text: str) -> Condition | None:
    """Return the syntax tree of a query, None for one that asks nothing; raise EqlError where it is not KQL."""
    return _Parser(text).query()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def query(self) -> Condition | None:
        self.spaces()
        if self.at == len(self.text):
            return None
        found = self.any_of(self.condition)
        self.spaces()
        if self.at < len(self.text):
            raise self.error(self.unexpected())
        return found

    def any_of(self, item: Callable[[], Condition]) -> Condition:
        """Read conditions joined by or, which are conditions joined by and."""
        return joined(Or, self.separated("or", lambda: joined(And, self.separated("and", item))))

    def separated(self, keyword: str, item: Callable[[], Condition]) -> Iterable[Condition]:
        found = [item()]
        while self.accept(keyword):
            found.append(item())
        return found

    def condition(self) -> Condition:
        return self.negatable(self.plain_condition)

    def plain_condition(self) -> Condition:
        if self.peek() == "(":
            return self.parentheses(lambda: self.any_of(self.condition))
        start = self.at
        name = self.value("a field name")
        self.spaces()
        if operator := _RANGE.match(self.text, self.at):
            return self.range(self.name(name), operator.group())
        if self.peek() != ":":
            if not name.quoted and name.text.lower() == "not":
                raise self.error("'not' needs a space behind it", start)
            raise unsupported_at(
                self.text, start, f"[{name.text}] has no field; values without a field are not supported"
            )
        field = self.name(name)
        self.at += 1
        self.spaces()
        if self.peek() == "{":
            raise unsupported_at(self.text, self.at, f"nested query on [{field.path}]: nested fields are not supported")
        return self.values()(field)

    def range(self, field: Name, operator: str) -> Range:
        self.at += len(operator)
        self.spaces()
        value = self.value(f"a value after [{operator}]")
        if value.pattern is not None:
            raise self.error("a range cannot have a wildcard", value.start)
        return Range(field.start, value.end, field, operator, value)

    def values(self) -> Partial:
        """Read one value or a list of them in parentheses."""
        if self.peek() != "(":
            value = self.value("a value")
            return lambda field: Is(value.start, value.end, field, value)
        # Values are read with no field and get it when the whole list is there: lists nest.
        tree = self.parentheses(lambda: self.any_of(lambda: self.negatable(self.listed)))
        return lambda field: _spread(tree, field)

    def listed(self) -> Condition:
        return self.values()(_NOWHERE)

    def negatable(self, item: Callable[[], Condition]) -> Condition:
        start = self.at
        if not self.accept("not", leading=False):
            return item()
        negated = item()
        return Not(start, negated.end, negated)

    def parentheses(self, inner: Callable[[], Condition]) -> Condition:
        opening = self.at
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(f"nested deeper than {MAX_DEPTH} parentheses")
        self.at += 1
        self.spaces()
        found = inner()
        self.spaces()
        if self.at == len(self.text):
            raise self.error("parenthesis is not closed", opening)
        if self.peek() != ")":
            raise self.error(self.unexpected())
        self.at += 1
        self.depth -= 1
        return found

    def name(self, value: Value) -> Name:
        if value.pattern is not None:
            raise unsupported_at(
                self.text, value.start, f"field name [{value.text}] has a wildcard, which is not supported"
            )
        if any(char in _SPACE for char in value.text):
            raise self.error(f"field name [{value.text}] has a space in it; is 'and' or 'or' missing?", value.start)
        return Name(value.start, value.end, value.text)

    def value(self, expected: str) -> Value:
        start = self.at
        found = self.quoted() if self.peek() == '"' else self.unquoted()
        if found is None:
            self.at = start
            raise self.error(
                f"expected {expected}" + (f", found [{self.peek()}]" if self.peek() else " before the end")
            )
        return found

    def quoted(self) -> Value:
        start = self.at
        self.at += 1
        found: list[str] = []
        while (char := self.peek()) != '"':
            if not char:
                raise self.error('quoted text is not closed: " is missing', start)
            if match := _QUOTED.match(self.text, self.at):
                found.append(match.group())
                self.at = match.end()
            elif (escape := _ESCAPED.match(self.text, self.at)) and escape["plain"] in (None, "\\", '"'):
                found.append(_resolved(escape))
                self.at = escape.end()
            else:
                found.append(char)
                self.at += 1
        self.at += 1
        return Value(start, self.at, "".join(found), quoted=True)

    def unquoted(self) -> Value | None:
        start = self.at
        parts: list[str | Wild] = []
        plain: list[str] = []
        # A space ends the text only where a keyword or a special character follows: end is where it last went on.
        end = start
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == "*":
                if plain:
                    parts.append("".join(plain))
                parts.append(Wild.ANY)
                plain = []
                self.at += 1
            elif char == "\\":
                plain.append(self.escaped())
            elif char in _SPECIAL or (self.is_edge(start) and _KEYWORD.match(self.text, self.at)):
                break
            else:
                plain.append(char)
                self.at += 1
            if char not in _SPACE:
                end = self.at
        self.at = end
        tail = "".join(plain)
        parts = [*parts, tail] if tail else parts
        pattern = _trimmed(parts)
        if not pattern.parts:
            return None
        text = "".join(part if isinstance(part, str) else part.value for part in pattern.parts)
        return Value(start, end, text, quoted=False, pattern=pattern if Wild.ANY in pattern.parts else None)

    def is_edge(self, start: int) -> bool:
        return self.at == start or self.text[self.at - 1] in _SPACE

    def escaped(self) -> str:
        if match := _ESCAPED.match(self.text, self.at):
            self.at = match.end()
            return _resolved(match)
        if keyword := _ESCAPED_KEYWORD.match(self.text, self.at):
            self.at = keyword.end()
            return keyword[1]
        following = self.text[self.at + 1 : self.at + 2]
        raise self.error(f"[\\{following}] is no escape; write a plain backslash as \\\\ or put the text in quotes")

    def accept(self, keyword: str, *, leading: bool = True) -> bool:
        """Read a keyword with the white space that belongs to it, or nothing."""
        match = _SPACES.match(self.text, self.at)
        at = match.end() if match else self.at
        follows = self.text[at + len(keyword) : at + len(keyword) + 1]
        written = self.text[at : at + len(keyword)].lower()
        if written != keyword or not follows or follows not in _SPACE or (leading and at == self.at):
            return False
        self.at = at + len(keyword)
        self.spaces()
        return True

    def spaces(self) -> None:
        match = _SPACES.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def unexpected(self) -> str:
        found = self.peek()
        if found in "()" and self.text[self.at - 1] not in _SPACE:
            return f"unexpected [{found}]"
        return f"unexpected [{found}]; expected 'and' or 'or' with spaces around it, or the end"

    def error(self, message: str, at: int | None = None) -> EqlError:
        return error_at(self.text, self.at if at is None else at, message)


_NOWHERE = Name(0, 0, "")


def _spread(tree: Condition, field: Name) -> Condition:
    """Return a list of values with its field in every part."""
    if isinstance(tree, Is):
        return Is(tree.start, tree.end, field, tree.value)
    if isinstance(tree, Not):
        return Not(tree.start, tree.end, _spread(tree.item, field))
    if isinstance(tree, And | Or):
        return type(tree)(tree.start, tree.end, tuple(_spread(item, field) for item in tree.items))
    return tree


def _resolved(escape: re.Match[str]) -> str:
    if escape["white"]:
        return _WHITE[escape["white"]]
    return chr(int(escape["hex"], 16)) if escape["hex"] else escape["plain"]


def _trimmed(parts: list[str | Wild]) -> Pattern:
    """Cut white space off both ends, also where it was escaped, as Kibana does."""
    if parts and isinstance(parts[0], str):
        parts[0] = parts[0].lstrip()
    if parts and isinstance(parts[-1], str):
        parts[-1] = parts[-1].rstrip()
    return Pattern(tuple(part for part in parts if part))
