"""What can be done with a case: one public function for each command of the command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from evtxscan.context.build import ensure, rebuild
from evtxscan.detect.documents import Documents
from evtxscan.detect.engine import Refused, RuleResult, run_rules
from evtxscan.detect.finding import rule_document
from evtxscan.detect.keep import KeptFindings, keep
from evtxscan.ecs.mapping import mappings
from evtxscan.eql.sql.run import CaseQueries, Scope, read_query
from evtxscan.errors import EvtxscanError, UsageError
from evtxscan.evtx.filetime import from_iso
from evtxscan.export.result import CaseLabel, RefusedRule, Result
from evtxscan.export.result import Scope as ResultScope
from evtxscan.ingest.run import Options, find_evidence, ingest
from evtxscan.ingest.summary import Progress, Summary
from evtxscan.rules.load import load_rules
from evtxscan.store.case import Case, create_or_open, open_case, versions
from evtxscan.store.describe import describe, source_documents
from evtxscan.store.events import Events
from evtxscan.store.finish import finish

# Documents made at a time: enough to share look-ups, few enough to begin at once.
_DOCUMENTS_AT_ONCE = 200
_HEX_SHA256 = re.compile(r"[0-9a-fA-F]{64}\Z")


@dataclass(frozen=True, slots=True)
class Label:
    """What a laboratory writes on the folder; None leaves what the case says."""

    case_number: str | None = None
    examiner: str | None = None
    notes: str | None = None

    def entries(self) -> dict[str, str]:
        """Return what is to be written."""
        given = {"case_number": self.case_number, "examiner": self.examiner, "notes": self.notes}
        return {key: value for key, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Filters:
    """The part of a case to look at, as a user names it: ISO 8601 times and host names."""

    start: str | None = None
    end: str | None = None
    hosts: tuple[str, ...] = ()
    observed_only: bool = False

    def scope(self) -> Scope:
        """Return it in the case's terms. Raises UsageError for a time that is none."""
        start = None if self.start is None else _ticks(self.start, "--from")
        end = None if self.end is None else _ticks(self.end, "--to")
        if start is not None and end is not None and start > end:
            raise UsageError(f"--from {self.start} is later than --to {self.end}")
        return Scope(start, end, self.hosts, self.observed_only)


def _ticks(text: str, option: str) -> int:
    try:
        return from_iso(text)
    except ValueError:
        raise UsageError(f"{option} {text}: no ISO 8601 time; write it as 2020-05-18T13:20:05Z") from None


@contextmanager
def logged(case: Case, command: str, arguments: list[str]) -> Iterator[_Run]:
    """Enter a command into the case's log; it stays open (no end) where the command did not get to one."""
    run = _Run(case.start_run(command, arguments))
    yield run
    case.end_run(run.number, run.exit_code)


@dataclass(slots=True)
class _Run:
    number: int
    exit_code: int = 0


def ingest_evidence(
    case_path: Path,
    paths: list[Path],
    options: Options,
    *,
    label: Label | None = None,
    progress: Progress | None = None,
    arguments: list[str] | None = None,
) -> Summary:
    """Read evidence into a case, which is made if there is none, and work out what follows from it.

    Raises EvidenceError when nothing can be read, UsageError, CaseError.
    """
    if options.expected_sha256 and not _HEX_SHA256.match(options.expected_sha256):
        raise UsageError("--expect-sha256 takes the 64 hex digits of a SHA-256")
    found = find_evidence(paths, options)
    with create_or_open(case_path) as case, logged(case, "ingest", arguments or []) as run:
        case.set_info(label.entries() if label else {})
        summary = ingest(case, run.number, found, options, progress)
        finish(case)
        rebuild(case)
        run.exit_code = 0 if summary.is_complete else 3
    return summary


def categories() -> frozenset[str]:
    """Return the ECS categories that mapped events have."""
    return frozenset(
        category for mapping in mappings().values() for category in mapping.table.constants.get("event.category", ())
    )


@contextmanager
def settled(case_path: Path) -> Iterator[Case]:
    """Open a case whose derived tables are up to date: an ingest that was killed may have left them behind."""
    with open_case(case_path) as case:
        if ensure(case):
            finish(case)
        yield case


def detect(
    case: Case,
    run: int,
    rule_paths: tuple[str, ...],
    filters: Filters,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Run rules over a case, keep what they find in it, and return it.

    ``progress`` is told how many of the rules are done. Raises RuleError when a named path does not exist or no rule
    could be read, UsageError, CaseError.
    """
    scope = filters.scope()
    rules = load_rules(rule_paths)
    if not rules.rules:
        raise EvtxscanError("\n".join(str(error) for error in rules.errors))
    events = Events(case)
    documents = Documents(case, events, observed_only=scope.observed_only)
    results: list[RuleResult] = []
    refused = [RefusedRule(error.path, error.message) for error in rules.errors]
    for number, result in enumerate(keep(case, run, run_rules(case, events, rules.rules, scope), documents), 1):
        if isinstance(result, Refused):
            refused.append(RefusedRule(result.path, result.message, result.line, result.column))
        else:
            results.append(result)
        if progress:
            progress(number, len(rules.rules))
    return Result(
        findings=KeptFindings(case, [result.rule.id for result in results]),
        verdicts=tuple(verdict for result in results for verdict in result.verdicts),
        sources=tuple(source_documents(case)),
        versions=versions(),
        rules=tuple(rule_document(result.rule) for result in results),
        refused=tuple(refused),
        scope=ResultScope(filters.start, filters.end, filters.hosts, filters.observed_only),
        label=_case_label(case),
    )


def _case_label(case: Case) -> CaseLabel:
    info = case.info()
    exhibits = case.db.execute("SELECT DISTINCT exhibit FROM source WHERE exhibit IS NOT NULL ORDER BY exhibit")
    return CaseLabel(
        number=info.get("case_number"),
        examiner=info.get("examiner"),
        exhibits=tuple(exhibit for (exhibit,) in exhibits),
        notes=info.get("notes"),
    )


def query(case: Case, text: str, filters: Filters) -> Iterator[dict[str, Any]]:
    """Yield the documents of the events that an EQL query matches, in order of time.

    Raises EqlError for a query that is not valid, UsageError, CaseError.
    """
    scope = filters.scope()
    bound = read_query(text)
    events = Events(case)
    queries = CaseQueries(case, events, scope)
    documents = Documents(case, events, observed_only=scope.observed_only)
    rows = queries.matches(queries.compile(bound))
    while group := list(islice(rows, _DOCUMENTS_AT_ONCE)):
        yield from documents.of(group)


def info(case: Case) -> dict[str, Any]:
    """Return the description of a case: label, sources, hosts, counts, losses, findings, runs. Raises CaseError."""
    return describe(case)


def show(case: Case, event_id: str) -> dict[str, Any]:
    """Return one event with everything around it: parents, children, session, raw XML.

    Raises UsageError for an id that the case does not have, CaseError.
    """
    events = Events(case)
    documents = Documents(case, events, observed_only=False)
    told = documents.told([events.find(event_id)])[0]
    ours = {**told.ours, **documents.context_of(told.event), **documents.children_of(told.event)}
    ours["raw_xml"] = documents.xml(told.event)
    return replace(told, ours=ours).document()
