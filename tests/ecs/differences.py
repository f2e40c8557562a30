"""The known differences from Elastic's golden documents, each with its reason; run it to renew docs/ecs-differences.md.

``EVTXSCAN_CONFORMANCE=... python -m tests.ecs.differences`` writes the table that test_conformance checks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.ecs.conformance import WINLOGBEAT, Difference, cases, compare

DOCUMENT = Path(__file__).parents[2] / "docs" / "ecs-differences.md"
PROFILES = {
    WINLOGBEAT: "Winlogbeat 9.x, the profile that evtxscan follows",
    "windows-2.0.0": "Elastic Agent, integration windows 2.0.0",
    "system-1.60.3": "Elastic Agent, integration system 1.60.3",
}
_AGENT = ("windows-2.0.0", "system-1.60.3")
_EVERY = (WINLOGBEAT, *_AGENT)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why documents differ in the fields that ``fields`` matches whole; ``codes`` empty means any event."""

    text: str
    fields: str
    profiles: tuple[str, ...] = _EVERY
    codes: frozenset[str] = frozenset()
    channel: str = ""

    def explains(self, difference: Difference) -> bool:
        """Whether this is the reason of a difference."""
        case = difference.case
        return (
            case.profile in self.profiles
            and (not self.codes or case.code in self.codes)
            and case.channel.startswith(self.channel)
            and re.fullmatch(self.fields, difference.field) is not None
        )


def _reason(text: str, fields: str, *codes: str, profiles: tuple[str, ...] = _EVERY, channel: str = "") -> Reason:
    return Reason(text, fields, profiles, frozenset(codes), channel)


REASONS = (
    _reason("AppLocker and Defender have the base layer alone.", ".*", channel="Microsoft-Windows-AppLocker/"),
    _reason("Winlogbeat does not make a hash of the script block, nor take its signature out of it.",
            r"powershell\.file\.script_block_(hash|signature)", "4104", profiles=("windows-2.0.0",)),
    _reason("AppLocker and Defender have the base layer alone.", ".*", channel="Microsoft-Windows-Windows Def"),
    _reason("A UtcTime in another format stays as recorded, and @timestamp is TimeCreated. Elastic drops it.",
            r"@timestamp|winlog\.event_data\.UtcTime", "22"),
    _reason("The input has no time of its own; Elastic's test harness adds one.", "@timestamp", "1", "10", "800",
            profiles=_AGENT),
    _reason("Recorded is LOCAL; Elastic overwrites it with the address that it stands for (source.ip).",
            r"winlog\.event_data\.ClientAddress", "4778", "4779"),
    _reason("Winlogbeat has Windows' own text (Failure added), Agent its own (Failure Added).",
            r"winlog\.event_data\.AuditPolicyChangesDescription", "4719", profiles=("system-1.60.3",)),
    _reason("4674 has %%nnnn codes in AccessMask, which Elastic takes for hex numbers: the names are wrong.",
            r"winlog\.event_data\.AccessMaskDescription", "4674", profiles=(WINLOGBEAT,)),
    _reason("Another version of ECS.", r"ecs\.version", profiles=_AGENT),
    _reason("Agent has the module in the index, not in the document.", r"event\.module", profiles=_AGENT),
    _reason("Agent's own fields: times of reading, the record's XML, its data stream.",
            r"event\.(created|original|agent_id_status|dataset)|input\.type|tags", profiles=_AGENT),
    _reason("Left by the decoder that Elastic's test input went through; live documents have no such field or value.",
            r"winlog\.(level|outcome|version)", profiles=_AGENT),
    _reason("Agent takes host.name from its own host.", r"host\.name", profiles=_AGENT),
    _reason("The test input contradicts itself: Audit Failure in keywords, success in outcome, or no keyword at all.",
            r"event\.outcome|winlog\.keywords", "5157", "65536", profiles=("system-1.60.3",)),
    _reason("Sysmon 7 is mapped as integration windows 3.x does it: category library and dll.* as well.",
            r"dll\..*|event\.(action|category|type)|file\.code_signature\.trusted", "7", profiles=("windows-2.0.0",)),
    _reason("The hash of a deleted file: Winlogbeat has it in process.hash, Agent in file.hash.",
            r"(file|process)\.hash\.sha256", "26", profiles=("windows-2.0.0",)),
    _reason("Winlogbeat removes Details, of which registry.data is made; Agent keeps it.",
            r"winlog\.event_data\.Details", "13", profiles=("windows-2.0.0",)),
)  # fmt: skip


def reason(difference: Difference) -> Reason | None:
    """Return the first known reason of a difference."""
    return next((known for known in REASONS if known.explains(difference)), None)


def all_differences() -> list[Difference]:
    """Return the differences of all cases."""
    return [difference for case in cases() for difference in compare(case)]


def render(differences: Iterable[Difference]) -> str:
    """Return the document: per profile, the kinds of difference, their fields, events and number."""
    found = list(differences)
    lines = [
        "# Differences from Elastic's documents",
        "",
        "Elastic tests its pipelines with records and the documents that they have to become. This is how evtxscan's",
        "documents differ from those, all of them, field by field. Left aside are what evtxscan adds on purpose",
        "(docs/ecs-mapping.md) and what a log file alone cannot give: rendered messages, names looked up on the host,",
        "`%%nnnn` codes that a live agent expands. Written by `python -m tests.ecs.differences`.",
    ]
    for profile, title in PROFILES.items():
        mine = [case for case in cases() if case.profile == profile]
        differing = {difference.case.id for difference in found if difference.case.profile == profile}
        lines += [
            "",
            f"## {title}",
            "",
            f"{len(mine)} documents, {len(mine) - len(differing)} without a difference.",
            "",
        ]
        lines += ["| differences | events | fields | reason |", "| --: | --- | --- | --- |"]
        groups: dict[str, list[Difference]] = {}
        for difference in found:
            if difference.case.profile == profile:
                known = reason(difference)
                groups.setdefault(known.text if known else "Not explained.", []).append(difference)
        lines += [_row(text, group) for text, group in sorted(groups.items())]
    return "\n".join(lines) + "\n"


def _row(text: str, group: list[Difference]) -> str:
    fields = sorted({difference.field for difference in group})
    shown = ", ".join(f"`{field}`" for field in fields[:8]) + (
        f" and {len(fields) - 8} more" if len(fields) > 8 else ""
    )
    codes = sorted({difference.case.code for difference in group}, key=int)
    events = ", ".join(codes) if len(codes) <= 8 else f"{len(codes)} event ids"
    return f"| {len(group)} | {events} | {shown} | {text} |"


if __name__ == "__main__":
    DOCUMENT.write_text(render(all_differences()), encoding="utf-8")
