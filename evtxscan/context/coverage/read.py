"""The coverage of a case: hosts, their logs, boots and clocks, what is recorded and what was not."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable

from evtxscan.context.coverage.model import Boot, ClockChange, Gap, HostCoverage, Log, Recorded
from evtxscan.context.coverage.notices import read_notices, stops
from evtxscan.store.case import Case, explained


def read_coverage(case: Case, hosts: Iterable[str] = ()) -> list[HostCoverage]:
    """Return the coverage of all hosts of a case, or of those whose full or short names are in ``hosts``.

    The context tables have to be up to date. Raises CaseError.
    """
    wanted = {host.lower() for host in hosts}
    with explained(case.path):
        logs = _logs(case.db)
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


def _logs(db: sqlite3.Connection) -> dict[str, list[Log]]:
    gaps: dict[int, list[Gap]] = defaultdict(list)
    rows = db.execute(
        'SELECT log, "after", "before", records, lost, started, ended, reason FROM log_gap ORDER BY log, "after"'
    )
    for log, *gap in rows:
        gaps[log].append(Gap(*gap))
    found: dict[str, list[Log]] = defaultdict(list)
    rows = db.execute(
        "SELECT id, host, channel, events, files, first_record_id, last_record_id, started, ended, begins"
        " FROM log ORDER BY id"
    )
    for log, *values in rows:
        found[values[0]].append(Log(*(*values, tuple(gaps[log]))))
    return found


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
    rows = db.execute(
        "SELECT host, what, events, present, first_with, last_with, first_without, last_without FROM recorded_field"
        " ORDER BY host, what"
    )
    for host, *row in rows:
        found[host].append(Recorded(*row))
    return found
