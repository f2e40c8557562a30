"""Rules over a case."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from evtxscan.casework.cases import Filters
from evtxscan.detect.documents import Documents
from evtxscan.detect.engine import run_rules
from evtxscan.detect.keep import KeptFindings, Telling, keep
from evtxscan.detect.results import RuleResult, SequenceResult
from evtxscan.detect.rule_document import rule_document
from evtxscan.detect.suppressing import Suppressor
from evtxscan.detect.surroundings import Surroundings
from evtxscan.detect.windows import Windows
from evtxscan.errors import EvtxscanError
from evtxscan.export.result import CaseLabel, RefusedRule, Result, RuleWarning
from evtxscan.export.result import Scope as ResultScope
from evtxscan.rules.load import load_rules
from evtxscan.rules.ready import Refused, refused_file
from evtxscan.rules.suppress import Suppression, load_suppressions
from evtxscan.store.case import Case, versions
from evtxscan.store.describe import container_documents, source_documents
from evtxscan.store.events import Events


def detect(
    case: Case,
    run: int,
    rule_paths: tuple[str, ...],
    filters: Filters,
    progress: Callable[[int, int], None] | None = None,
    *,
    suppress: Sequence[str] = (),
) -> Result:
    """Run rules over a case, keep what they find in it, and return it.

    ``progress`` is told how many of the rules are done; ``suppress`` are suppression files. Raises RuleError when a
    named path does not exist, EvtxscanError when not one of the rules could run or a suppression file is not valid,
    UsageError, CaseError.
    """
    scope = filters.scope()
    suppressor = Suppressor(load_suppressions(suppress))
    rules = load_rules(rule_paths)
    if not rules.rules:
        raise EvtxscanError("\n".join(str(error) for error in rules.errors))
    events = Events(case)
    documents = Documents(case, events, observed_only=scope.observed_only)
    windows = Windows(case, scope)
    telling = Telling(documents, Surroundings(case, events), windows)
    results: list[RuleResult | SequenceResult] = []
    refused = [_told(refused_file(error)) for error in rules.errors]
    found = run_rules(case, events, rules.rules, scope, windows)
    for number, result in enumerate(keep(case, run, found, telling, suppressor=suppressor), 1):
        if isinstance(result, Refused):
            refused.append(_told(result))
        else:
            results.append(result)
        if progress:
            progress(number, len(rules.rules))
    if not results:
        raise EvtxscanError("\n".join(rule.explain() for rule in refused))
    return Result(
        findings=KeptFindings(case, [result.rule.id for result in results]),
        verdicts=tuple(verdict for result in results for verdict in result.verdicts),
        sources=tuple(source_documents(case)),
        versions=versions(),
        rules=tuple(rule_document(result.rule) for result in results),
        refused=tuple(refused),
        warnings=(
            *(warning for result in results for warning in _warnings(result)),
            *(warning for entry in suppressor.entries for warning in _warnings_of(entry)),
        ),
        suppressed=KeptFindings(case, [result.rule.id for result in results], suppressed=True),
        suppressions=tuple(suppressor.documents()),
        scope=ResultScope(
            filters.start, filters.end, filters.hosts, filters.observed_only, scope.translates, filters.live_only
        ),
        label=_case_label(case),
        containers=tuple(container_documents(case)),
    )


def _told(refused: Refused) -> RefusedRule:
    by_type = refused.reason == "rule_type"
    return RefusedRule(refused.path, refused.message, refused.line, refused.column, refused.excerpt, by_type)


def _warnings(result: RuleResult | SequenceResult) -> Iterator[RuleWarning]:
    rule = result.rule
    for unknown in result.unknown_fields:
        yield RuleWarning(
            rule.id, rule.path, unknown.message, unknown.field, unknown.nearest, unknown.line, unknown.column
        )


def _warnings_of(entry: Suppression) -> Iterator[RuleWarning]:
    for unknown in entry.unknown_fields:
        yield RuleWarning(entry.rule, entry.path, unknown.message, unknown.field, unknown.nearest, entry.line, 1)


def _case_label(case: Case) -> CaseLabel:
    info = case.info()
    exhibits = case.db.execute("SELECT DISTINCT exhibit FROM source WHERE exhibit IS NOT NULL ORDER BY exhibit")
    return CaseLabel(
        number=info.get("case_number"),
        examiner=info.get("examiner"),
        exhibits=tuple(exhibit for (exhibit,) in exhibits),
        notes=info.get("notes"),
    )
