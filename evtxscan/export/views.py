"""Arranges findings for the report: every value as text, every gap and every inference named.

The template only lays out what stands here; it knows no field names and decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from evtxscan.evidence.evtx_layout import CHUNK_SIZE, FILE_HEADER_SIZE
from evtxscan.export.fields import Document, flatten, get, plain, readable_time, texts
from evtxscan.export.groups import GroupView, NoveltyView, group_view, novelty_view
from evtxscan.export.result import events_of, first_event
from evtxscan.export.sessions import SessionView, session_view, sessions_by_start
from evtxscan.export.wording import (
    Explained,
    account,
    explain_origin,
    explain_reason,
    field_meaning,
    lacks_in_words,
    span_of,
)

_EVENTS_NAMED = 10


@dataclass(frozen=True, slots=True)
class FieldRow:
    """A field of an event: its ECS name, what it means, its values, and how they were inferred ("" if recorded)."""

    name: str
    meaning: str
    values: list[str]
    inferred: str


@dataclass(frozen=True, slots=True)
class Told:
    """A value as the report's sentences quote it, and how it was inferred ("" if recorded)."""

    value: str
    inferred: str


@dataclass(frozen=True, slots=True)
class TestRow:
    """One test of the rule that held, with the values it held for; ``event`` counts from 1 in a sequence, else "" ."""

    event: str
    test: str
    fields: list[FieldRow]


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """Where a record lies in the evidence; ``position`` is its byte position in the file, from 0.

    ``line``: the number of a document's line, from 1; its SHA-256 beside it. Empty for records.
    """

    path: str
    sha256: str
    chunk: str
    offset: str
    position: str
    record_id: str
    origin: str
    line: str = ""
    line_sha256: str = ""


@dataclass(frozen=True, slots=True)
class ParentRow:
    """One ancestor of a process."""

    program: str
    pid: str
    command_line: str
    start: str
    inferred: str
    event_id: str


@dataclass(frozen=True, slots=True)
class EventView:
    """One event of a finding; ``is_start`` tells whether it can be told as the start of a process."""

    event_id: str
    time: str
    host: str
    what: str
    is_start: bool
    program: Told
    command_line: Told
    pid: str
    parent: Told
    parent_pid: str
    parent_command_line: Told
    account: str
    fields: list[FieldRow]
    places: list[PlaceRow]
    raw_xml: str
    raw_json: str
    parents: list[ParentRow]
    parents_end: str
    session: SessionView | None
    witnesses: list[str]


@dataclass(frozen=True, slots=True)
class NotCoveredRow:
    """An event of a sequence, counted from 1, that the rule asks to be missing, and why that is not shown."""

    event: int
    reason: Explained


@dataclass(frozen=True, slots=True)
class WindowView:
    """The time that a finding rests on, and what the logs lack of it, the gravest first."""

    span: str
    is_whole: bool
    lacks: list[str]


@dataclass(frozen=True, slots=True)
class FindingView:
    """One finding as its section of the report shows it; ``events`` holds None where a sequence has no event.

    ``group`` is there for threshold rules and ``novelty`` for new-terms rules. ``window`` is None where the finding
    says nothing of it.
    """

    number: int
    finding_id: str
    rule: Document
    first: EventView
    events: list[EventView | None]
    tests: list[TestRow]
    relies_on_missing: list[FieldRow]
    defend_values: list[Document]
    not_covered: list[NotCoveredRow]
    sessions_open: list[SessionView]
    sessions_open_total: int
    logons_before: list[SessionView]
    logons_before_total: int
    join_keys: list[str]
    group: GroupView | None
    novelty: NoveltyView | None
    suppressed_by: str
    window: WindowView | None


def finding_view(number: int, finding: Document) -> FindingView:
    """Arrange one finding; ``number`` is its place in the report, from 1."""
    ours = finding["evtxscan"]
    events = events_of(finding)
    return FindingView(
        number=number,
        finding_id=ours["finding"]["id"],
        rule=ours["rule"],
        first=_event_view(first_event(finding)),
        events=[None if event is None else _event_view(event) for event in events],
        tests=list(_tests(ours, [_inferred(event or {}) for event in events])),
        relies_on_missing=[FieldRow(name, field_meaning(name), [], "") for name in ours.get("relies_on_missing") or []],
        defend_values=ours.get("defend_values") or [],
        not_covered=[
            NotCoveredRow(gap["event"] + 1, explain_reason(gap["reason"])) for gap in ours.get("not_covered") or []
        ],
        sessions_open=sessions_by_start(ours.get("sessions_open")),
        sessions_open_total=ours.get("sessions_open_total") or 0,
        logons_before=sessions_by_start(ours.get("logons_before")),
        logons_before_total=ours.get("logons_before_total") or 0,
        join_keys=texts(ours.get("join_keys")),
        group=group_view(ours),
        novelty=novelty_view(ours),
        suppressed_by=plain((ours.get("suppressed") or {}).get("entry")),
        window=_window_view(ours["window"]) if ours.get("window") else None,
    )


