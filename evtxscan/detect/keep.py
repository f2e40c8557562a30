"""Keeps the results of rules in the case, the last one of each rule, and reads them back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import orjson

from evtxscan.detect.documents import Documents
from evtxscan.detect.engine import Refused, RuleResult
from evtxscan.detect.finding import finding
from evtxscan.detect.surroundings import Surroundings
from evtxscan.store.case import Case

_FINDINGS_AT_ONCE = 100


def keep(
    case: Case, run: int, results: Iterable[RuleResult | Refused], documents: Documents, around: Surroundings
) -> Iterator[RuleResult | Refused]:
    """Store rules, findings and verdicts in place of earlier results of the same rules, and pass the results on.

    Everything is stored, or nothing where the caller stops in between. Raises CaseError.
    """
    with case.transaction():
        for result in results:
            _forget(case, result.rule if isinstance(result, Refused) else result.rule.id)
            if isinstance(result, RuleResult):
                _keep(case, run, result, documents, around)
            yield result


def _forget(case: Case, rule: str) -> None:
    for table, column in (("finding", "rule"), ("verdict", "rule"), ("rule", "id")):
        case.db.execute(f"DELETE FROM {table} WHERE {column} = ?", (rule,))


def _keep(case: Case, run: int, result: RuleResult, documents: Documents, around: Surroundings) -> None:
    rule = result.rule
    case.db.execute(
        "INSERT INTO rule(id, name, severity, risk_score, sha256, run) VALUES (?, ?, ?, ?, ?, ?)",
        (rule.id, rule.name, rule.severity, rule.risk_score, rule.sha256, run),
    )
    for start in range(0, len(result.hits), _FINDINGS_AT_ONCE):
        hits = result.hits[start : start + _FINDINGS_AT_ONCE]
        for told in documents.each([hit.row for hit in hits]):
            document = finding(result, told, documents, around)
            case.db.execute(
                "INSERT INTO finding(id, rule, event, host, time, document) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    document["evtxscan"]["finding"]["id"],
                    rule.id,
                    told.event.row,
                    str(told.flat.get("host.id", "")),
                    str(told.flat.get("@timestamp", "")),
                    orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode(),
                ),
            )
    case.db.executemany(
        "INSERT INTO verdict(rule, host, verdict, events, missing) VALUES (?, ?, ?, ?, ?)",
        (
            (v.rule, v.host, v.verdict, v.events, json.dumps([missing.document() for missing in v.missing]))
            for v in result.verdicts
        ),
    )


class KeptFindings(Sequence[dict[str, Any]]):
    """The findings of some rules as the case has them, in order of time; read one by one as they are needed."""

    def __init__(self, case: Case, rules: Iterable[str]) -> None:
        self._db = case.db
        wanted = set(rules)
        rows = self._db.execute("SELECT id, rule FROM finding ORDER BY time, rule, id")
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
