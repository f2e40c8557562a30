"""Writes what the logs of a case cover: for people as text, for programs as JSON (one host a line in NDJSON)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

from evtxscan.export import json
from evtxscan.export.fields import Document, readable_time
from evtxscan.export.text import visible
from evtxscan.export.wording import count, lacks_in_words, verdict_title

FORMATS = ("table", "json", "ndjson")
_SHOWN = 20
_VALUE = 100
_BEGINS = {
    "first_record": "begins with record 1",
    "cleared": "begins where the log was cleared",
    "exported": "an export or a forwarded log: a choice of records",
    "restarted": "its numbers began again: another log of this name was there before",
    "overwritten": "older records were overwritten, or are not in the evidence",
}
_GAPS = {
    "cleared": "the log was cleared",
    "lost": "found, but not readable",
    "damaged": "the file is damaged there",
    "exported": "an export or a forwarded log: a choice of records",
    "filtered": "left out by ingest --only",
    "separate_files": "between two files of the evidence",
    "unexplained": "NOTHING IN THE EVIDENCE SAYS WHY",
}
_STOPS = {
    "service_stopped": "the event log service was stopped, and began again without a boot",
    "sysmon_stopped": "Sysmon was stopped",
    "process_audit_off": "starts of processes were not audited",
}
_RECORDED = {
    "command_lines": "command lines of process starts (Security 4688)",
    "parent_names": "names of parents of process starts (Security 4688)",
    "sysmon": "Sysmon",
}
_ENDS = {"shutdown": "shut down", "unexpected": "went down unexpectedly before", "restart": "restarted before"}


def render_coverage(hosts: list[Document], form: str, stream: BinaryIO, *, verbose: bool = False) -> None:
    """Write the coverage as ``table``, ``json`` or ``ndjson``; ``verbose`` shows lists in full."""
    if form == "json":
        json.write_array(hosts, stream)
    elif form == "ndjson":
        json.write_lines(hosts, stream)
    else:
        for line in _lines(hosts, verbose=verbose):
            stream.write(line.encode() + b"\n")


def _lines(hosts: list[Document], *, verbose: bool) -> Iterator[str]:
    for host in hosts:
        yield f"HOST {visible(host['host'])}"
        for log in host["logs"]:
            yield from _log(log, verbose=verbose)
        yield from _section("Recorded", [_recorded(entry) for entry in host["recorded"]], verbose=True)
        yield from _section("Not logged", [_stop(entry) for entry in host["stops"]], verbose=verbose)
        yield from _section("Findings and verdicts", list(_windows(host["windows"])), verbose=verbose)
        yield from _section("Boots", [_boot(boot) for boot in host["boots"]], verbose=verbose)
        yield from _section("Clock changes", [_clock(change) for change in host["clock_changes"]], verbose=verbose)
        yield from _section("Records about the logs", [_notice(entry) for entry in host["notices"]], verbose=verbose)
        yield ""
    gaps = Counter(gap["reason"] for host in hosts for log in host["logs"] for gap in log["gaps"])
    told = ", ".join(f"{reason.replace('_', ' ')}: {number:,}" for reason, number in sorted(gaps.items()))
    yield f"{count(len(hosts), 'host')}; gaps in record ids: {told or 'none'}"


def _section(title: str, lines: list[str], *, verbose: bool) -> Iterator[str]:
    if not lines:
        return
    yield f"  {title}"
    shown = lines if verbose else lines[:_SHOWN]
    yield from (f"    {line}" for line in shown)
    if len(lines) > len(shown):
        yield f"    and {len(lines) - len(shown):,} more (-v lists them)"


def _log(log: Document, *, verbose: bool) -> Iterator[str]:
    yield f"  {visible(log['channel']) or '(no channel)'}"
    yield f"    {_range(log)}"
    ids = f"records {log['first_record_id']} to {log['last_record_id']}" if log["first_record_id"] is not None else ""
    yield f"    {count(log['events'], 'event')} in {count(log['files'], 'file')}, {ids}; {_BEGINS[log['begins']]}"
    lines = [_gap(gap) for gap in log["gaps"]]
    shown = lines if verbose else lines[:_SHOWN]
    yield from (f"    {line}" for line in shown)
    if len(lines) > len(shown):
        yield f"    and {count(len(lines) - len(shown), 'more gap')} (-v lists them)"


def _gap(gap: Document) -> str:
    lost = f", {gap['lost']:,} of them known losses" if gap["lost"] and gap["reason"] != "lost" else ""
    ids = f"{gap['after'] + 1}" if gap["records"] == 1 else f"{gap['after'] + 1} to {gap['before'] - 1}"
    return f"missing: {count(gap['records'], 'record')} ({ids}), {_range(gap)}{lost}: {_GAPS[gap['reason']]}"


def _range(entry: Document) -> str:
    start = readable_time(entry["from"]) or "(no time)"
    return f"{start} to {readable_time(entry['to']) or 'not in the evidence'}"


def _recorded(entry: Document) -> str:
    what = _RECORDED[entry["what"]]
    if entry["what"] == "sysmon":
        return f"{what}: {_since(entry)}"
    share = f"{entry['present']:,} of {entry['events']:,}"
    if not entry["present"]:
        return f"{what}: never ({share})"
    without = (
        f"; without from {readable_time(entry['first_without'])} to {readable_time(entry['last_without'])}"
        if entry["first_without"]
        else ""
    )
    return f"{what}: {share}, {_since(entry)}{without}"


def _since(entry: Document) -> str:
    return f"from {readable_time(entry['first_with'])} to {readable_time(entry['last_with'])}"


def _stop(entry: Document) -> str:
    return f"{_range(entry)}: {_STOPS[entry['reason']]} (event {entry['event']})"


def _windows(windows: list[Document]) -> Iterator[str]:
    """Yield each finding, and the verdicts by their windows: those of rules that look into the same logs share one."""
    verdicts: dict[bytes, list[Document]] = {}
    for entry in windows:
        if "finding" not in entry:
            shared = {name: entry[name] for name in ("from", "to", "whole", "lacks")}
            verdicts.setdefault(json.dumps(shared), []).append(entry)
    for group in verdicts.values():
        codes = Counter(entry["verdict"] for entry in group)
        if len(group) == 1:
            subject = f"verdict {verdict_title(group[0]['verdict'])} of rule {visible(group[0]['rule'])}"
        else:
            told = ", ".join(f"{verdict_title(code)}: {number:,}" for code, number in sorted(codes.items()))
            subject = f"{len(group):,} verdicts ({told})"
        yield from _window(subject, group[0])
    for entry in windows:
        if "finding" in entry:
            yield from _window(f"finding {entry['finding']} of rule {visible(entry['rule'])}", entry)


def _window(subject: str, window: Document) -> Iterator[str]:
    state = "whole" if window["whole"] else "NOT WHOLE"
    yield f"{subject}: the logs are {state}, {_range(window)}"
    yield from (f"  {visible(lack)}" for lack in lacks_in_words(window))


def _boot(boot: Document) -> str:
    start = readable_time(boot["start"]) if boot["start"] else "before the first boot that is recorded"
    if boot["end"] is None:
        return f"{start} to the end of the evidence"
    return f"{start}, {_ENDS[boot['end_method']]} {readable_time(boot['end'])}"


def _clock(change: Document) -> str:
    how = {"recorded": "recorded", "previous_record": "old time from the record before", "at_boot": "seen at boot"}
    return (
        f"{readable_time(change['old']) or 'not known'} set to {readable_time(change['new']) or 'not known'}"
        f" ({how.get(change['method'], change['method'])}; event {change['event']})"
    )


def _notice(entry: dict[str, Any]) -> str:
    detail = f": {visible(entry['detail'], _VALUE)}" if entry["detail"] else ""
    return f"{readable_time(entry['time'])}  {visible(entry['channel'])} {entry['code']}: {entry['what']}{detail}"
