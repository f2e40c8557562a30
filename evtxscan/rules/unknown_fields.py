"""Finds the fields of a query that nobody knows: misspelt, most often, and then never met in silence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from evtxscan.ecs.names import is_event_data, is_known, nearest


class Recorded(Protocol):
    """The event data of a case, and the fields of its documents."""

    def knows(self, field: str) -> bool:
        """Tell whether some document has this field."""

    def has(self, field: str) -> bool:
        """Tell whether some event has this event data."""

    def names(self) -> frozenset[str]:
        """Return the names of all event data that no mapping table names."""


@dataclass(frozen=True, slots=True)
class UnknownField:
    """A field that neither ECS nor the case knows, and the known name most like it.

    ``line`` and ``column`` are its place in the text of the query, from 1, None where it is named elsewhere.
    """

    field: str
    nearest: str | None
    in_case: bool
    line: int | None = None
    column: int | None = None

    @property
    def message(self) -> str:
        """What to tell a user."""
        head = f"no event of this case has {self.field}" if self.in_case else f"unknown field {self.field}"
        return f"{head}; did you mean {self.nearest}?" if self.nearest else head

    def document(self) -> dict[str, Any]:
        """Return it as it stands in JSON."""
        return {"field": self.field, "nearest": self.nearest, "line": self.line, "column": self.column}


def unknown_fields(
    fields: Iterable[str], text: str, recorded: Recorded | None = None, *, first_line: int = 1
) -> tuple[UnknownField, ...]:
    """Return those of a query's fields that are unknown, in their order.

    ``text`` is the query, ``first_line`` the line of the file that it begins at. Event data may have any name: without
    a case (``recorded`` None) it is not looked at, with one it has to be recorded there or be in a mapping table.
    """
    found: list[UnknownField] = []
    for field in dict.fromkeys(fields):
        if is_known(field) or (recorded is not None and recorded.knows(field)):
            continue
        if is_event_data(field):
            if recorded is None or recorded.has(field):
                continue
            more = recorded.names()
        else:
            more = frozenset()
        line, column = _place(field, text)
        place = None if line is None else line + first_line - 1
        found.append(UnknownField(field, nearest(field, more), is_event_data(field), place, column))
    return tuple(found)


def _place(field: str, text: str) -> tuple[int | None, int | None]:
    match = re.search(rf"(?<![\w.@]){re.escape(field)}(?![\w.])", text)
    if match is None:
        return None, None
    before = text[: match.start()]
    return before.count("\n") + 1, match.start() - (before.rfind("\n") + 1) + 1
