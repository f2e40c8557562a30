"""Writes one rule wholly: its texts, its state, and what a case can decide of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from evtxscan.detect.evidence import RuleEvidence
from evtxscan.export import json
from evtxscan.export.rulebook import RuleBook
from evtxscan.export.rules import (
    DECIDES,
    MOST_EVENTS,
    STATE_WORDS,
    events_in_words,
    excerpt,
    name,
    told,
    why,
)
from evtxscan.export.table import console
from evtxscan.export.wording import explain_reason
from evtxscan.rules.events import event_class
from evtxscan.rules.state import RuleState

SHOW_FORMATS = ("table", "json")


def write_rule(book: RuleBook, state: RuleState, form: str, stream: BinaryIO) -> None:
    """Write one rule with all its texts; ``table`` or ``json``."""
    if form == "json":
        stream.write(json.dumps(book.document(state, whole=True)) + b"\n")
        return
    with console(stream) as out:
        _print_rule(book, state, out)


def _print_rule(book: RuleBook, state: RuleState, out: Console) -> None:
    out.print(told(name(state), "bold"))
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(width=16, no_wrap=True)
    grid.add_column(ratio=1)
    for label, value in _facts(state):
        if value:
            grid.add_row(Text(label, style="dim"), told(value))
    out.print(grid)
    if state.refused:
        for line in excerpt(state.refused):
            out.print(line)
    for title, text in _prose(state):
        if text.strip():
            out.print()
            out.print(Text(title, style="bold"))
            for part in text.strip("\n").splitlines():
                out.print(told(part))
    if book.hosts is not None and state.refused is None:
        out.print()
        out.print(Text("In this case", style="bold"))
        _print_evidence(book.of(state), out)


def _facts(state: RuleState) -> Iterator[tuple[str, str]]:
    rule = state.rule
    reason = why(state)
    yield "state", STATE_WORDS[state.state] + (f": {reason}" if reason else "")
    yield "file", state.path
    if rule is None:
        return
    yield "id", rule.id
    yield "version", rule.version
    yield "severity", f"{rule.severity}, risk score {rule.risk_score} of 100"
    yield "type", f"{rule.type}, in {rule.language}"
    yield "SHA-256", rule.sha256
    yield "index patterns", ", ".join(rule.index)
    for threat in rule.threat:
        yield "ATT&CK", "; ".join(_attack(threat))
    yield "tags", ", ".join(rule.tags)
    yield "author", ", ".join(rule.author)
    yield "license", rule.license
    yield "fields", ", ".join(state.fields)
    for entry in state.translated:
        values = f"{entry.field} {' or '.join(entry.values)}"
        yield "as Defend's", f"{values}: {events_in_words(entry.events)}, in {entry.test}"
    for number, stage in enumerate(state.stages, 1):
        label = "decided from" if len(state.stages) == 1 else f"event {number}"
        events = events_in_words(stage.events) or "no event of a Windows log"
        yield label, f"(must be missing) {events}" if stage.stage.missing else events
        for event in stage.events[:MOST_EVENTS]:
            if lacking := stage.lacking(event):
                yield "", f"{event_class(event).label} never has {', '.join(lacking)}"


def _attack(threat: dict[str, Any]) -> Iterator[str]:
    """Yield tactic, techniques and sub-techniques with their ids."""
    entries = [threat.get("tactic"), *_list(threat.get("technique"))]
    for entry in entries:
        if isinstance(entry, dict):
            yield f"{entry.get('name', '')} ({entry.get('id', '')})"
            for sub in _list(entry.get("subtechnique")):
                if isinstance(sub, dict):
                    yield f"{sub.get('name', '')} ({sub.get('id', '')})"


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _prose(state: RuleState) -> Iterator[tuple[str, str]]:
    if rule := state.rule:
        yield "Description", rule.description
        yield "Query", rule.query
        yield "False positives", "\n".join(f"- {text}" for text in rule.false_positives)
        yield "References", "\n".join(rule.references)
        yield "Investigation guide", rule.note


def _print_evidence(entries: tuple[RuleEvidence, ...], out: Console) -> None:
    table = Table(box=None, expand=True, pad_edge=False, header_style="bold")
    table.add_column("host", ratio=3)
    table.add_column("the rule", width=17)
    table.add_column("events, and what they lack", ratio=7)
    for entry in entries:
        cells = (entry.host or "(none named)", DECIDES[entry.decides], "; ".join(_held(entry)))
        table.add_row(*map(told, cells))
    out.print(table)


def _held(entry: RuleEvidence) -> Iterator[str]:
    for number, stage in enumerate(entry.stages, 1):
        head = f"event {number}: " if len(entry.stages) > 1 else ""
        if not stage.present:
            yield f"{head}needs {events_in_words(stage.absent) or 'an event that no Windows log has'}; there is none"
        for present in stage.present[:MOST_EVENTS]:
            reasons: dict[str, list[str]] = {}
            for lack in present.lacks:
                reasons.setdefault(lack.reason, []).append(lack.field)
            lacks = "; ".join(f"no {', '.join(names)}: {explain_reason(code).title}" for code, names in reasons.items())
            line = f"{head}{present.events:,} of {event_class(present.event).label}"
            yield f"{line} ({lacks})" if lacks else line
            head = ""
