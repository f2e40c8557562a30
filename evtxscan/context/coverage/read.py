"""The coverage of a case: hosts, their logs, boots and clocks, what is recorded and what was not."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable

from evtxscan.context.coverage.logs import read_logs
from evtxscan.context.coverage.model import Boot, ClockChange, HostCoverage, Log, Recorded
from evtxscan.context.coverage.notices import read_notices, stops
from evtxscan.store.case import Case, explained
from evtxscan.store.finish import index_chunks

_START = "security/4688"
# An empty text is no value: so Windows writes a command line that is not audited.
_RECORDED = """
SELECT lower(v.text), sum(events), sum(events * has), min(CASE WHEN has THEN first END),
    max(CASE WHEN has THEN last END), min(CASE WHEN NOT has THEN first END), max(CASE WHEN NOT has THEN last END)
FROM (
    SELECT "host.name" AS host, coalesce({field} NOT IN (SELECT id FROM value WHERE text IN ('', '-')), 0) AS has,
        count(*) AS events, min("@timestamp") AS first, max("@timestamp") AS last
    FROM event WHERE kind IN (SELECT id FROM kind WHERE mapping = ?) GROUP BY 1, 2
) JOIN value v ON v.id = host GROUP BY 1
"""
_SYSMON = """
SELECT lower(v.text), sum(events), sum(events), min(first), max(last), NULL, NULL FROM event_count n
JOIN kind k ON k.id = n.kind JOIN value v ON v.id = n.host WHERE k.mapping LIKE 'sysmon/%' GROUP BY 1
"""


def read_coverage(case: Case, hosts: Iterable[str] = ()) -> list[HostCoverage]:
    """Return the coverage of all hosts of a case, or of those whose full or short names are in ``hosts``.

    The context tables have to be up to date. Raises CaseError.
    """
    wanted = {host.lower() for host in hosts}
    with explained(case.path):
        index_chunks(case.db)  # a case of an earlier version may be without
        logs: dict[str, list[Log]] = defaultdict(list)
        for log in read_logs(case.db):
            logs[log.host].append(log)
        notices = read_notices(case.db)
        boots, clocks, recorded = _boots(case.db), _clocks(case.db), _recorded(case.db)
    return [
        HostCoverage(
            host=host,
            logs=tuple(logs[host]),
            boots=tuple(boots[host]),
            clock_changes=tuple(clocks[host]),
            recorded=tuple(recorded[host]),
            stops=tuple(stops(notices.get(host, []), boots[host])),
            notices=tuple(notices.get(host, [])),
        )
        for host in sorted(logs)
        if not wanted or host in wanted or host.split(".")[0] in wanted
    ]


def _boots(db: sqlite3.Connection) -> dict[str, list[Boot]]:
    found: dict[str, list[Boot]] = defaultdict(list)
    rows = db.execute("SELECT host, number, started, start_method, ended, end_method FROM boot ORDER BY host, number")
    for host, *boot in rows:
        found[host].append(Boot(*boot))
    return found


def _clocks(db: sqlite3.Connection) -> dict[str, list[ClockChange]]:
    found: dict[str, list[ClockChange]] = defaultdict(list)
    rows = db.execute(
        "SELECT c.host, old, new, method, event FROM clock_change c JOIN event e ON e.id = c.event"
        ' ORDER BY c.host, new, old, e."winlog.record_id"'
    )
    for host, *change in rows:
        found[host].append(ClockChange(*change))
    return found


def _recorded(db: sqlite3.Connection) -> dict[str, list[Recorded]]:
    found: dict[str, list[Recorded]] = defaultdict(list)
    questions = [
        ("command_lines", _RECORDED.format(field='"process.command_line"'), (_START,)),
        ("parent_names", _RECORDED.format(field='"process.parent.executable"'), (_START,)),
        ("sysmon", _SYSMON, ()),
    ]
    for what, sql, values in questions:
        for host, *row in db.execute(sql, values):
            found[host].append(Recorded(what, *row))
    return found
