"""Writes lists of rules with their states, and what is wrong with them."""

from __future__ import annotations

import csv as standard
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from evtxscan.detect.evidence import Decides, RuleEvidence
from evtxscan.export import json
from evtxscan.export.csv import write_cell
from evtxscan.export.rulebook import RuleBook
from evtxscan.export.table import console
from evtxscan.export.text import visible
from evtxscan.export.wording import count, explain_reason
from evtxscan.rules.events import event_class
from evtxscan.rules.ready import Refused
from evtxscan.rules.state import RuleState

LIST_FORMATS = ("table", "json", "ndjson", "csv")
CHECK_FORMATS = ("table", "json")

MOST_EVENTS = 6
_MOST_ROWS = 25
STATE_WORDS = {"runs": "runs", "runs_without_fields": "runs, without fields", "not_supported": "not supported"}
_STYLES = {"runs": "green", "runs_without_fields": "yellow", "not_supported": "red"}
DECIDES: dict[Decides, str] = {"yes": "can be decided", "in_part": "in part", "no": "cannot be decided"}
_COLUMNS = ("id", "name", "severity", "risk_score", "type", "language", "state", "why", "path", "index")


def write_list(book: RuleBook, form: str, stream: BinaryIO) -> None:
    """Write one entry a rule as ``table``, ``json``, ``ndjson`` or ``csv``."""
    if form == "table":
        with console(stream) as out:
            _print_list(book, out)
    elif form == "csv":
        _write_csv(book, stream)
    elif form == "ndjson":
        json.write_lines((book.document(state) for state in book.states), stream)
    else:
        _write_json(book, stream)


def write_check(book: RuleBook, form: str, stream: BinaryIO) -> None:
    """Write what is wrong with the rules and, for a case, what it would have to hold; ``table`` or ``json``."""
    if form == "json":
        _write_json(book, stream)
        return
    with console(stream) as out:
        for line in _problems(book):
            out.print(line)
        if book.hosts is not None:
            _print_needs(book, out)
        out.print(Text(summary_line(book), style="bold"))


def summary_line(book: RuleBook) -> str:
    """Return the states of all rules in one sentence."""
    states = Counter(state.state for state in book.states)
    never = sum(state.state != "not_supported" and not state.can_match for state in book.states)
    broken = sum(state.is_broken for state in book.states)
    parts = [
        count(len(book.states), "rule"),
        f"{states['runs']:,} run",
        f"{states['runs_without_fields']:,} run without fields that are never in event logs",
        f"{states['not_supported']:,} not supported" + (f" ({broken:,} of them broken)" if broken else ""),
    ]
    line = "; ".join(parts)
    return f"{line}. {never:,} of those that run can match no event of a Windows log." if never else f"{line}."


def why(state: RuleState) -> str:
    """Return in one line why a rule does not run, or runs with less than it asks for."""
    if state.refused:
        return f"{_place(state.refused)}{state.refused.message}"
    parts = []
    if state.never:
        parts.append(f"never in event logs: {', '.join(state.never)}")
    parts += [unknown.message for unknown in state.unknown]
    if not state.can_match:
        parts.append("no event of a Windows log can meet it")
    return "; ".join(parts)


def events_in_words(events: Iterable[str]) -> str:
    """Return event classes as people name them: ``Sysmon 12, 13 or 14``, ``Sysmon 1 or Security 4688``."""
    labels = [event_class(event).label for event in events]
    logs = [label.rpartition(" ")[0] for label in labels]
    shown = [
        label.rpartition(" ")[2] if place and logs[place] == logs[place - 1] else label
        for place, label in enumerate(labels)
    ]
    if len(shown) > MOST_EVENTS:
        return f"{', '.join(shown[:MOST_EVENTS])} or one of {len(shown) - MOST_EVENTS} more"
    return " or ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def _place(refused: Refused) -> str:
    if refused.line is None:
        return ""
    return f"line {refused.line}, column {refused.column}: " if refused.column else f"line {refused.line}: "


def _write_json(book: RuleBook, stream: BinaryIO) -> None:
    stream.write(b'{\n"rules": ')
    json.write_entries((book.document(state) for state in book.states), stream)
    if book.hosts is not None:
        stream.write(b',\n"hosts": ' + json.dumps(list(book.hosts)))
    stream.write(b',\n"summary": ' + json.dumps(book.summary()) + b"\n}\n")


