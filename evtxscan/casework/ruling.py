"""What a rule set is, rule by rule, and what a case can decide of it."""

from __future__ import annotations

from evtxscan.casework.cases import Filters
from evtxscan.detect.evidence import evidence_for
from evtxscan.eql.sql.recorded import RecordedData
from evtxscan.eql.sql.run import CaseQueries
from evtxscan.errors import UsageError
from evtxscan.export.rulebook import RuleBook
from evtxscan.rules.load import load_rules
from evtxscan.rules.state import RuleState, states_of
from evtxscan.store.case import Case
from evtxscan.store.events import Events


def rules(rule_paths: tuple[str, ...], case: Case | None = None, filters: Filters | None = None) -> RuleBook:
    """Return the rules of some files and folders (none: the built-in ones), and what a case holds for them.

    What counts (inferred fields, Defend's values) is as ``filters`` say, with a case and without. A file that is no
    rule is an entry like any other. Raises RuleError when a named path does not exist, UsageError, CaseError.
    """
    scope = (filters or Filters()).scope()
    states = states_of(
        load_rules(rule_paths),
        defend=scope.translates,
        inferred=not scope.observed_only,
        recorded=None if case is None else RecordedData(case),
    )
    if case is None:
        return RuleBook(tuple(states))
    queries = CaseQueries(case, Events(case), scope)
    evidence = evidence_for(queries, states)
    hosts = sorted({entry.host for entries in evidence.values() for entry in entries})
    return RuleBook(tuple(states), tuple(hosts), evidence)


def rule(book: RuleBook, wanted: str) -> RuleState:
    """Return the rule that has this id, name or file name. Raises UsageError where none has, or several."""
    found = [state for state in book.states if wanted in _names(state)]
    if not found:
        found = [state for state in book.states if wanted.lower() in {name.lower() for name in _names(state)}]
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(state.path for state in found[:5])
        raise UsageError(f"{wanted}: {len(found)} rules are called that ({listed}); give the id or the path")
    raise UsageError(f"{wanted}: no rule has this id, name or path; 'evtxscan rules list' names them")


def _names(state: RuleState) -> set[str]:
    file = state.path.replace("\\", "/").rpartition("/")[2].rpartition(":")[2]
    names = {state.path, file, file.removesuffix(".toml")}
    return names | {state.rule.id, state.rule.name} if state.rule else names
