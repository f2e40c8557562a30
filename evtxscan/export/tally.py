"""Counts findings by severity and by ATT&CK tactic, and groups them by rule and host."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from evtxscan.export.fields import Document, get, plain
from evtxscan.export.result import Result, events_of, first_event
from evtxscan.rules.rule import SEVERITIES

_ORIGINS = ("live", "slack", "carved")


@dataclass(frozen=True, slots=True)
class Tally:
    """How many findings there are of each severity, the worst first, and for each tactic (id, name), most first.

    A finding whose rule has several tactics counts for each. Suppressed findings are counted apart. ``origins``: how
    many rest on live records alone, and how many on one that is stale (slack, carved).
    """

    severities: tuple[tuple[str, int], ...]
    tactics: tuple[tuple[str, str, int], ...]
    suppressed: int
    origins: tuple[tuple[str, int], ...]

    def document(self) -> Document:
        """Return it as it stands in the JSON result."""
        return {
            "severities": dict(self.severities),
            "tactics": [{"id": code, "name": name, "findings": number} for code, name, number in self.tactics],
            "suppressed": self.suppressed,
            "origins": dict(self.origins),
        }


@dataclass(frozen=True, slots=True)
class Counts:
    """How many findings there are by rule, and by the origin of their records."""

    rules: Counter[str] = field(default_factory=Counter)
    origins: Counter[str] = field(default_factory=Counter)


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


def counted(findings: Iterable[Document], counts: Counts) -> Iterator[Document]:
    """Pass findings on, and count them as they go by: who writes them all need not read them again."""
    for finding in findings:
        counts.rules[plain(get(finding, "evtxscan.rule.id"))] += 1
        counts.origins[origin_of(finding)] += 1
        yield finding


def origin_of(finding: Document) -> str:
    """Return slack or carved for a finding that has an event of which no live record tells, else live."""
    origins = set()
    for event in events_of(finding):
        places = get(event, "evtxscan.provenance") if event is not None else None
        if isinstance(places, list) and places:
            origins.add(plain(places[0].get("origin")))  # places of live records come first
    return next((origin for origin in ("carved", "slack") if origin in origins), "live")


def tally(result: Result, counts: Counts | None = None) -> Tally:
    """Count the findings of a result; ``counts``: what is known of them already."""
    if counts is None:
        counts = Counts()
        for _ in counted(result.findings, counts):
            pass
    rules = {rule["id"]: rule for rule in result.rules}
    severities: Counter[str] = Counter()
    tactics: Counter[tuple[str, str]] = Counter()
    for rule, number in counts.rules.items():
        document = rules.get(rule, {})
        severities[plain(document.get("severity"))] += number
        for tactic in tactics_of(document):
            tactics[tactic] += number
    ordered = sorted(tactics.items(), key=lambda item: (-item[1], item[0]))
    return Tally(
        severities=tuple((name, severities[name]) for name in reversed(SEVERITIES) if severities[name]),
        tactics=tuple((code, name, number) for (code, name), number in ordered),
        suppressed=len(result.suppressed),
        origins=tuple((origin, counts.origins[origin]) for origin in _ORIGINS),
    )


def tactics_of(rule: Document) -> list[tuple[str, str]]:
    """Return id and name of the ATT&CK tactics of a rule, each once."""
    return list(dict.fromkeys(_tactics(rule.get("threat"))))


def _tactics(threat: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - whatever the rule file has there
    for entry in threat if isinstance(threat, list) else []:
        tactic = entry.get("tactic") if isinstance(entry, dict) else None
        if isinstance(tactic, dict):
            yield plain(tactic.get("id")), plain(tactic.get("name"))


def by_rule(findings: Iterable[Document]) -> list[RuleGroup]:
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