def _write_csv(book: RuleBook, stream: BinaryIO) -> None:
    line = io.StringIO(newline="")
    writer = standard.writer(line, quoting=standard.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for state in book.states:
        entry = {**state.document(), "why": why(state), "index": " | ".join(state.rule.index if state.rule else ())}
        cells = ("" if entry[column] is None else str(entry[column]) for column in _COLUMNS)
        writer.writerow([write_cell(cell) for cell in cells])
    stream.write("\ufeff".encode() + line.getvalue().encode())


def _print_list(book: RuleBook, out: Console) -> None:
    table = Table(box=None, expand=True, pad_edge=False, header_style="bold")
    table.add_column("rule, id", ratio=6)
    table.add_column("severity", width=8)
    table.add_column("state", width=13)
    table.add_column("why", ratio=6)
    if book.hosts is not None:
        table.add_column("this case", ratio=6)
    for state in book.states:
        cells = [
            Text("\n", overflow="fold").join(
                [told(name(state)), told(state.rule.id if state.rule else state.path, "dim")]
            ),
            Text(state.rule.severity if state.rule else ""),
            Text(STATE_WORDS[state.state], style=_STYLES[state.state]),
            told(why(state)),
        ]
        if book.hosts is not None:
            cells.append(told(_in_case(book.of(state))))
        table.add_row(*cells)
    out.print(table)
    out.print()
    out.print(Text(summary_line(book), style="bold"))


def _in_case(entries: tuple[RuleEvidence, ...]) -> str:
    """Return in a line on how many hosts a rule can be decided, and what the others would need."""
    if not entries:
        return ""
    answers = Counter(entry.decides for entry in entries)
    parts = [f"{DECIDES[code]} on {_hosts(answers[code], len(entries))}" for code in DECIDES if answers[code]]
    needs = dict.fromkeys(need for entry in entries for need in entry.needs if need)
    if needs:
        parts.append("needs " + ", and ".join(events_in_words(need) for need in needs))
    return "; ".join(parts)


def _hosts(some: int, whole: int) -> str:
    return "all hosts" if some == whole > 1 else count(some, "host") if whole > 1 else "the host"


def _problems(book: RuleBook) -> Iterator[Text]:
    """Yield what is wrong with rule files, each with its place, then what is not supported, by reason."""
    for state in book.states:
        if state.is_broken and (refused := state.refused):
            place = _place(refused)
            yield told(f"{state.path}{', ' if place else ': '}{place}{refused.message}", "red")
            yield from excerpt(refused)
    for state in book.states:
        for unknown in state.unknown:
            place = f", line {unknown.line}, column {unknown.column}" if unknown.line else ""
            yield told(f"{state.path}{place}: warning: {unknown.message}", "yellow")
    others: dict[str, list[RuleState]] = {}
    for state in book.states:
        if state.refused and not state.is_broken:
            others.setdefault(state.refused.message, []).append(state)
    for message, states in sorted(others.items()):
        yield told(f"not supported: {message} ({count(len(states), 'rule')})", "yellow")
        for state in states:
            yield told(f"  {name(state)}  {state.path}")


def excerpt(refused: Refused) -> Iterator[Text]:
    """Yield the line of a query that is wrong and a caret below the place, if there is one."""
    if refused.excerpt and refused.column:
        pad = "".join("\t" if c == "\t" else " " for c in refused.excerpt[: refused.column - 1])
        for line in (refused.excerpt, f"{pad}^"):
            yield Text("  " + "\t".join(visible(part) for part in line.split("\t")))


def _print_needs(book: RuleBook, out: Console) -> None:
    """Print which logs would have to exist: events that rules wait for, on which hosts, and what was not recorded."""
    waiting: dict[tuple[str, ...], tuple[set[str], set[str]]] = {}
    lacking: dict[tuple[str, str, str], tuple[set[str], set[str]]] = {}
    for rule, entries in book.evidence.items():
        for entry in entries:
            for need in filter(None, entry.needs):
                rules, hosts = waiting.setdefault(need, (set(), set()))
                rules.add(rule)
                hosts.add(entry.host)
            for stage in entry.stages:
                for present in stage.present if stage.decides == "in_part" else ():
                    if event_class(present.event).code is None:
                        continue  # of other events nobody can say what they ought to have
                    for lack in present.lacks:
                        rules, hosts = lacking.setdefault((present.event, lack.field, lack.reason), (set(), set()))
                        rules.add(rule)
                        hosts.add(entry.host)
    whole = len(book.hosts or ())
    if waiting:
        out.print(Text("Events that would have to be there", style="bold"))
        table = _columns("rules", "hosts without", "events")
        for need, (rules, hosts) in sorted(waiting.items(), key=lambda item: (-len(item[1][0]), item[0])):
            table.add_row(f"{len(rules):,}", told(_named(hosts, whole)), told(events_in_words(need)))
        out.print(table)
        out.print()
    if lacking:
        out.print(Text("Fields that none of the events has", style="bold"))
        table = _columns("rules", "hosts", "event, field, why")
        ordered = sorted(lacking.items(), key=lambda item: (-len(item[1][0]), item[0]))
        for (event, lacked, reason), (rules, hosts) in ordered[:_MOST_ROWS]:
            line = f"{event_class(event).label}: {lacked}: {explain_reason(reason).title}"
            table.add_row(f"{len(rules):,}", told(_named(hosts, whole)), told(line))
        out.print(table)
        if (more := len(ordered) - _MOST_ROWS) > 0:
            out.print(Text(f"... and {more:,} more; --format json has all"))
        out.print()


def _columns(*names: str) -> Table:
    table = Table(box=None, expand=True, pad_edge=False, header_style="bold")
    table.add_column(names[0], justify="right", width=6)
    table.add_column(names[1], ratio=3)
    table.add_column(names[2], ratio=7)
    return table


def _named(hosts: set[str], whole: int) -> str:
    if len(hosts) == whole > 1:
        return f"all {whole:,}"
    shown = sorted(hosts)[:3]
    more = len(hosts) - len(shown)
    return ", ".join([host or "(none named)" for host in shown] + ([f"{more:,} more"] if more else []))


def name(state: RuleState) -> str:
    """Return what to call a rule."""
    return state.rule.name if state.rule else "(no rule)"


def told(value: str, style: str = "") -> Text:
    """Return text from a rule or the evidence, safe for a terminal."""
    return Text(visible(value), style=style, overflow="fold")
