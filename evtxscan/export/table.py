"""Prints results for people at a terminal, and as plain text of a fixed width where there is none.

Everything from the evidence goes through ``visible`` and into ``rich.text.Text``, never into markup.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, BinaryIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from evtxscan.detect.verdict import Verdict
from evtxscan.export.fields import Document, get, readable_time, texts
from evtxscan.export.groups import asked_line, group_line, group_view, novelty_line, novelty_view, together
from evtxscan.export.places import where
from evtxscan.export.result import Result, events_of, explained, first_event, is_sequence
from evtxscan.export.tally import Counts, RuleGroup, by_rule, counted, host_of, tactics_of, tally
from evtxscan.export.text import visible
from evtxscan.export.wording import (
    account,
    count,
    explain_reason,
    logon_type,
    summary_line,
    tally_lines,
    verdict_title,
    window_line,
)

# Piped output must not depend on the terminal it was made at.
PIPED_WIDTH = 120
MAX_VALUE = 400
MAX_SESSIONS = 3
MAX_PARTS = 10
MAX_GROUP_EVENTS = 2
# Beyond so many, only verdicts that ask for an examiner are listed.
MAX_VERDICTS = 100
PAGE = 200
_FILL = re.compile(" +$", re.MULTILINE)

_STYLES = {"match": "bold red", "undetermined": "yellow", "incomplete": "yellow", "no_match": "green"}
_MISSING = (Text("(missing)", style="dim"), "", "", "")
_DETAILS = (
    "process.command_line",
    "dns.question.name",
    "registry.path",
    "file.path",
    "destination.ip",
    "service.name",
    "user.name",
    "process.executable",
)


def write_result(result: Result, stream: BinaryIO) -> None:
    """Print the findings by rule, host and time, what is suppressed, a verdict for each rule and host, a summary."""
    with console(stream) as out:
        counts = Counts()
        groups = by_rule(counted(result.findings, counts))
        for group in groups:
            _print_group(group, result, out)
        _print_suppressed(result, out)
        _print_verdicts(result, out)
        for reason in explained(result.refused):
            out.print(_text(f"not run: {reason.splitlines()[0]}", "yellow", MAX_VALUE))
        for warning in result.warnings:
            out.print(_text(f"warning: {warning.explain()}", "yellow", MAX_VALUE))
        for line in tally_lines(tally(result, counts)):
            out.print(_text(line))
        out.print(Text(summary_line(result), style="bold"))


def write_events(documents: Iterable[Document], stream: BinaryIO) -> None:
    """Print one line an event, as they come, with headings again for each page of them; a sequence is several lines."""
    with console(stream) as out:
        rows = iter(documents)
        shown, sequences = 0, 0
        while page := list(islice(rows, PAGE)):
            shown += len(page)
            table = _table()
            table.add_column("time, event id", width=29, overflow="fold")
            table.add_column("host", ratio=3)
            table.add_column("event", ratio=4)
            table.add_column("detail", ratio=9)
            for document in page:
                if is_sequence(document):
                    sequences += 1
                    table.add_row(_text(f"sequence {sequences}", "bold"), "", "", _text(_joined(document), "bold"))
                for event in events_of(document):
                    table.add_row(*(_MISSING if event is None else _event_cells(event)))
            out.print(table)
        out.print(Text(count(shown, "sequence" if sequences else "event")))


@contextmanager
def console(stream: BinaryIO) -> Iterator[Console]:
    """Give a console that writes to ``stream``: coloured on a terminal, plain and of a fixed width elsewhere."""
    plain: dict[str, Any] = {}
    if not stream.isatty():
        plain = {"width": PIPED_WIDTH, "color_system": None, "legacy_windows": False, "_environ": {}}
    wrapper = _Trimmed if plain else io.TextIOWrapper
    text = wrapper(stream, encoding="utf-8", newline="\n", write_through=True)
    try:
        yield _Console(file=text, force_terminal=not plain, markup=False, highlight=False, emoji=False, **plain)
    finally:
        text.detach()


class _Console(Console):
    """Leaves it to the caller what follows from a reader that has gone; rich would exit with code 1."""

    def on_broken_pipe(self) -> None:
        raise  # noqa: PLE0704 - rich calls this where it has caught the error


class _Trimmed(io.TextIOWrapper):
    """Leaves out the blanks that rich fills its lines with."""

    def write(self, text: str) -> int:
        return super().write(_FILL.sub("", text))


def _table() -> Table:
    return Table(box=None, expand=True, pad_edge=False, header_style="bold")


def _text(value: str, style: str = "", limit: int | None = None) -> Text:
    return Text(visible(value, limit), style=style, overflow="fold")


def _print_group(group: RuleGroup, result: Result, console: Console) -> None:
    """Print the findings of one rule, host by host."""
    rule = group.rule
    console.print(_text(f"{rule['severity'].upper()} {rule['risk_score']}  {rule['name']}", "bold red"))
    tactics = ", ".join(name for _, name in tactics_of(rule))
    where = f"{count(group.count, 'finding')} on {count(len(group.hosts), 'host')}"
    console.print(_text(f"{where}; ATT&CK: {tactics}" if tactics else where, "dim"))
    console.print()
    for host in group.hosts:
        if len(group.hosts) > 1:
            console.print(_text(f"{host.host or 'several hosts'}: {count(len(host.places), 'finding')}", "bold"))
        for place in host.places:
            _print_finding(result.findings[place], console)


def _print_suppressed(result: Result, console: Console) -> None:
    """Print each entry of the suppression files with what it set aside: nothing is left out."""
    if not result.suppressions:
        return
    console.print(Text("Suppressed", style="bold"))
    for entry in result.suppressions:
        until = f", until {entry['expires']}" if entry["expires"] else ""
        head = f"{entry['author']}, {entry['date']}{until}: {entry['reason']}"
        where = "; ".join(f"{key} {entry[key]}" for key in ("host", "when") if entry[key])
        console.print(_text(head, "yellow", MAX_VALUE))
        console.print(_text(f"  rule {entry['rule']}{f'; {where}' if where else ''}", limit=MAX_VALUE))
        console.print(_text(f"  {count(entry['findings'], 'finding')} ({entry['path']}, line {entry['line']})"))
        for finding in result.suppressed:
            if finding["evtxscan"]["suppressed"]["entry"] == entry["entry"]:
                console.print(_text(f"    {_suppressed_line(finding)}", limit=MAX_VALUE))
    console.print()


def _suppressed_line(finding: Document) -> str:
    event = first_event(finding)
    what = next((found for field in _DETAILS if (found := _join(event, field))), "")
    parts = [readable_time(event.get("@timestamp")), host_of(finding), finding["evtxscan"]["rule"]["name"], what]
    return f"{finding['evtxscan']['finding']['id']}  {', '.join(part for part in parts if part)}"


def _print_finding(finding: Document, console: Console) -> None:
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(width=12, no_wrap=True)
    grid.add_column(ratio=1)
    for label, value in _rows(finding):
        if value:
            grid.add_row(Text(label, style="dim"), _text(value, limit=MAX_VALUE))
    console.print(grid)
    console.print()


def _rows(finding: Document) -> Iterator[tuple[str, str]]:
    ours = finding["evtxscan"]
    events = events_of(finding)
    if group := group_view(ours):
        yield "group", together(group.shared) or "all events"
        yield "events", group_line(group)
        yield "asked for", asked_line(group)
        events = events[:MAX_GROUP_EVENTS]
    in_sequence = is_sequence(finding)
    for number, event in enumerate(events, 1):
        if in_sequence:
            yield f"event {number}", _headline(event)
        yield from _event_rows(event)
        if in_sequence and event is not None:
            yield from _finding_rows(event["evtxscan"])
    if in_sequence:
        yield from _sequence_rows(ours)
    if group and group.count > len(events):
        yield "", f"and {count(group.count - len(events), 'more event')}"
    if novelty := novelty_view(ours):
        for combination in novelty.combinations:
            seen = f" (last seen {combination.last_seen})" if combination.last_seen else ""
            yield "new", together(combination.terms) + seen
        yield "history", novelty_line(novelty)
    yield from _finding_rows(ours)
    if window := ours.get("window"):
        yield "window", window_line(window)


def _event_rows(event: Document | None) -> Iterator[tuple[str, str]]:
    if event is None:
        return
    inferred = {entry["field"] for entry in get(event, "evtxscan.inferred") or []}

    def told(field: str) -> str:
        value = _join(event, field)
        return f"{value} (inferred)" if value and field in inferred else value

    yield "time", readable_time(event.get("@timestamp"))
    yield "host", _join(event, "host.name")
    yield "process", _process(event, "process")
    yield "command", told("process.command_line")
    yield "parent", _process(event, "process.parent")
    yield "its command", told("process.parent.command_line")
    yield "account", account(get(event, "user"))
    yield "event id", _join(event, "evtxscan.event.id")
    for place in get(event, "evtxscan.provenance") or []:
        mended = " (mended)" if place.get("mended") else ""
        yield "record", f"{place['source']['path']}, {where(place)}{mended}"


def _headline(event: Document | None) -> str:
    if event is None:
        return "(none: the rule asks that there be no such event)"
    what = _join(event, "event.action") or _join(event, "event.provider")
    detail = next((found for field in _DETAILS if (found := _join(event, field))), "")
    is_told = detail in (_join(event, "process.command_line"), _join(event, "process.executable"))
    return f"{_join(event, 'event.code')} {what}" + ("" if is_told else f": {detail}")


def _sequence_rows(ours: Document) -> Iterator[tuple[str, str]]:
    yield "joined by", ", ".join(texts(ours["join_keys"]))
    for gap in ours.get("not_covered") or []:
        yield "not shown", f"that event {gap['event'] + 1} is missing: {explain_reason(gap['reason']).title}"


def _finding_rows(ours: Document) -> Iterator[tuple[str, str]]:
    yield "inferred", ", ".join(entry["field"] for entry in ours.get("inferred") or [])
    yield "as Defend's", ", ".join(f"{entry['field']} {entry['value']}" for entry in ours.get("defend_values") or [])
    yield "missing", ", ".join(ours.get("relies_on_missing") or [])
    if session := ours.get("session"):
        yield "session", _session(session)
    if open_sessions := ours.get("sessions_open"):
        shown = [_session(session) for session in open_sessions[:MAX_SESSIONS]]
        if more := ours.get("sessions_open_total", len(open_sessions)) - len(shown):
            shown.append(f"and {count(more, 'more session')}")
        yield "also open", "; ".join(shown)
    if block := ours.get("script_block"):
        yield "script block", _script_block(block)
    if witnesses := ours.get("witnesses"):
        yield "witnesses", ", ".join(witnesses)


def _script_block(block: Document) -> str:
    there = f"{block['present']:,} of {count(block['total'], 'part')} in the evidence"
    ids = [part["event"] for part in block.get("parts", [])[:MAX_PARTS]]
    more = len(block.get("parts", [])) - len(ids)
    listed = ", ".join(ids) + (f" and {more:,} more" if more else "")
    return f"{there}{': ' if ids else ''}{listed}"


def _print_verdicts(result: Result, console: Console) -> None:
    if not result.verdicts:
        return
    names = {rule["id"]: rule["name"] for rule in result.rules}
    shown = result.verdicts
    if len(shown) > MAX_VERDICTS:
        shown = tuple(verdict for verdict in shown if verdict.verdict in ("match", "undetermined"))
    table = _table()
    table.add_column("rule", ratio=5)
    table.add_column("host", ratio=3)
    table.add_column("verdict", width=13)
    table.add_column("events", justify="right", width=9)
    table.add_column("what is missing, and why", ratio=6)
    for verdict in shown:
        table.add_row(
            _text(names.get(verdict.rule, verdict.rule)),
            _text(verdict.host),
            Text(verdict_title(verdict.verdict), style=_STYLES[verdict.verdict]),
            Text(f"{verdict.events:,}"),
            Text("\n").join(map(_text, _said(verdict))),
        )
    console.print(table)
    if others := len(result.verdicts) - len(shown):
        console.print(Text(f"and {count(others, 'verdict')} of no match or incomplete, which --format json lists"))
    console.print()


def _said(verdict: Verdict) -> Iterator[str]:
    """Yield what was missing, and whether the logs are whole."""
    if verdict.missing:
        yield "; ".join(_missing(verdict))
    if verdict.window is not None:
        yield f"logs {window_line(verdict.window.document())}"


def _missing(verdict: Verdict) -> Iterator[str]:
    for missing in verdict.missing:
        yield f"{missing.field} in {count(missing.events, 'event')}: {explain_reason(missing.reason).title}"


def _session(session: Document) -> str:
    if session["status"] == "none":
        why = f"no record of the logon ({explain_reason(session.get('reason')).title})"
        known = ", ".join(part for part in (account(session.get("user")), why) if part)
        return f"{session['logon_id']}: {known}" if session["logon_id"] else known
    parts = [
        account(session.get("user")),
        f"logon type {logon_type(session)}",
        f"from {origin}" if (origin := _join(session, "source.ip") or _join(session, "workstation")) else "",
        readable_time(session.get("start")),
    ]
    return f"{session['logon_id']}: {', '.join(part for part in parts if part)}"


def _process(event: Document, prefix: str) -> str:
    executable = _join(event, f"{prefix}.executable") or _join(event, f"{prefix}.name")
    pid = _join(event, f"{prefix}.pid")
    return f"{executable} (pid {pid})" if executable and pid else executable or (pid and f"pid {pid}")


def _joined(document: Document) -> str:
    keys = [f'"{key}"' if key == "" else key for key in texts(get(document, "evtxscan.join_keys"))]
    return f"joined by {', '.join(keys)}" if keys else ""


def _event_cells(document: Document) -> Iterator[Text]:
    # The id stands under the time: beside it there would be no room for the event at 80 columns.
    yield Text("\n").join([_text(document.get("@timestamp", "")), _text(_join(document, "evtxscan.event.id"), "dim")])
    yield _text(_join(document, "host.name"))
    what = _join(document, "event.action") or _join(document, "event.provider")
    yield _text(f"{_join(document, 'event.code')} {what}", limit=MAX_VALUE)
    yield _text(next((found for field in _DETAILS if (found := _join(document, field))), ""), limit=MAX_VALUE)


def _join(document: Document, field: str) -> str:
    return ", ".join(texts(get(document, field)))
