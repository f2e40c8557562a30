"""Suppression files: findings that an examiner has looked at and sets aside, with author, reason and date.

TOML with one ``[[suppress]]`` table for each decision::

    [[suppress]]
    rule = "265db8f5-fc73-4d0d-b434-6483b56372e2"
    host = "ws-fin-07"
    when = 'process.command_line : "*\\\\backup.cmd*"'
    author = "R. Vogt"
    reason = "The backup of this machine, see the order of 3 March"
    date = 2026-03-04
    expires = 2026-12-31

``rule``, ``author``, ``reason`` and ``date`` are required. What is suppressed is counted and listed, never left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date as Day  # noqa: N812 - entries have a member of that name
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from evtxscan.ecs.base import base
from evtxscan.eql.binder import bind_condition
from evtxscan.eql.documents import reader
from evtxscan.eql.logic import matches, truth_of
from evtxscan.eql.mapping import FieldMapping, field_type
from evtxscan.eql.parser import parse_expression
from evtxscan.eql.predicates import Predicate, leaves
from evtxscan.errors import EqlError, EvtxscanError, RuleError
from evtxscan.rules.rule import line_of_entry, read_toml
from evtxscan.rules.unknown_fields import UnknownField, unknown_fields

_REQUIRED = ("rule", "author", "reason", "date")
_KEYS = frozenset({*_REQUIRED, "host", "when", "expires"})
_HEADER = "[[suppress]]"


@dataclass(frozen=True, slots=True)
class Suppression:
    """One decision. ``line`` is that of its table in the file, ``sha256`` that of the file's bytes.

    ``host`` is a name in full or its first label, in lower case. ``condition`` is ``when``, bound.
    """

    path: str
    sha256: str
    line: int
    rule: str
    author: str
    reason: str
    date: Day
    expires: Day | None = None
    host: str | None = None
    when: str | None = None
    condition: Predicate | None = None

    def covers(self, rule: str, hosts: Sequence[str], events: Sequence[dict[str, Any]]) -> bool:
        """Tell whether a finding is set aside: of this rule, all on this host, not after the end, and as ``when`` says.

        ``events`` are the documents of the finding's events; one that meets ``when`` is enough. The end is held
        against the time of the first event, not the time of day: the same evidence gives the same result.
        """
        if rule != self.rule or not events:
            return False
        if self.expires is not None and str(events[0].get("@timestamp", ""))[:10] > self.expires.isoformat():
            return False
        if self.host is not None and (not hosts or not all(_is_host(host, self.host) for host in hosts)):
            return False
        condition = self.condition
        if condition is None:
            return True
        return any(matches(condition, truth_of(reader(event, _types()))) for event in events)

    def document(self) -> dict[str, Any]:
        """Return it as it stands in JSON, without its file."""
        return {
            "rule": self.rule,
            "host": self.host,
            "when": self.when,
            "author": self.author,
            "reason": self.reason,
            "date": self.date.isoformat(),
            "expires": self.expires and self.expires.isoformat(),
        }

    @property
    def unknown_fields(self) -> tuple[UnknownField, ...]:
        """The fields of ``when`` that nobody knows."""
        tests = leaves(self.condition) if self.condition is not None else []
        return unknown_fields((field for leaf in tests for field in leaf.fields), self.when or "")


@cache
def _types() -> FieldMapping:
    return FieldMapping({field: field_type(name) for field, name in base().types.items()})


def _is_host(name: str, wanted: str) -> bool:
    return wanted in (name.lower(), name.lower().split(".", 1)[0])


def load_suppressions(paths: Sequence[str]) -> tuple[Suppression, ...]:
    """Read suppression files, in their order. Raises EvtxscanError that says all that is wrong, with lines."""
    found: list[Suppression] = []
    errors: list[str] = []
    for path in paths:
        try:
            raw = Path(path).read_bytes()
        except OSError as error:
            errors.append(f"{path}: cannot be read: {error.strerror or error}")
            continue
        for entry in parse_suppressions(raw, path):
            if isinstance(entry, Suppression):
                found.append(entry)
            else:
                errors.append(str(entry))
    if errors:
        raise EvtxscanError("\n".join(errors))
    return tuple(found)


def parse_suppressions(raw: bytes, path: str) -> Iterator[Suppression | RuleError]:
    """Yield the entries of a file, and an error in place of each that is not valid."""
    try:
        text, content = read_toml(raw, path)
    except RuleError as error:
        yield error
        return
    if odd := sorted(set(content) - {"suppress"}):
        yield RuleError(path, f"{odd[0]!r} is unknown; entries are tables {_HEADER}")
    entries = content.get("suppress", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        yield RuleError(path, f"entries have to be tables {_HEADER}")
        return
    if not entries:
        yield RuleError(path, f"there is no entry; entries are tables {_HEADER}")
    digest = hashlib.sha256(raw).hexdigest()
    for number, entry in enumerate(entries, 1):
        yield _read(entry, path, digest, line_of_entry(text, _HEADER, "", number)[0] or 0, _errors(text, path, number))


def _errors(text: str, path: str, number: int) -> Callable[[str, str], RuleError]:
    """Return what makes the error for a key of an entry, at its line."""

    def error(key: str, message: str) -> RuleError:
        line, excerpt = line_of_entry(text, _HEADER, key, number)
        return RuleError(path, message, line, None, excerpt)

    return error


def _read(
    entry: dict[str, Any], path: str, digest: str, line: int, error: Callable[[str, str], RuleError]
) -> Suppression | RuleError:
    if unknown := sorted(set(entry) - _KEYS):
        return error(unknown[0], f"{unknown[0]!r} is unknown; an entry has {', '.join(sorted(_KEYS))}")
    for key in _REQUIRED:
        if key not in entry:
            return error(key, f"{key} is missing; who suppresses what, why and when has to be said")
    for key in ("rule", "author", "reason", "host", "when"):
        value = entry.get(key, "x")
        if not isinstance(value, str) or not value.strip():
            return error(key, f"{key} has to be a text")
    for key in ("date", "expires"):
        value = entry.get(key, Day.min)
        if not isinstance(value, Day) or isinstance(value, datetime):
            return error(key, f"{key} has to be a date such as 2026-03-04, without quotes")
    when = entry.get("when")
    condition = None
    if when is not None:
        try:
            condition = bind_condition(parse_expression(when), when, _types())
        except EqlError as wrong:
            return error("when", f"when: column {wrong.column} of the condition: {wrong.message}")
    host = entry.get("host")
    return Suppression(
        path=path,
        sha256=digest,
        line=line,
        rule=entry["rule"],
        author=entry["author"],
        reason=entry["reason"],
        date=entry["date"],
        expires=entry.get("expires"),
        host=host and host.lower(),
        when=when,
        condition=condition,
    )
