"""The small language in which a mapping table says how a field is computed: ``function(input, ...)``.

An input is the name of a recorded value (no dot in it), of a column or of another derived field (with a dot), or a
call in turn. ``unique(user.name, account(SubjectUserName))`` is a term.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from evtxscan.ecs import derive
from evtxscan.ecs.errors import MappingError

# Functions whose field is a list in the document even where it has one value.
_LISTS = frozenset(
    [
        "codes",
        "dns_addresses",
        "dns_answers",
        "flags",
        "hashes",
        "powershell_details",
        "registry_data_string",
        "security_args",
        "sid_names",
        "sysmon_args",
        "unique",
        "words",
    ]
)


@dataclass(frozen=True, slots=True)
class Name:
    """A recorded value, a column or a derived field."""

    text: str

    def names(self) -> Iterator[str]:
        """Yield the names that the term reads."""
        yield self.text


@dataclass(frozen=True, slots=True)
class Call:
    """A function of terms; ``spec`` is its name, with an argument behind a colon if it takes one."""

    spec: str
    inputs: tuple[Term, ...]

    def names(self) -> Iterator[str]:
        """Yield the names that the term reads."""
        for term in self.inputs:
            yield from term.names()

    @property
    def makes_list(self) -> bool:
        """Whether the field is a list however many values it has."""
        return self.spec.partition(":")[0] in _LISTS

    @property
    def takes_all(self) -> bool:
        """Whether the function gets all values of each input instead of the first."""
        return self.spec.partition(":")[0] in derive.COLLECT

    def apply(self, values: list[derive.Values]) -> derive.Values:
        """Return the values of the call for the values of its inputs."""
        function = derive.function(self.spec)
        if self.takes_all:
            return function(*values)
        arguments: list[Any] = [value[0] if value else None for value in values]
        return function(*arguments)


Term = Name | Call


def parse(text: str) -> Term:
    """Parse a term. Raises MappingError for an unknown function or a parenthesis too many or too few."""
    head, bracket, rest = text.strip().partition("(")
    if not bracket:
        if not head or set(head) & set(") ,"):
            raise MappingError(f"{text!r} is no term")
        return Name(head)
    if not rest.endswith(")"):
        raise MappingError(f"{text!r} lacks a closing parenthesis")
    derive.function(head)
    return Call(head, tuple(parse(part) for part in _split(rest[:-1])))


def _split(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]
