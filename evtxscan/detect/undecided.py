"""Finds the events that a rule cannot decide, and says why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping as Dict

from evtxscan.detect.verdict import Missing, Reason
from evtxscan.ecs.inferred import INFERRED
from evtxscan.ecs.kind import Kind
from evtxscan.ecs.mapping import Mapping, mappings
from evtxscan.eql.logic import Judgement, unknown_fields
from evtxscan.eql.predicates import Leaf, Predicate
from evtxscan.eql.sql.compile import Selection
from evtxscan.eql.sql.run import CaseQueries, as_sql
from evtxscan.store.scripts import SCRIPT_TEXT

Kinds = Dict[int, tuple[Kind, Mapping]]
# Process starts are told by the log that has most to say of them.
_SYSMON = "sysmon/"
_LINEAGE_REASONS: dict[str, Reason] = {
    "parent_record_missing": "parent_record_missing",
    "command_line_not_audited": "command_line_not_audited",
}


def undecided(queries: CaseQueries, tree: Predicate, selections: list[Selection]) -> dict[str, tuple[Missing, ...]]:
    """Return host (lower case) -> what was missing, over all events that do not match and might have.

    A process with a second witness that decides is decided; a kind without a category is no evidence of anything.
    """
    db, kinds = queries.case.db, queries.events.kinds
    wanted = [s for s in selections if s.unknown is not False and _has_category(s, kinds)]
    if not wanted:
        return {}
    db.execute("CREATE TABLE IF NOT EXISTS temp.undecided (event INTEGER PRIMARY KEY, part INTEGER)")
    db.execute("DELETE FROM temp.undecided")
    for number, selection in enumerate(wanted):
        db.execute(
            f"INSERT INTO temp.undecided SELECT e.id, {number} {selection.source}{queries.filter}"
            f" AND {as_sql(selection.unknown)}"
        )
    _drop_decided_by_witness(queries)
    totals: dict[str, Counter[tuple[str, Reason]]] = {}
    for number, selection in enumerate(wanted):
        for host, events, reasons in _groups(queries, number, selection, tree):
            counter = totals.setdefault(host, Counter())
            for field, reason in reasons:
                counter[field, reason] += events
    return {
        host: tuple(Missing(field, events, reason) for (field, reason), events in sorted(counter.items()))
        for host, counter in totals.items()
    }


def _has_category(selection: Selection, kinds: Kinds) -> bool:
    return any("event.category" in kinds[kind][1].constants(kinds[kind][0]) for kind in selection.kinds)


def _drop_decided_by_witness(queries: CaseQueries) -> None:
    """Drop what the other record of the same process start decides; one outside the scope decides nothing."""
    db = queries.case.db
    decided = " UNION ALL ".join(
        f"SELECT p.{one} FROM process p JOIN event e ON e.id = p.{other} WHERE p.{one} IS NOT NULL"
        f" AND p.{other} NOT IN (SELECT event FROM temp.undecided){queries.filter}"
        for one, other in (("security_event", "sysmon_event"), ("sysmon_event", "security_event"))
    )
    db.execute(f"DELETE FROM temp.undecided WHERE event IN ({decided})")
    # Where neither witness decides, the process is one undecided start, told by Sysmon's record.
    db.execute(
        "DELETE FROM temp.undecided WHERE event IN (SELECT security_event FROM process"
        " WHERE sysmon_event IN (SELECT event FROM temp.undecided))"
    )


def _groups(
    queries: CaseQueries, number: int, selection: Selection, tree: Predicate
) -> list[tuple[str, int, list[tuple[str, Reason]]]]:
    """Return (host, events, reasons) for events that lack the same things."""
    # Where nothing may be inferred, what lineage lacks is no reason.
    lineage_reason = "NULL" if queries.scope.observed_only else "l.reason"
    states: list[str] = []
    for _, answer in selection.leaves:
        states.append(f"CASE WHEN {as_sql(answer.known_true)} THEN 1 WHEN {as_sql(answer.known_false)} THEN 0 END")
        states.append(answer.absent)
    columns = ", ".join(["e.kind", '(SELECT text FROM value WHERE id = e."host.name")', lineage_reason, *states])
    rows = queries.case.db.execute(
        f"SELECT count(*), {columns} FROM temp.undecided u JOIN event e ON e.id = u.event"
        f" LEFT JOIN lineage l ON l.event = e.id WHERE u.part = {number}"
        f" GROUP BY {', '.join(str(position + 2) for position in range(3 + len(states)))}"
    ).fetchall()
    found: list[tuple[str, int, list[tuple[str, Reason]]]] = []
    for events, kind, host, lineage, *cells in rows:
        judged = {id(leaf): cells[2 * i] for i, (leaf, _) in enumerate(selection.leaves)}
        absent = {leaf.fields[0]: bool(cells[2 * i + 1]) for i, (leaf, _) in enumerate(selection.leaves) if leaf.fields}
        reasons = [
            (field, _reason(field, queries.events.kinds[kind], lineage, absent=absent.get(field, True)))
            for field in unknown_fields(tree, _judge(judged), lambda _: True)
        ]
        found.append(((host or "").lower(), events, reasons))
    return found


def _judge(states: dict[int, int | None]) -> Judgement:
    def judge(leaf: Leaf) -> bool | None:
        state = states[id(leaf)]
        return None if state is None else bool(state)

    return judge


def _reason(field: str, kind: tuple[Kind, Mapping], lineage: str | None, *, absent: bool) -> Reason:
    if not absent:
        return "script_block_incomplete" if field == SCRIPT_TEXT else "shared_service_host"
    mapping = kind[1]
    if mapping.id == "security/4688" and field in INFERRED:
        return _LINEAGE_REASONS.get(lineage or "", "no_sysmon")
    if mapping.id == "security/4688" and field in ("process.command_line", "process.args", "process.args_count"):
        return "command_line_not_audited"
    if field in mapping.fields or mapping.id.startswith(_SYSMON):
        return "not_recorded" if field in mapping.fields else "not_in_event_logs"
    return "no_sysmon" if _known_to_sysmon(field, kind) else "not_in_event_logs"


def _known_to_sysmon(field: str, kind: tuple[Kind, Mapping]) -> bool:
    """Whether Sysmon records this field in events of the same category."""
    categories = set(kind[1].constants(kind[0]).get("event.category", ()))
    return any(
        field in other.fields
        for other in mappings().values()
        if other.id.startswith(_SYSMON) and categories & set(other.table.constants.get("event.category", ()))
    )
