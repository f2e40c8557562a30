"""What the records of parents add to the records of their children: table lineage.

A Security 4688 names its parent's program at best, and never its command line. It gets them, in this order, from

- ``witness``: the Sysmon record of the same start, which names its parent's command line itself,
- ``sysmon_guid``, ``pid_time``: the parent's own records, found in the way that the process's row says.

A Sysmon record that could not tell its parent (``?``) gets them in the second way.
"""

from __future__ import annotations

import sqlite3
from typing import Literal

LineageMethod = Literal["witness", "sysmon_guid", "pid_time"]
LineageReason = Literal[
    "parent_record_missing",  # the parent's own record is not in the evidence; table process says more precisely why
    "command_line_not_audited",  # it is, and has no command line
    "not_recorded",  # no log records it: the parent is the kernel, or the record names none
]


def add_lineage(db: sqlite3.Connection) -> None:
    """Fill table lineage from table process; temp table context_copy has the further copies of records."""
    blank = ", ".join(str(value) for (value,) in db.execute("SELECT id FROM value WHERE text IN ('?', '-')")) or "NULL"
    for event, witness in (("sysmon_event", "NULL"), ("security_event", "p.sysmon_event")):
        db.execute(_LINEAGE.format(event=event, witness=witness, blank=blank))
    db.execute(_COPIES)


# e: the record; w: the witness beside it; q, f, g: the parent and its records. A value that is blank counts as none.
_LINEAGE = """
INSERT INTO lineage
SELECT event, process,
    CASE WHEN program IS NOT NULL AND line IS NOT NULL THEN NULL WHEN by_witness THEN witness ELSE source END,
    iif(program IS NULL, ifnull(told_program, parent_program), NULL),
    iif(line IS NULL, ifnull(told, parent_line), NULL),
    CASE WHEN program IS NOT NULL AND line IS NOT NULL THEN NULL WHEN by_witness THEN 'witness' ELSE method END,
    CASE WHEN line IS NOT NULL OR told IS NOT NULL OR parent_line IS NOT NULL THEN NULL
        WHEN source IS NOT NULL THEN 'command_line_not_audited'
        WHEN why IN ('not_recorded', 'system_process') THEN 'not_recorded'
        ELSE 'parent_record_missing' END
FROM (SELECT *,
    told IS NOT NULL OR told_program IS NOT NULL AND program IS NULL AND (line IS NOT NULL OR parent_line IS NULL)
        AS by_witness
FROM (
    SELECT e.id AS event, p.id AS process, w.id AS witness, p.parent_method AS method, p.parent_reason AS why,
        iif(e."process.parent.executable" IN ({blank}), NULL, e."process.parent.executable") AS program,
        iif(e."process.parent.command_line" IN ({blank}), NULL, e."process.parent.command_line") AS line,
        iif(w."process.parent.executable" IN ({blank}), NULL, w."process.parent.executable") AS told_program,
        iif(w."process.parent.command_line" IN ({blank}), NULL, w."process.parent.command_line") AS told,
        q."process.executable" AS parent_program, q."process.command_line" AS parent_line,
        iif(f."process.command_line" IS NULL AND q."process.command_line" IS NOT NULL, q.sysmon_event,
            ifnull(q.security_event, q.sysmon_event)) AS source
    FROM process p JOIN event e ON e.id = p.{event} LEFT JOIN event w ON w.id = {witness}
        LEFT JOIN process q ON q.id = p.parent LEFT JOIN event f ON f.id = q.security_event
))
"""
# Further copies of a record say of their process what the first one says.
_COPIES = """
INSERT OR IGNORE INTO lineage
SELECT copy.event, process, parent_event, "process.parent.executable", "process.parent.command_line", method, reason
FROM temp.context_copy copy JOIN lineage ON lineage.event = copy.original
"""
