"""Our documents equal those that Elastic tests its own pipelines with.

The oracle is Elastic's golden data, which is not ours to ship: the tests run where EVTXSCAN_CONFORMANCE names it.
Each of these would go unnoticed in a query: a field under another name, a number where Elastic has a text, a value
that was dropped or kept by mistake.
"""

from __future__ import annotations

import pytest

from evtxscan.ecs.mapping import mappings
from tests.ecs.conformance import ROOT, WINLOGBEAT, Case, cases, categories, compare
from tests.ecs.differences import DOCUMENT, REASONS, all_differences, reason, render

pytestmark = pytest.mark.skipif(not ROOT, reason="EVTXSCAN_CONFORMANCE does not name the folder of golden documents")


@pytest.mark.parametrize("case", [case for case in cases() if case.profile == WINLOGBEAT], ids=lambda case: case.id)
def test_document_is_winlogbeats(case: Case) -> None:
    unexplained = [difference for difference in compare(case) if reason(difference) is None]
    assert not unexplained


@pytest.mark.parametrize("case", [case for case in cases() if case.profile != WINLOGBEAT], ids=lambda case: case.id)
def test_every_difference_from_agent_has_a_reason(case: Case) -> None:
    assert not [difference for difference in compare(case) if reason(difference) is None]


def test_no_reason_is_stale() -> None:
    """A reason that explains nothing any more would hide the next mistake in its fields."""
    used = {reason(difference) for difference in all_differences()}
    assert not [known for known in REASONS if known not in used]


def test_enough_cases_were_read() -> None:
    """A reader that skips cases makes every other test here pass."""
    assert sum(case.profile == WINLOGBEAT for case in cases()) == 215
    assert len(cases()) == 453


def test_table_of_differences_is_current() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == render(all_differences()), "run: python -m tests.ecs.differences"


@pytest.mark.parametrize(("channel", "code", "expected"), categories())
def test_event_has_its_category(channel: str, code: str, expected: dict[str, object]) -> None:
    """All that Elastic categorizes, golden document or not; Sysmon 7 is the one that evtxscan maps otherwise."""
    found = [mapping for (_, place, id_), mapping in mappings().items() if (place, id_) == (channel, code)]
    assert found
    for mapping in found:
        constants = {f"event.{key}": value for key, value in expected.items()}
        ours = {name: mapping.table.constants.get(name) for name in constants}
        if mapping.id == "sysmon/7":
            constants = {"event.category": ["process", "library"], "event.type": ["change", "start"],
                         "event.action": ["Image loaded", "load"]}  # fmt: skip
        assert ours == constants


def test_all_categories_were_read() -> None:
    assert len(categories()) == 150
