"""Answers about processes: parents, children, witnesses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evtxscan.context.model import Ancestor, ChainEnd, How, Parents, ProcessInfo, ProcessTree
from evtxscan.store.case import Case, explained
from evtxscan.store.events import Events

# Real chains have a dozen steps; a forged log can have as many as it has records.
_LONGEST_CHAIN = 64
_MOST_REMEMBERED = 10_000
_TEXT = '(SELECT text FROM value WHERE id = p."process.{}")'
_SELECT = (
    "SELECT p.id, b.host, b.id, pid, p.started, p.ended, p.end_method, end_event, sysmon_event, security_event, parent,"
    f" parent_method, parent_reason, {_TEXT.format('entity_id')}, {_TEXT.format('executable')},"
    f" {_TEXT.format('command_line')} FROM process p JOIN boot b ON b.id = p.boot"
)


class Processes:
    """Reads the processes of one case. Every method may raise CaseError."""

    def __init__(self, case: Case, events: Events) -> None:
        self._case = case
        self._db = case.db
        self._events = events
        self._rows: dict[int | None, Any] = {}

    def of_event(self, event: int) -> ProcessInfo | None:
        """Return the process that an event started, or that it names by Sysmon's GUID; None where it names none."""
        with explained(self._case.path):
            row = self._db.execute(
                f"{_SELECT} WHERE p.id = coalesce((SELECT process FROM lineage WHERE event = ?1),"
                ' (SELECT process.id FROM event JOIN process ON process."process.entity_id" = event."process.entity_id"'
                " WHERE event.id = ?1 ORDER BY process.id LIMIT 1), (SELECT id FROM process WHERE end_event = ?1))",
                (event,),
            ).fetchone()
        return None if row is None else _info(row)

    def witnesses(self, event: int) -> tuple[int, ...]:
        """Return the other records of the process start that ``event`` records."""
        with explained(self._case.path):
            rows = self._db.execute(
                "SELECT event FROM lineage WHERE process = (SELECT process FROM lineage WHERE event = ?1)"
                " AND event <> ?1 ORDER BY event",
                (event,),
            ).fetchall()
        return tuple(other for (other,) in rows)

    def parents(self, process: ProcessInfo) -> Parents:
        """Return the chain of parents up to the first that no record tells of."""
        chain: list[Ancestor] = []
        seen = {process.id}
        row = self._row(process.id)
        end: ChainEnd | None = "not_recorded" if row is None else None
        while row is not None:
            parent, method, end = row[10:13]
            if parent is None:
                chain += self._named(row)
                break
            if parent in seen or len(chain) == _LONGEST_CHAIN:
                end = "loop" if parent in seen else "too_long"
                break
            seen.add(parent)
            row = self._row(parent)
            if row is not None:
                found = _info(row)
                how: How = "observed" if method == "sysmon_guid" else "inferred"
                chain.append(Ancestor(found, how, method, found.event))
        return Parents(tuple(chain), end)

    def children(self, process: ProcessInfo, *, depth: int = 4, most: int = 200) -> ProcessTree:
        """Return what a process started, ``depth`` generations down and at most ``most`` processes in all."""
        with explained(self._case.path):
            return self._tree(process, depth, [most])

    def _tree(self, process: ProcessInfo, depth: int, room: list[int]) -> ProcessTree:
        total = self._db.execute("SELECT count(*) FROM process WHERE parent = ?", (process.id,)).fetchone()[0]
        rows: list[Any] = []
        if depth > 0 and room[0] > 0 and total:
            sql = f"{_SELECT} WHERE parent = ? ORDER BY p.id LIMIT ?"
            rows = self._db.execute(sql, (process.id, room[0])).fetchall()
            room[0] -= len(rows)
        children = tuple(self._tree(_info(row), depth - 1, room) for row in rows)
        return ProcessTree(process, children, total - len(rows))

    def _row(self, process: int | None) -> Any:  # noqa: ANN401 - a row of _SELECT or None
        """Return a process; the chains of findings have most of their parents in common."""
        if process not in self._rows:
            if len(self._rows) >= _MOST_REMEMBERED:
                self._rows.clear()
            with explained(self._case.path):
                self._rows[process] = self._db.execute(f"{_SELECT} WHERE p.id = ?", (process,)).fetchone()
        return self._rows[process]

    def _named(self, row: Sequence[Any]) -> list[Ancestor]:
        """Return the parent that the process's own records name, which no other record tells of."""
        found = _info(row)
        for event in self._events.read([event for event in (found.sysmon_event, found.security_event) if event]):
            columns = event.columns
            pid, program = columns.get("process.parent.pid"), _text(columns.get("process.parent.executable"))
            if pid is not None or program is not None:
                named = ProcessInfo(
                    found.host,
                    None if pid is None else int(pid),
                    program,
                    _text(columns.get("process.parent.command_line")),
                    _text(columns.get("process.parent.entity_id")),
                )
                return [Ancestor(named, "observed", "child_record", event.row)]
        return []


def _text(cell: str | int | None) -> str | None:
    """Return a recorded text; Sysmon's ``?`` and ``-`` say that there is none."""
    return None if cell in (None, "?", "-") else str(cell)


def _info(row: Sequence[Any]) -> ProcessInfo:
    process, host, boot, pid, started, ended, method, end_event, sysmon, security, _, _, _, guid, program, line = row
    return ProcessInfo(
        host, pid, program, line, guid, process, boot, started, ended, method, end_event, sysmon, security
    )
