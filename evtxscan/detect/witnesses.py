"""Several records of one thing: of a process start that two logs have, and of a script in parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from evtxscan.detect.results import Hit
from evtxscan.detect.scripts import ScriptBlocks
from evtxscan.eql.sql.values import EventValues
from evtxscan.rules.new_terms import NewTerm
from evtxscan.rules.rows import Key
from evtxscan.store.case import Case

_ROWS_AT_ONCE = 500


def fold(case: Case, hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """Make one hit of a process that both logs saw start, for which Sysmon's record stands, and one of a script.

    A document of a record is no further hit beside the record itself.
    """
    return _one_per_start(case, _one_per_script(case, _without_twins(case, hits)))


def _without_twins(case: Case, hits: Sequence[Hit]) -> Sequence[Hit]:
    rows = {hit.row for hit in hits}
    twins = {event for event, original in _twins(case, sorted(rows)) if original in rows}
    return [hit for hit in hits if hit.row not in twins] if twins else hits


def _twins(case: Case, rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield (document, event that tells of the same record) for those of ``rows`` that are such documents."""
    if case.db.execute("SELECT 1 FROM document_twin LIMIT 1").fetchone() is None:
        return
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        group = rows[start : start + _ROWS_AT_ONCE]
        marks = ",".join("?" * len(group))
        yield from case.db.execute(f"SELECT event, original FROM document_twin WHERE event IN ({marks})", group)


def _one_per_script(case: Case, hits: Sequence[Hit]) -> Sequence[Hit]:
    """Make one hit of parts of one script; it has what is new in any of them."""
    standing = ScriptBlocks(case.db).standing_for([hit.row for hit in hits])
    if not standing:
        return hits
    new: dict[int, dict[Key, NewTerm]] = {}
    for hit in hits:
        terms = new.setdefault(standing.get(hit.row, hit.row), {})
        for term in hit.new:
            terms.setdefault(term.key, term)
    return [replace(hit, new=tuple(new[hit.row].values())) for hit in hits if standing.get(hit.row, hit.row) == hit.row]


def _one_per_start(case: Case, hits: Sequence[Hit]) -> tuple[Hit, ...]:
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
            "SELECT p.sysmon_event, p.security_event FROM lineage l JOIN process p ON p.id = l.process"
            f" WHERE l.event IN ({marks}) AND l.event IN (p.sysmon_event, p.security_event)"
            " AND p.sysmon_event IS NOT NULL AND p.security_event IS NOT NULL",
            group,
        )
        for sysmon, security in pairs:
            found[sysmon] = found[security] = (sysmon, security)
    return found
