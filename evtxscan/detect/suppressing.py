"""Sets findings aside as suppression files say, and counts them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from evtxscan.rules.suppress import Suppression


class Suppressor:
    """Holds findings against the entries, in their order: the first that covers a finding sets it aside."""

    def __init__(self, entries: Sequence[Suppression] = ()) -> None:
        self.entries = tuple(entries)
        self._by_rule: dict[str, list[tuple[int, Suppression]]] = {}
        for number, entry in enumerate(self.entries, 1):
            self._by_rule.setdefault(entry.rule, []).append((number, entry))
        self._counts: Counter[int] = Counter()

    def apply(self, document: dict[str, Any]) -> str | None:
        """Note in a finding that it is set aside, if it is, and return the reason."""
        ours = document["evtxscan"]
        entries = self._by_rule.get(ours["rule"]["id"])
        if not entries:
            return None
        events = [event for event in ours.get("events", [document]) if event is not None]
        hosts = _hosts(ours, events)
        for number, entry in entries:
            if entry.covers(ours["rule"]["id"], hosts, events):
                self._counts[number] += 1
                ours["suppressed"] = {**entry.document(), "entry": number}
                del ours["suppressed"]["rule"]
                return entry.reason
        return None

    def documents(self) -> list[dict[str, Any]]:
        """Return the entries as they stand in JSON, each with its file and how many findings it set aside."""
        return [
            {
                **entry.document(),
                "entry": number,
                "path": entry.path,
                "line": entry.line,
                "sha256": entry.sha256,
                "findings": self._counts[number],
            }
            for number, entry in enumerate(self.entries, 1)
        ]


def _hosts(ours: dict[str, Any], events: list[dict[str, Any]]) -> list[str]:
    """Return the names of the hosts of a finding; a group says them all, even where it holds some of its events."""
    named: list[str] = ours.get("threshold", {}).get("hosts", [])
    found = [event["host"]["id"] for event in events if "id" in event.get("host", {})]
    return list(dict.fromkeys([*named, *found]))
