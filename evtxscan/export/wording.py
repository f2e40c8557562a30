"""Says in words what verdicts, reasons, fields and sessions mean; the words themselves are data (schema/report)."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any

from evtxscan import schema
from evtxscan.export.fields import Document, plain
from evtxscan.export.result import Result
from evtxscan.export.tally import Tally

_UNITS = ((86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"), (1_000, "second"), (1, "millisecond"))
MAX_LACKS = 3
"""What is lacking in a window, as far as a line names it."""
MAX_TIMES = 2
_CODE = re.compile("[a-z]+(_[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Explained:
    """A code in a few words and, where there is more to say, in sentences."""

    title: str
    text: str = ""


def explain_verdict(code: str) -> Explained:
    """Return what a verdict means."""
    return Explained(**_texts()["verdicts"][code])


def explain_reason(code: str | None) -> Explained:
    """Return what a reason means; one that is not of the closed list speaks for itself."""
    if known := _texts()["reasons"].get(code):
        return Explained(**known)
    # Other parts of the result have codes of their own, whose words are the code's.
    return Explained(code.replace("_", " ") if code and _CODE.fullmatch(code) else code or "no reason given")


def explain_origin(code: str) -> str:
    """Return in words from what part of a file a record was read."""
    origin: str = _texts()["origins"][code]
    return origin


def verdict_title(code: str) -> str:
    """Return a verdict in one or two words."""
    return explain_verdict(code).title


def field_meaning(name: str) -> str:
    """Return what an ECS field holds, or nothing where its name must do."""
    meaning: str = _texts()["fields"].get(name, "")
    return meaning


def glossary() -> list[tuple[str, str]]:
    """Return the terms of the report with their meaning, in alphabetical order."""
    return [(entry["term"], entry["text"]) for entry in _texts()["glossary"]]


def lacks_in_words(window: Document) -> list[str]:
    """Return each thing that the logs lack of a window in a phrase, the gravest first. Times are UTC."""
    order = list(_texts()["lacks"])
    groups: dict[tuple[str, str, str], list[Document]] = {}
    for lack in sorted(window["lacks"], key=lambda lack: (order.index(lack["reason"]), lack["from"] or "")):
        groups.setdefault((lack["reason"], lack["channel"], lack.get("host", "")), []).append(lack)
    return [_lack_words(group) for group in groups.values()]


def gravest_lacks(window: Document) -> list[str]:
    """Return the gravest of ``lacks_in_words``, and how many more there are."""
    lacks = lacks_in_words(window)
    more = [f"and {len(lacks) - MAX_LACKS:,} more"] if len(lacks) > MAX_LACKS else []
    return [*lacks[:MAX_LACKS], *more]


def window_line(window: Document) -> str:
    """Return whether a window is whole, from when to when, and what the logs lack of it."""
    if not window["whole"]:
        return f"not whole: {'; '.join(gravest_lacks(window))}"
    return f"whole, {span_of(window['from'], window['to'])} UTC"


def short_log(channel: str) -> str:
    """Return a channel as people name it: ``Sysmon``, ``PowerShell``, ``Security``."""
    return channel.removeprefix("Microsoft-Windows-").removesuffix("/Operational")


def _lack_words(lacks: list[Document]) -> str:
    """Return what a log lacks for one reason, once or more than once."""
    first = lacks[0]
    start = None if any(lack["from"] is None for lack in lacks) else min(lack["from"] for lack in lacks)
    end = None if any(lack["to"] is None for lack in lacks) else max(lack["to"] for lack in lacks)
    number = sum(lack["records"] for lack in lacks)
    parts = sum(lack["parts"] for lack in lacks)
    time = " and ".join(span_of(lack["from"], lack["to"]) for lack in lacks)
    if parts > MAX_TIMES:
        time = f"{parts:,} times from {span_of(start, end)}"
    phrase: str = _texts()["lacks"][first["reason"]]
    told = phrase.format(
        log=short_log(first["channel"]) or "such",
        records=count(number, "record"),
        missing=f", {count(number, 'record')} missing" if number else "",
        time=time,
        **{"from": _minute(start), "to": _minute(end)},
    )
    return f"{first['host']}: {told}" if "host" in first else told


def span_of(start: str | None, end: str | None) -> str:
    """Return two times (ISO 8601) to the minute, or to the second within one minute."""
    if not start or not end:
        return f"from {_minute(start)} on" if start else f"until {_minute(end)}" if end else "at an unknown time"
    first, last = _minute(start), _minute(end)
    if first == last:
        first, last = start[:19].replace("T", " "), end[:19].replace("T", " ")
    if first == last:
        return first
    return f"{first} to {last[11:] if last[:10] == first[:10] else last}"


def _minute(time: str | None) -> str:
    if not time:
        return "a time that is not known"
    return time[:16].replace("T", " ") if time[10:11] == "T" else time


def account(user: Document | None) -> str:
    r"""Return ``DOMAIN\name``, or what there is of it."""
    user = user or {}
    parts = [plain(user.get("domain")), plain(user.get("name"))]
    return "\\".join(part for part in parts if part) or plain(user.get("id"))


def logon_type(session: Document) -> str:
    """Return a logon type as number and name, ``3 (Network)``."""
    number, name = plain(session.get("logon_type")), plain(session.get("logon_type_name"))
    return f"{number} ({name})" if number and name else number or name


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun, ``1 record`` or ``2,000 records``."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def duration(milliseconds: int) -> str:
    """Return a length of time in its two largest units, ``2 hours 37 minutes``, cut and not rounded."""
    parts: list[str] = []
    rest = milliseconds
    for length, unit in _UNITS:
        number, rest = divmod(rest, length)
        if number:
            parts.append(count(number, unit))
        if parts and (len(parts) == 2 or not number):
            break
    return " ".join(parts) or "0 seconds"


def tally_lines(found: Tally) -> list[str]:
    """Return how many findings there are of each severity, tactic and origin; nothing for no findings.

    Origins are told where a finding has a stale record.
    """
    severities = ", ".join(f"{name} {number:,}" for name, number in found.severities)
    tactics = ", ".join(f"{name} {number:,}" for _, name, number in found.tactics)
    lines = [f"findings by severity: {severities}"] if severities else []
    if tactics:
        lines.append(f"findings by ATT&CK tactic: {tactics}")
    if origins := told_origins(found):
        lines.append(f"findings by origin of their records: {origins}")
    return lines


def told_origins(found: Tally) -> str:
    """Return how many findings are of which origin, where one has a stale record; else nothing."""
    if not any(number for origin, number in found.origins if origin != "live"):
        return ""
    return ", ".join(f"{name} {number:,}" for name, number in found.origins if number)


def summary_line(result: Result) -> str:
    """Return the result in one sentence."""
    verdicts = Counter(verdict.verdict for verdict in result.verdicts)
    tally = ", ".join(f"{verdict_title(code)}: {verdicts[code]}" for code in _texts()["verdicts"] if verdicts[code])
    lost = sum(source.get("lost") or 0 for source in result.sources)
    parts = [
        f"{count(len(result.findings), 'finding')} by {count(len(result.rules), 'rule')}",
        f"{len(result.suppressed):,} suppressed" if result.suppressions else "",
        f"verdicts: {tally}" if tally else "",
        f"{count(len(result.refused), 'rule')} not run" if result.refused else "",
        f"{count(lost, 'record')} of the evidence lost" if lost else "",
    ]
    return "; ".join(part for part in parts if part)


@cache
def _texts() -> dict[str, Any]:
    return tomllib.loads(schema.read_text("report/texts.toml"))
