"""One detection rule, as Elastic's TOML layout has it."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evtxscan.errors import RuleError

SEVERITIES = ("low", "medium", "high", "critical")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule file. ``sha256`` is that of its bytes; ``threat`` is Elastic's ATT&CK structure as it stands there.

    ``query`` is the text of the condition; ``query_line`` the line of the file it begins at, for error messages.
    """

    path: str
    sha256: str
    id: str
    name: str
    version: str
    type: str
    language: str
    query: str
    query_line: int
    severity: str
    risk_score: int
    description: str
    author: tuple[str, ...]
    license: str
    references: tuple[str, ...]
    false_positives: tuple[str, ...]
    note: str
    tags: tuple[str, ...]
    index: tuple[str, ...]
    threat: tuple[dict[str, Any], ...]


def read_rule(path: Path) -> Rule:
    """Read one rule file. Raises RuleError that names the file and what is wrong with it."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise RuleError(str(path), f"cannot be read: {error.strerror or error}") from error
    return parse_rule(raw, str(path))


def parse_rule(raw: bytes, path: str) -> Rule:
    """Parse the bytes of a rule file; ``path`` is what messages call it. Raises RuleError."""
    try:
        text = raw.decode("utf-8")
        content = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RuleError(path, f"no valid TOML: {error}") from error
    except RecursionError as error:
        raise RuleError(path, "no valid TOML: nested too deep") from error
    table = content.get("rule")
    if not isinstance(table, dict):
        raise RuleError(path, "no [rule] table; a rule file has the layout of Elastic's detection rules")
    get = _Getter(table, path)
    rule_type = get.text("type")
    query = get.text("query", required=rule_type != "machine_learning")
    return Rule(
        path=path,
        sha256=hashlib.sha256(raw).hexdigest(),
        id=get.text("rule_id"),
        name=get.text("name"),
        version=str(table.get("version", "")),
        type=rule_type,
        language=get.text("language", required=False) or rule_type,
        query=query,
        query_line=_line_of_query(text),
        severity=get.one_of("severity", SEVERITIES),
        risk_score=get.number("risk_score"),
        description=get.text("description", required=False).strip(),
        author=get.texts("author"),
        license=get.text("license", required=False),
        references=get.texts("references"),
        false_positives=get.texts("false_positives"),
        note=get.text("note", required=False).strip(),
        tags=get.texts("tags"),
        index=get.texts("index"),
        threat=tuple(entry for entry in table.get("threat", ()) if isinstance(entry, dict)),
    )


def _line_of_query(text: str) -> int:
    """Return the line of the file that holds the first line of the query's text (a newline opening it is trimmed)."""
    for number, line in enumerate(text.splitlines(), 1):
        head, equals, rest = line.partition("=")
        if head.strip() == "query" and equals:
            return number + 1 if rest.strip() in ("'''", '"""') else number
    return 1


@dataclass(frozen=True, slots=True)
class _Getter:
    """Reads typed entries of the [rule] table."""

    table: dict[str, Any]
    path: str

    def text(self, key: str, *, required: bool = True) -> str:
        value = self.table.get(key, None if required else "")
        if isinstance(value, str) and (value or not required):
            return value
        raise RuleError(self.path, f"[rule] {key} has to be a text, it is {_name(value)}")

    def one_of(self, key: str, allowed: tuple[str, ...]) -> str:
        value = self.text(key)
        if value not in allowed:
            raise RuleError(self.path, f"[rule] {key} is {value!r}, it has to be one of {', '.join(allowed)}")
        return value

    def number(self, key: str) -> int:
        value = self.table.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise RuleError(self.path, f"[rule] {key} has to be a whole number, it is {_name(value)}")

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.table.get(key, [])
        value = [value] if isinstance(value, str) else value
        if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
            return tuple(value)
        raise RuleError(self.path, f"[rule] {key} has to be a list of texts, it is {_name(value)}")


def _name(value: object) -> str:
    return "missing" if value is None else f"a {type(value).__name__}"
