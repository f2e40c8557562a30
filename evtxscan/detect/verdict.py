"""What can be said of a rule on a host, and why nothing can be said of some events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from evtxscan.context.coverage.window import Window

VerdictName = Literal["match", "no_match", "undetermined", "incomplete"]
Reason = Literal[
    "no_sysmon",  # only Sysmon records the field, and this event is from another log
    "command_line_not_audited",  # the process start was recorded without its command line
    "parent_record_missing",  # the parent's own record is not in the evidence
    "shared_service_host",  # the service host names no service: it may run the one that the rule asks for
    "script_block_incomplete",  # parts of the script are not in the evidence
    "not_in_event_logs",  # no event log records the field
    "not_recorded",  # the log has the field, this event has no value in it
    "no_events",  # the evidence holds no event of the rule's category for this host
    "history_too_short",  # the evidence begins so late that values which look new may not be
    "log_begins_inside",  # the log begins inside the time in which a sequence asks for an event to be missing
    "log_ends_inside",  # the log ends inside that time
    "records_missing",  # records of that time are not in the evidence: their numbers are missing
    "not_logged",  # the log was not written for a part of that time
    "undecided_event",  # an event of that time may be the one: what would decide was not recorded
    "evidence_lost",  # records that were found could not be read
]


@dataclass(frozen=True, slots=True)
class Missing:
    """A field that ``events`` events would have needed for a decision, and why they lack it."""

    field: str
    events: int
    reason: Reason

    def document(self) -> dict[str, Any]:
        """Return it as it stands in JSON."""
        return {"field": self.field, "events": self.events, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What can be said of one rule on one host.

    ``events`` is the number of events it was decided from; ``window`` the time it speaks of, and whether the logs are
    whole in it (None: not looked at).
    """

    rule: str
    host: str
    verdict: VerdictName
    events: int
    missing: tuple[Missing, ...] = ()
    window: Window | None = None

    def document(self) -> dict[str, Any]:
        """Return it as it stands in JSON."""
        return {
            "rule": self.rule,
            "host": self.host,
            "verdict": self.verdict,
            "events": self.events,
            "missing": [missing.document() for missing in self.missing],
            "window": self.window.document() if self.window else None,
        }
