"""Keeps the results of rules in the case, the last one of each rule, and reads them back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
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
from evtxscan.rules.ready import Refused
from evtxscan.store.case import Case

Done = RuleResult | SequenceResult
Result = Done | Refused


def keep(
    case: Case,
    run: int,
    results: Iterable[Result],
    documents: Documents,
    around: Surroundings,
    *,
    suppressor: Suppressor | None = None,
) -> Iterator[Result]:
    """Store rules, findings and verdicts in place of earlier results of the same rules, and pass the results on.

    ``suppressor`` sets findings aside; they are stored like the others, and say so.

    Everything is stored, or nothing where the caller stops in between. Raises CaseError.
    """
    with case.transaction():
        for result in results:
            _forget(case, result.rule if isinstance(result, Refused) else result.rule.id)
            if not isinstance(result, Refused):
                _keep(case, run, result, documents, around, suppressor=suppressor or Suppressor())
            yield result


def _forget(case: Case, rule: str) -> None:
    for table, column in (("finding", "rule"), ("verdict", "rule"), ("rule", "id")):
        case.db.execute(f"DELETE FROM {table} WHERE {column} = ?", (rule,))


def _keep(
    case: Case, run: int, result: Done, documents: Documents, around: Surroundings, *, suppressor: Suppressor
) -> None:
    rule = result.rule
    case.db.execute(
        "INSERT INTO rule(id, name, severity, risk_score, sha256, run) VALUES (?, ?, ?, ?, ?, ?)",
        (rule.id, rule.name, rule.severity, rule.risk_score, rule.sha256, run),
    )
    for finding in _findings(result, documents, around):
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
        "INSERT INTO verdict(rule, host, verdict, events, missing) VALUES (?, ?, ?, ?, ?)",
        (
            (v.rule, v.host, v.verdict, v.events, json.dumps([missing.document() for missing in v.missing]))
            for v in result.verdicts
        ),
    )


def _findings(result: Done, documents: Documents, around: Surroundings) -> Iterator[Finding]:
    if isinstance(result, SequenceResult):
        return sequence_findings(result, documents, around)
    return chain(event_findings(result, documents, around), group_findings(result, documents, around))


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
