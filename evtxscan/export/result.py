"""What detection found, as one value that every renderer takes. A renderer adds nothing and queries nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from evtxscan.detect.verdict import Verdict
from evtxscan.export.fields import Document, get


@dataclass(frozen=True, slots=True)
class RefusedRule:
    """A rule that could not run: its file, why, and the place in its query where there is one (from 1).

    ``excerpt`` is the line of the query that holds the place. ``by_type``: no rule of its type runs.
    """

    path: str
    message: str
    line: int | None = None
    column: int | None = None
    excerpt: str = ""
    by_type: bool = False

    def explain(self) -> str:
        """Return the message with its place, the line of the query and a caret."""
        if self.line is None or self.column is None:
            return f"{self.path}: {self.message}"
        pad = "".join("\t" if c == "\t" else " " for c in self.excerpt[: self.column - 1])
        return f"{self.path}, line {self.line}, column {self.column}: {self.message}\n  {self.excerpt}\n  {pad}^"

    def document(self) -> Document:
        """Return it as it stands in the JSON result."""
        return {"path": self.path, "message": self.message, "line": self.line, "column": self.column}


def explained(refused: Iterable[RefusedRule]) -> list[str]:
    """Return why rules could not run, in text: what keeps all rules of a type from it once, with their number."""
    by_message: dict[str, list[RefusedRule]] = {}
    for rule in refused:
        by_message.setdefault(rule.message if rule.by_type else rule.explain(), []).append(rule)
    return [
        rules[0].explain() if len(rules) == 1 else f"{len(rules):,} rules (evtxscan rules list names them): {message}"
        for message, rules in by_message.items()
    ]


@dataclass(frozen=True, slots=True)
class RuleWarning:
    """Something in a rule that is most likely not meant: a field that nobody knows, and the known name most like it."""

    rule: str
    path: str
    message: str
    field: str
    nearest: str | None = None
    line: int | None = None
    column: int | None = None

    def explain(self) -> str:
        """Return the message with its place."""
        place = f", line {self.line}, column {self.column}" if self.line else ""
        return f"{self.path}{place}: {self.message}"

    def document(self) -> Document:
        """Return it as it stands in the JSON result."""
        return {
            "rule": self.rule,
            "path": self.path,
            "message": self.message,
            "field": self.field,
            "nearest": self.nearest,
            "line": self.line,
            "column": self.column,
        }


@dataclass(frozen=True, slots=True)
class Scope:
    """Which part of the case was examined (None and empty: all of it), and with recorded fields only or not.

    ``defend_values``: whether rules for Elastic Defend saw its values; ``live_only``: no stale records.
    """

    start: str | None = None
    end: str | None = None
    hosts: tuple[str, ...] = ()
    observed_only: bool = False
    defend_values: bool = True
    live_only: bool = False

    def document(self) -> Document:
        """Return it as it stands in the JSON result."""
        return {
            "from": self.start,
            "to": self.end,
            "hosts": list(self.hosts),
            "observed_only": self.observed_only,
            "defend_values": self.defend_values,
            "live_only": self.live_only,
        }


@dataclass(frozen=True, slots=True)
class CaseLabel:
    """What the laboratory writes on the folder."""

    number: str | None = None
    examiner: str | None = None
    exhibits: tuple[str, ...] = ()
    notes: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """Findings, verdicts and what they rest on.

    ``findings`` is iterated more than once and never copied, so it may read from the case as it goes. ``rules`` are
    documents as in ``evtxscan.rule``, ``suppressed`` the findings that ``suppressions`` set aside, ``sources``
    documents as in schema/export/ingest.schema.json; ``containers`` are the files of archives and images that sources
    came out of, for the report: what is a hash there depends on how ingest was called.
    """

    findings: Sequence[Document]
    verdicts: tuple[Verdict, ...]
    sources: tuple[Document, ...]
    versions: dict[str, str]
    rules: tuple[Document, ...] = ()
    refused: tuple[RefusedRule, ...] = ()
    warnings: tuple[RuleWarning, ...] = ()
    suppressed: Sequence[Document] = ()
    suppressions: tuple[Document, ...] = ()
    scope: Scope = field(default_factory=Scope)
    label: CaseLabel = field(default_factory=CaseLabel)
    containers: tuple[Document, ...] = ()


def events_of(finding: Document) -> list[Document | None]:
    """Return the events of a finding: itself, or those of a sequence, None where one is missing."""
    events = get(finding, "evtxscan.events")
    return events if isinstance(events, list) else [finding]


def is_sequence(document: Document) -> bool:
    """Tell whether a finding, or what a query found, is a sequence and no single event."""
    return isinstance(get(document, "evtxscan.join_keys"), list)


def first_event(finding: Document) -> Document:
    """Return the first event of a finding that is there, with everything the finding says in its ``evtxscan``."""
    event = next((event for event in events_of(finding) if event is not None), {})
    return {**event, "evtxscan": {**event.get("evtxscan", {}), **finding["evtxscan"]}}
