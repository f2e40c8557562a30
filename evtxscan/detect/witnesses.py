"""Process starts that both Sysmon and the Security log recorded: two records of one start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from evtxscan.detect.results import Hit
from evtxscan.eql.sql.values import EventValues
from evtxscan.rules.new_terms import NewTerm
from evtxscan.rules.rows import Key
from evtxscan.store.case import Case

_ROWS_AT_ONCE = 500


def fold(case: Case, hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """Make one hit of a process that both logs saw start: Sysmon's record tells more and stands for it."""
    others = _others(case, [hit.row for hit in hits])
    by_row = {hit.row: hit for hit in hits}
    folded: list[Hit] = []
    for hit in hits:
        sysmon, security = others.get(hit.row, (hit.row, hit.row))
        if hit.row != sysmon and sysmon in by_row:
            continue  # told by Sysmon's record, which matches too
        witnesses = tuple(row for row in (sysmon, security) if row != hit.row)
        new: dict[Key, NewTerm] = {}
        for row in (hit.row, *witnesses):
            for term in by_row[row].new if row in by_row else ():
                new.setdefault(term.key, term)
        folded.append(Hit(hit.row, witnesses, tuple(new.values())))
    return tuple(folded)


def each_start_once(case: Case, rows: Iterable[EventValues]) -> Iterator[EventValues]:
    """Pass events on, but of two records of one process start with the same values only the first."""
    waiting: dict[int, EventValues] = {}
    group: list[EventValues] = []

    def of_group() -> Iterator[EventValues]:
        others = _others(case, [row.event for row in group])
        for row in group:
            first = waiting.pop(row.event, None)
            if first is not None and first.values == row.values:
                continue
            if row.event in others:
                (other,) = set(others[row.event]) - {row.event}
                waiting[other] = row
            yield row

    for row in rows:
        group.append(row)
        if len(group) == _ROWS_AT_ONCE:
            yield from of_group()
            group.clear()
    yield from of_group()


def _others(case: Case, rows: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Return event -> (Sysmon's record, the Security log's) for those of ``rows`` whose start both logs have."""
    found: dict[int, tuple[int, int]] = {}
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        group = list(rows[start : start + _ROWS_AT_ONCE])
        marks = ",".join("?" * len(group))
        pairs = case.db.execute(
            "SELECT sysmon_event, security_event FROM process WHERE sysmon_event IS NOT NULL"
            f" AND security_event IS NOT NULL AND (sysmon_event IN ({marks}) OR security_event IN ({marks}))",
            group * 2,
        )
        for sysmon, security in pairs:
            found[sysmon] = found[security] = (sysmon, security)
    return found
