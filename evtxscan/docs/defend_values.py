"""Makes the page on the values of Elastic Defend from their table."""

from __future__ import annotations

from collections.abc import Mapping

from evtxscan.export.rules import events_in_words
from evtxscan.rules.defend import Added, defend_values

_HEAD = """\
# Elastic Defend's values

Many of Elastic's rules are written for Elastic Defend (index patterns `logs-endpoint.*`). Defend records much of what
Windows logs record, under the same field names and with other values: the start of a process has the `event.action`
*start*, Sysmon 1 *Process creation*. For such rules, and for these alone, the events below count as having Defend's
values beside their recorded ones. What that means for tests, negations and verdicts stands in [rules.md](rules.md);
`--no-defend-values` and `--observed-only` switch it off.

Written by `python -m evtxscan.docs` from `schema/ecs/defend.json`; do not edit.

Only what certainly corresponds is in the table: a value that is there by mistake would make `!=` drop events.

| event | where | counts as having | because |
| --- | --- | --- | --- |
"""
_MIDDLE = """
## What has no translation

| what | why |
| --- | --- |
"""


def render() -> str:
    """Return the page."""
    table = defend_values()
    rows = "".join(map(_row, table.values))
    return _HEAD + rows + _MIDDLE + "".join(f"| {what} | {why} |\n" for what, why in table.untranslated.items())


def _row(entry: Added) -> str:
    cells = [events_in_words(entry.events), _values(entry.where), _values(entry.adds), entry.why]
    return f"| {' | '.join(cells)} |\n"


def _values(values: Mapping[str, tuple[str, ...]]) -> str:
    return "; ".join(f"`{field}` {', '.join(f'`{value}`' for value in found)}" for field, found in values.items())