def _window_view(window: Document) -> WindowView:
    return WindowView(span_of(window["from"], window["to"]), window["whole"], lacks_in_words(window))


def _event_view(event: Document) -> EventView:
    ours = event.get("evtxscan") or {}
    inferred = _inferred(event)

    def told(*names: str) -> Told:
        name = next((name for name in names if _text(event, name)), "")
        return Told(_text(event, name), inferred.get(name, ""))

    return EventView(
        event_id=_text(event, "evtxscan.event.id"),
        time=readable_time(event.get("@timestamp")),
        host=_text(event, "host.name"),
        what=_what(event),
        is_start="process" in texts(get(event, "event.category")) and "start" in texts(get(event, "event.type")),
        program=told("process.executable", "process.name"),
        command_line=told("process.command_line"),
        pid=_text(event, "process.pid"),
        parent=told("process.parent.executable", "process.parent.name"),
        parent_pid=_text(event, "process.parent.pid"),
        parent_command_line=told("process.parent.command_line"),
        account=account(get(event, "user")),
        fields=[
            FieldRow(name, field_meaning(name), texts(value), inferred.get(name, ""))
            for name, value in flatten({key: value for key, value in event.items() if key != "evtxscan"})
        ],
        places=[_place_row(place) for place in get(event, "evtxscan.provenance") or []],
        raw_xml=_text(event, "evtxscan.raw_xml"),
        raw_json=_text(event, "evtxscan.raw_json"),
        parents=[_parent_row(parent) for parent in ours.get("parents") or []],
        parents_end=explain_reason(ours["parents_end"]).title if ours.get("parents_end") else "",
        session=session_view(ours["session"]) if ours.get("session") else None,
        witnesses=texts(ours.get("witnesses")),
    )


def _what(event: Document) -> str:
    name = _text(event, "event.action")
    code = f"event {_text(event, 'event.code')} of {_text(event, 'event.provider')}"
    return f"{name} ({code})" if name and name != "None" else code


def _inferred(event: Document) -> dict[str, str]:
    return {
        entry["field"]: f"{explain_reason(entry['method']).title}; {_origin(entry)}"
        for entry in get(event, "evtxscan.inferred") or []
    }


def _origin(entry: Document) -> str:
    events = entry.get("events") or [plain(entry.get("from")) or "not named"]
    named = ", ".join(events[:_EVENTS_NAMED])
    more = f" and {len(events) - _EVENTS_NAMED:,} more" if len(events) > _EVENTS_NAMED else ""
    return f"from {'events' if len(events) > 1 else 'event'} {named}{more}"


def _tests(ours: Document, inferred: list[dict[str, str]]) -> Iterator[TestRow]:
    for matched in ours.get("matched") or []:
        place = matched.get("event")
        rows = [
            FieldRow(name, field_meaning(name), texts(values), inferred[place or 0].get(name, ""))
            for name, values in sorted(matched["values"].items())
        ]
        # The test stands as in the rule, but for the indentation it has there.
        event = "" if place is None else str(place + 1)
        yield TestRow(event, re.sub(r"[ \t]*\r?\n[ \t]*", "\n", matched["test"]), rows)


def _place_row(place: Document) -> PlaceRow:
    chunk, offset, line = place.get("chunk"), place.get("offset"), place.get("line")
    return PlaceRow(
        path=place["source"]["path"],
        sha256=place["source"]["sha256"],
        chunk=plain(chunk),
        offset=plain(offset),
        position=f"{line['offset']:,}" if line else _position(chunk, offset),
        record_id=plain(place.get("record_id")),
        origin=explain_origin(place["origin"]) + ("; mended to be read" if place.get("mended") else ""),
        line=f"{line['number']:,}" if line else "",
        line_sha256=line["sha256"] if line else "",
    )


def _position(chunk: int | None, offset: int | None) -> str:
    return "" if chunk is None or offset is None else f"{FILE_HEADER_SIZE + chunk * CHUNK_SIZE + offset:,}"


def _parent_row(parent: Document) -> ParentRow:
    return ParentRow(
        program=plain(parent.get("executable")),
        pid=plain(parent.get("pid")),
        command_line=plain(parent.get("command_line")),
        start=readable_time(parent.get("start")),
        inferred=explain_reason(parent.get("method")).title if parent.get("how") == "inferred" else "",
        event_id=plain(parent.get("event")),
    )


def _text(event: Document, name: str) -> str:
    return ", ".join(texts(get(event, name)))
