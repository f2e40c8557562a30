"""Describes a case as a whole: label, sources, hosts, counts, losses, and what was done with it."""

from __future__ import annotations

import json
from typing import Any

from evtxscan.evtx.filetime import to_iso
from evtxscan.store.case import Case, explained
from evtxscan.store.stale import stale_counts


def describe(case: Case) -> dict[str, Any]:
    """Return the whole description as JSON values. Raises CaseError."""
    with explained(case.path):
        return {
            "label": case.info(),
            "format": case.db.execute("PRAGMA user_version").fetchone()[0],
            "sources": _rows(case, _SOURCES),
            "containers": _rows(case, _CONTAINERS),
            "skipped": _rows(case, "SELECT path, argument, reason FROM skipped ORDER BY path, argument"),
            "losses": _rows(case, _LOSSES),
            "slack": stale_counts(case.db).document(),
            "carved": stale_counts(case.db, origin="carved").document(),
            "hosts": _hosts(case),
            "events": _rows(case, _EVENTS),
            "scripts": _rows(case, _SCRIPTS),
            "findings": _rows(case, _FINDINGS),
            "runs": _runs(case),
        }


def container_documents(case: Case) -> list[dict[str, Any]]:
    """Return the files of the outermost archives and images that sources of a case came out of."""
    with explained(case.path):
        return _rows(case, _CONTAINER_FILES)


def source_documents(case: Case) -> list[dict[str, Any]]:
    """Return the sources of a case as a result names them: nothing in it depends on the order of ingest.

    A file that was read twice, under two names of its folder, is one source. ``stored`` are the records of the source
    that are events of the case, whichever source gave them first.
    """
    with explained(case.path):
        sources = _rows(case, _CONTENT)
        for source in sources:
            row = source.pop("id")
            losses = [_loss(loss) for loss in _rows(case, _LOSSES_OF, (row,))]
            source.update(known=0, losses=losses, slack=stale_counts(case.db, row).document())
    return sources


def _loss(loss: dict[str, Any]) -> dict[str, Any]:
    """Return a loss; only one of a document has a line."""
    return loss if loss["line"] is not None else {k: v for k, v in loss.items() if k not in ("line", "byte")}


_CONTENT = """
SELECT source.id, path, source.sha256, source.size, error,
    coalesce(sum(records), 0) AS found, coalesce(sum(events), 0) AS stored, coalesce(sum(chunk.lost), 0) AS lost,
    coalesce(sum(records - events - chunk.lost), 0) AS filtered
FROM source LEFT JOIN source_chunk ON source_chunk.source = source.id LEFT JOIN chunk ON chunk.id = source_chunk.chunk
WHERE source.id IN (SELECT max(id) FROM source GROUP BY path, sha256)
GROUP BY source.id ORDER BY path, source.sha256
"""
_LOSSES_OF = """
SELECT number AS chunk, loss."offset", record_id, reason, detail, source_chunk.line + loss.line AS line,
    CASE WHEN loss.line IS NOT NULL THEN start + loss."offset" END AS byte FROM source_chunk JOIN loss USING (chunk)
WHERE source = ? ORDER BY number, loss."offset", record_id
"""
_SOURCES = """
SELECT path, argument, sha256, size, modified, exhibit, expected_sha256, state, error,
    found, stored, known, lost, filtered
FROM source ORDER BY path, sha256, argument
"""
_CONTAINERS = """
SELECT path, argument, first, kind, sha256, size, modified, expected_sha256, error
FROM container ORDER BY path, sha256, argument
"""
_CONTAINER_FILES = """
SELECT path, first, kind, sha256, size, max(expected_sha256) AS expected_sha256, max(error) AS error
FROM container GROUP BY path, first, sha256, size ORDER BY path, sha256, size
"""
_LOSSES = """
SELECT source.path AS source, reason, count(*) AS records, group_concat(DISTINCT source_chunk.number) AS chunks
FROM source JOIN source_chunk ON source_chunk.source = source.id JOIN loss ON loss.chunk = source_chunk.chunk
GROUP BY source.id, reason ORDER BY source.path, source.sha256, reason
"""
_EVENTS = """
SELECT kind.channel, kind.provider, kind.code, sum(events) AS events
FROM event_count JOIN kind ON kind.id = event_count.kind
GROUP BY kind.channel, kind.provider, kind.code
ORDER BY kind.channel, kind.provider, CAST(kind.code AS INTEGER), kind.code
"""
_SCRIPTS = """
SELECT state, count(*) AS blocks, sum("powershell.total" - parts) AS missing FROM script_block
GROUP BY state ORDER BY state
"""
_FINDINGS = """
SELECT rule.id AS rule, rule.name, rule.severity,
    (SELECT count(*) FROM finding WHERE finding.rule = rule.id) AS findings,
    (SELECT count(*) FROM verdict WHERE verdict.rule = rule.id AND verdict = 'undetermined') AS undetermined_hosts
FROM rule ORDER BY rule.risk_score DESC, rule.id
"""


def _rows(case: Case, sql: str, values: tuple[object, ...] = ()) -> list[dict[str, Any]]:
    cursor = case.db.execute(sql, values)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def _hosts(case: Case) -> list[dict[str, Any]]:
    rows = case.db.execute(
        "SELECT text, sum(events), min(first), max(last) FROM event_count LEFT JOIN value ON value.id = host"
        " GROUP BY host ORDER BY lower(text), text"
    )
    return [
        {
            "host": name,
            "events": events,
            "first": None if first is None else to_iso(first),
            "last": None if last is None else to_iso(last),
        }
        for name, events, first, last in rows
    ]


def _runs(case: Case) -> list[dict[str, Any]]:
    runs = _rows(case, "SELECT id, command, arguments, started, ended, exit_code, versions FROM run ORDER BY id")
    return [{**run, "arguments": json.loads(run["arguments"]), "versions": json.loads(run["versions"])} for run in runs]
