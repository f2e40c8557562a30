"""Counts findings by severity and by ATT&CK tactic, and groups them by rule and host."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from evtxscan.export.fields import Document, get, plain
from evtxscan.export.result import Result, first_event
from evtxscan.rules.rule import SEVERITIES


@dataclass(frozen=True, slots=True)
class Tally:
    """How many findings there are of each severity, the worst first, and for each tactic (id, name), most first.

    A finding whose rule has several tactics counts for each. Suppressed findings are counted apart.
    """

    severities: tuple[tuple[str, int], ...]
    tactics: tuple[tuple[str, str, int], ...]
    suppressed: int

    def document(self) -> Document:
        """Return it as it stands in the JSON result."""
        return {
            "severities": dict(self.severities),
            "tactics": [{"id": code, "name": name, "findings": number} for code, name, number in self.tactics],
            "suppressed": self.suppressed,
        }


@dataclass(frozen=True, slots=True)
class HostGroup:
    """The findings of one rule on one host ("" where they are of several), in order of time: places in the result."""

    host: str
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """The findings of one rule, by host in order of the first of each."""

    rule: Document
    hosts: tuple[HostGroup, ...]

    @property
    def count(self) -> int:
        """How many findings there are."""
        return sum(len(host.places) for host in self.hosts)


def counted(findings: Iterable[Document], counts: Counter[str]) -> Iterator[Document]:
    """Pass findings on, and count them by rule as they go by: who writes them all need not read them again."""
    for finding in findings:
        counts[plain(get(finding, "evtxscan.rule.id"))] += 1
        yield finding


def tally(result: Result, counts: Counter[str] | None = None) -> Tally:
    """Count the findings of a result; ``counts``: how many there are of each rule, where that is known already."""
    if counts is None:
        counts = Counter()
        for _ in counted(result.findings, counts):
            pass
    rules = {rule["id"]: rule for rule in result.rules}
    severities: Counter[str] = Counter()
    tactics: Counter[tuple[str, str]] = Counter()
    for rule, number in counts.items():
        document = rules.get(rule, {})
        severities[plain(document.get("severity"))] += number
        for tactic in tactics_of(document):
            tactics[tactic] += number
    ordered = sorted(tactics.items(), key=lambda item: (-item[1], item[0]))
    return Tally(
        severities=tuple((name, severities[name]) for name in reversed(SEVERITIES) if severities[name]),
        tactics=tuple((code, name, number) for (code, name), number in ordered),
        suppressed=len(result.suppressed),
    )


def tactics_of(rule: Document) -> list[tuple[str, str]]:
    """Return id and name of the ATT&CK tactics of a rule, each once."""
    return list(dict.fromkeys(_tactics(rule.get("threat"))))


def _tactics(threat: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - whatever the rule file has there
    for entry in threat if isinstance(threat, list) else []:
        tactic = entry.get("tactic") if isinstance(entry, dict) else None
        if isinstance(tactic, dict):
            yield plain(tactic.get("id")), plain(tactic.get("name"))


def by_rule(findings: Sequence[Document]) -> list[RuleGroup]:
    """Group findings by rule, the worst first, and host; each group in order of time."""
    rules: dict[str, Document] = {}
    groups: dict[str, dict[str, list[int]]] = {}
    for place, finding in enumerate(findings):
        rule = finding["evtxscan"]["rule"]
        rules.setdefault(rule["id"], rule)
        groups.setdefault(rule["id"], {}).setdefault(host_of(finding), []).append(place)
    found = [
        RuleGroup(rules[rule], tuple(HostGroup(host, tuple(places)) for host, places in hosts.items()))
        for rule, hosts in groups.items()
    ]
    return sorted(found, key=lambda group: _rank(group.rule))


def host_of(finding: Document) -> str:
    """Return the host of a finding, in lower case, "" where its events are of several."""
    hosts = get(finding, "evtxscan.threshold.hosts")
    if isinstance(hosts, list) and len(hosts) > 1:
        return ""
    return plain(get(first_event(finding), "host.id")) or plain(get(first_event(finding), "host.name"))


def _rank(rule: Document) -> tuple[int, int, str, str]:
    severity = rule["severity"]
    place = SEVERITIES.index(severity) if severity in SEVERITIES else -1
    return (-place, -rule["risk_score"], rule["name"], rule["id"])
