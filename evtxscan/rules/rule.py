"""One detection rule, as Elastic's TOML layout has it."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from evtxscan.errors import RuleError
from evtxscan.rules.new_terms import NewTerms, read_new_terms
from evtxscan.rules.rows import MalformedError, window
from evtxscan.rules.threshold import Threshold, read_threshold

SEVERITIES = ("low", "medium", "high", "critical")
_DEFAULT_LANGUAGES = dict.fromkeys(("query", "threshold", "new_terms", "saved_query", "threat_match"), "kuery")
DEFAULT_LOOKBACK = "now-6m"
"""How far back Kibana looks with a rule that does not say."""

_Read = TypeVar("_Read")
# How tomllib ends its messages.
_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)\Z")


@dataclass(frozen=True, slots=True)
class SigmaFacts:
    """What a Sigma rule says beside what every rule does, as words and ISO dates; empty where it says nothing."""

    level: str
    status: str
    logsource: str
    date: str
    modified: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule file. ``sha256`` is that of its bytes; ``threat`` is Elastic's ATT&CK structure as it stands there.

    ``query`` is the text of the condition; ``query_line`` the line of the file it begins at, for error messages.
    ``filters`` are conditions in Elasticsearch's Query DSL beside the query. ``threshold`` and ``new_terms`` are there
    for rules of these types; ``lookback``, the window of a threshold, is how many milliseconds one run looks back.
    ``sigma`` is there for Sigma rules, whose ``query`` is the EQL that was made of them.
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
    filters: tuple[dict[str, Any], ...] = ()
    lookback: int | None = None
    threshold: Threshold | None = None
    new_terms: NewTerms | None = None
    sigma: SigmaFacts | None = None


def read_rule(path: Path) -> Rule:
    """Read one rule file. Raises RuleError that names the file and what is wrong with it."""
    return parse_rule(read_bytes(path), str(path))


def read_bytes(path: Path) -> bytes:
    """Return a rule file's bytes. Raises RuleError that names the file and why it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise RuleError(str(path), f"cannot be read: {error.strerror or error}") from error


def parse_rule(raw: bytes, path: str) -> Rule:
    """Parse the bytes of a rule file; ``path`` is what messages call it. Raises RuleError."""
    text, content = read_toml(raw, path)
    table = content.get("rule")
    if not isinstance(table, dict):
        raise RuleError(path, "no [rule] table; a rule file has the layout of Elastic's detection rules")
    get = _Getter(table, path, text)
    rule_type = get.text("type")
    is_threshold = rule_type == "threshold"
    query = get.text("query", required=rule_type != "machine_learning")
    return Rule(
        path=path,
        sha256=hashlib.sha256(raw).hexdigest(),
        id=get.text("rule_id"),
        name=get.text("name"),
        version=str(table.get("version", "")),
        type=rule_type,
        language=get.text("language", required=False) or _DEFAULT_LANGUAGES.get(rule_type, rule_type),
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
        filters=get.tables("filters"),
        lookback=get.read("from", lambda value: window(str(value)), DEFAULT_LOOKBACK) if is_threshold else None,
        threshold=get.read("threshold", read_threshold) if is_threshold else None,
        new_terms=get.read("new_terms", read_new_terms) if rule_type == "new_terms" else None,
    )


def read_toml(raw: bytes, path: str) -> tuple[str, dict[str, Any]]:
    """Return a TOML file as text and parsed; ``path`` is what messages call it. Raises RuleError with the place."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RuleError(path, f"no valid TOML: not UTF-8 at byte {error.start}") from error
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message, place = str(error), _PLACE.search(str(error))
        if place is None:
            raise RuleError(path, f"no valid TOML: {message}") from error
        line, column = int(place[1]), int(place[2])
        lines = text.splitlines()
        excerpt = lines[line - 1] if line <= len(lines) else ""
        message = message.removesuffix(place[0]).rstrip()
        raise RuleError(path, f"no valid TOML: {message}", line, column, excerpt) from error
    except RecursionError as error:
        raise RuleError(path, "no valid TOML: nested too deep") from error


def _line_of_query(text: str) -> int:
    """Return the line of the file that holds the first line of the query's text (a newline opening it is trimmed)."""
    for number, line in enumerate(text.splitlines(), 1):
        head, equals, rest = line.partition("=")
        if head.strip() == "query" and equals:
            return number + 1 if rest.strip() in ("'''", '"""') else number
    return 1


@dataclass(frozen=True, slots=True)
class _Getter:
    """Reads typed entries of the [rule] table; ``source`` is the text of the file, for the places of errors."""

    table: dict[str, Any]
    path: str
    source: str

    def text(self, key: str, *, required: bool = True) -> str:
        value = self.table.get(key, None if required else "")
        if isinstance(value, str) and (value or not required):
            return value
        raise self.error(key, f"[rule] {key} has to be a text, it is {_name(value)}")

    def one_of(self, key: str, allowed: tuple[str, ...]) -> str:
        value = self.text(key)
        if value not in allowed:
            raise self.error(key, f"[rule] {key} is {value!r}, it has to be one of {', '.join(allowed)}")
        return value

    def number(self, key: str) -> int:
        value = self.table.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise self.error(key, f"[rule] {key} has to be a whole number, it is {_name(value)}")

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.table.get(key, [])
        value = [value] if isinstance(value, str) else value
        if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
            return tuple(value)
        raise self.error(key, f"[rule] {key} has to be a list of texts, it is {_name(value)}")

    def tables(self, key: str) -> tuple[dict[str, Any], ...]:
        value = self.table.get(key, [])
        if isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
            return tuple(value)
        raise self.error(key, f"[rule] {key} has to be a list of tables, it is {_name(value)}")

    def read(self, key: str, reader: Callable[[object], _Read], default: object = None) -> _Read:
        try:
            return reader(self.table.get(key, default))
        except MalformedError as error:
            raise self.error(key, f"[rule] {key}: {error}") from None

    def error(self, key: str, message: str) -> RuleError:
        """Make the error for an entry, at the line that it stands on, or that of [rule] where it is missing."""
        line, excerpt = line_of_entry(self.source, "[rule]", key)
        return RuleError(self.path, message, line, 1 if line else None, excerpt)


def line_of_entry(source: str, header: str, key: str, number: int = 1) -> tuple[int | None, str]:
    """Return number and text of the line on which a table's entry begins, of its header where there is none.

    ``header`` is the table's own line, ``number`` which of several tables of that name (from 1). A line of a text that
    looks like an entry is taken for one: this is for messages.
    """
    found: tuple[int | None, str] = (None, "")
    tables = 0
    for place, line in enumerate(source.splitlines(), 1):
        stripped = line.strip()
        if stripped == header:
            tables += 1
            if tables == number:
                found = (place, line)
        elif found[0] is not None and stripped.startswith("[") and tables >= number and stripped.endswith("]"):
            break
        elif found[0] is not None and stripped.partition("=")[0].strip() == key and "=" in stripped:
            return place, line
        if tables > number:
            break
    return found


def _name(value: object) -> str:
    return "missing" if value is None else f"a {type(value).__name__}"
