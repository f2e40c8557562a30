"""Keeps the results of rules in the case, the last one of each rule, and reads them back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, overload

import orjson

from evtxscan.detect.documents import Documents
from evtxscan.detect.finding import Finding, event_findings
from evtxscan.detect.group_finding import group_findings
from evtxscan.detect.results import RuleResult, SequenceResult
from evtxscan.detect.sequence_finding import sequence_findings
from evtxscan.detect.suppressing import Suppressor
from evtxscan.detect.surroundings import Surroundings
from evtxscan.detect.verdict import Verdict
from evtxscan.detect.windows import Windows
from evtxscan.rules.ready import Refused
from evtxscan.store.case import Case


@dataclass(frozen=True, slots=True)
class Telling:
    """What the documents of findings are made of: events, what stands around them, and whether the logs are whole."""

    documents: Documents
    around: Surroundings
    windows: Windows


Done = RuleResult | SequenceResult
Result = Done | Refused


def keep(
    case: Case,
    run: int,
    results: Iterable[Result],
    telling: Telling,
    *,
    suppressor: Suppressor | None = None,
) -> Iterator[Result]:
    """Store rules, findings and verdicts in place of earlier results of the same rules, and pass the results on.

    ``telling`` makes the documents; ``suppressor`` sets findings aside: they are stored like the others, and say so.

    Everything is stored, or nothing where the caller stops in between. Raises CaseError.
    """
    with case.transaction():
        for result in results:
            _forget(case, result.rule if isinstance(result, Refused) else result.rule.id)
            if not isinstance(result, Refused):
                _keep(case, run, result, telling, suppressor or Suppressor())
            yield result


def _forget(case: Case, rule: str) -> None:
    for table, column in (("finding", "rule"), ("verdict", "rule"), ("rule", "id")):
        case.db.execute(f"DELETE FROM {table} WHERE {column} = ?", (rule,))


def _keep(case: Case, run: int, result: Done, telling: Telling, suppressor: Suppressor) -> None:
    rule = result.rule
    case.db.execute(
        "INSERT INTO rule(id, name, severity, risk_score, sha256, run) VALUES (?, ?, ?, ?, ?, ?)",
        (rule.id, rule.name, rule.severity, rule.risk_score, rule.sha256, run),
    )
    for finding in _findings(result, telling):
        reason = suppressor.apply(finding.document)
        case.db.execute(
            "INSERT INTO finding(id, rule, event, host, time, document, suppressed) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                finding.id,
                rule.id,
                finding.event,
                finding.host,
                finding.time,
                orjson.dumps(finding.document, option=orjson.OPT_SORT_KEYS).decode(),
                reason,
            ),
        )
    case.db.executemany(
        'INSERT INTO verdict(rule, host, verdict, events, missing, "window") VALUES (?, ?, ?, ?, ?, ?)',
        (
            (verdict.rule, verdict.host, verdict.verdict, verdict.events, missing, window)
            for verdict, missing, window in map(_as_json, result.verdicts)
        ),
    )


def _as_json(verdict: Verdict) -> tuple[Verdict, str, str | None]:
    window = verdict.document()["window"]
    told = None if window is None else orjson.dumps(window, option=orjson.OPT_SORT_KEYS).decode()
    return verdict, json.dumps([missing.document() for missing in verdict.missing]), told


def _findings(result: Done, telling: Telling) -> Iterator[Finding]:
    documents, around = telling.documents, telling.around
    found = (
        sequence_findings(result, documents, around)
        if isinstance(result, SequenceResult)
        else chain(event_findings(result, documents, around), group_findings(result, documents, around))
    )
    for finding in found:
        window = telling.windows.of_finding(result.reads, finding.hosts, *finding.ticks)
        finding.document["evtxscan"]["window"] = window.document()
        yield finding


class KeptFindings(Sequence[dict[str, Any]]):
    """The findings of some rules as the case has them, in order of time; read one by one as they are needed.

    ``suppressed``: those that are set aside, and not the others.
    """

    def __init__(self, case: Case, rules: Iterable[str], *, suppressed: bool = False) -> None:
        self._db = case.db
        wanted = set(rules)
        where = f"WHERE suppressed IS {'NOT ' if suppressed else ''}NULL"
        rows = self._db.execute(f"SELECT id, rule FROM finding {where} ORDER BY time, rule, id")
        self._ids = [row for row, rule in rows if rule in wanted]

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(index, slice):
            return [self._read(row) for row in self._ids[index]]
        return self._read(self._ids[index])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return map(self._read, self._ids)

    def _read(self, row: str) -> dict[str, Any]:
        (text,) = self._db.execute("SELECT document FROM finding WHERE id = ?", (row,)).fetchone()
        document: dict[str, Any] = orjson.loads(text)
        return document


def kept_windows(case: Case, host: str) -> list[dict[str, Any]]:
    """Return the windows of the verdicts and findings that the case has of a host (lower case), each with its rule.

    Those of an earlier version have none.
    """
    verdicts = case.db.execute(
        'SELECT rule, verdict, "window" FROM verdict WHERE host = ? AND "window" IS NOT NULL ORDER BY rule', (host,)
    )
    findings = case.db.execute(
        "SELECT rule, id, json_extract(document, '$.evtxscan.window') AS told FROM finding WHERE host = ?"
        " AND told IS NOT NULL ORDER BY time, rule, id",
        (host,),
    )
    return [
        *({"rule": rule, "verdict": verdict, **orjson.loads(told)} for rule, verdict, told in verdicts),
        *({"rule": rule, "finding": finding, **orjson.loads(told)} for rule, finding, told in findings),
    ]
