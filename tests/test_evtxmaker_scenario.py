"""The shipped evidence is what its generator makes, and holds what EXPECTED.md and expected.json say.

The answers are found here a second time, by a reading of the rule that is as plain as it can be and shares no code
with the product: a wrong expectation must not become a wrong product.
"""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import evtx
import pyevtx
import pytest

from testdata.scenario.build import build

TESTDATA = Path(__file__).parent.parent / "testdata"
EVIDENCE = TESTDATA / "evidence"
EXPECTED: dict[str, Any] = json.loads((TESTDATA / "expected.json").read_text(encoding="utf-8"))
SECURITY, SYSMON = "Security.evtx", "Microsoft-Windows-Sysmon%4Operational.evtx"
HOSTS = ("SRV-OLD-02", "WS-FIN-07")

SVCHOST = "c:\\windows\\system32\\svchost.exe"
EXCLUDED_NAMES = ("mousocoreworker.exe", "officec2rclient.exe")
EXCLUDED_IN_SYSTEM32 = (
    "usoclient.exe", "musnotification.exe", "musnotificationux.exe", "musnotifyicon.exe", "werfault.exe", "wermgr.exe",
    "mousocoreworker.exe", "usocoreworker.exe",
)  # fmt: skip


@dataclass(slots=True)
class Start:
    """A process start, from one or two witnesses."""

    host: str
    pid: int
    executable: str
    parent_pid: int
    seconds: float
    time: str
    witnesses: list[list[Any]] = field(default_factory=list)
    command_line: str | None = None
    parent_executable: str | None = None
    parent_command_line: str | None = None


Judged: TypeAlias = tuple[Start, str, Start | None]
"""A start, its verdict or reason, and the parent whose record was needed for it."""


def log_files() -> list[Path]:
    return sorted(EVIDENCE.rglob("*.evtx"))


def host_of(path: Path) -> str:
    return path.relative_to(EVIDENCE).parts[0]


def exact_times(path: Path) -> dict[int, str]:
    """TimeCreated with all seven digits, which only libevtx shows; keyed by EventRecordID."""
    file = pyevtx.file()
    file.open(str(path))
    found = {}
    for record in file.records:
        match = re.search(r'SystemTime="([^"]{27})', record.get_xml_string())
        assert match
        found[record.identifier] = f"{match[1]}Z"
    file.close()
    return found


def records(path: Path) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yield EventRecordID, event id and event data."""
    rendered: Any = evtx.PyEvtxParser(str(path), validate_checksums=True).records_json()
    for record in rendered:
        event = json.loads(record["data"])["Event"]
        event_id = event["System"]["EventID"]
        if isinstance(event_id, dict):
            event_id = event_id["#text"]
        yield record["event_record_id"], event_id, event.get("EventData") or {}


def seconds_of(time: str) -> float:
    clock = re.split(r"[T :]", time.removesuffix("Z"))
    return int(clock[0][-2:]) * 86_400 + int(clock[1]) * 3_600 + int(clock[2]) * 60 + float(clock[3])


def starts_of(host: str) -> list[Start]:
    """All process starts of a host; a 4688 and a Sysmon 1 of one pid within a second are one."""
    logs = EVIDENCE / host / "Windows/System32/winevt/Logs"
    found: list[Start] = []
    if (logs / SYSMON).exists():
        for record_id, event_id, data in records(logs / SYSMON):
            if event_id == 1:
                time = data["UtcTime"].replace(" ", "T") + "Z"
                start = Start(host, data["ProcessId"], data["Image"], data["ParentProcessId"], seconds_of(time), time)
                start.witnesses.append([SYSMON, record_id])
                start.command_line, start.parent_executable = data["CommandLine"], data["ParentImage"]
                start.parent_command_line = data["ParentCommandLine"]
                found.append(start)
    times = exact_times(logs / SECURITY)
    for record_id, event_id, data in records(logs / SECURITY):
        if event_id != 4688:
            continue
        time, pid = times[record_id], int(data["NewProcessId"], 16)
        twin = next((s for s in found if s.pid == pid and abs(s.seconds - seconds_of(time)) < 1), None)
        if twin is None:
            twin = Start(host, pid, data["NewProcessName"], int(data["ProcessId"], 16), seconds_of(time), time)
            twin.command_line = data.get("CommandLine") or None
            twin.parent_executable = data.get("ParentProcessName") or None
            found.append(twin)
        twin.witnesses.append([SECURITY, record_id])
    return sorted(found, key=lambda start: start.seconds)


def boots_of(host: str) -> list[float]:
    path = EVIDENCE / host / "Windows/System32/winevt/Logs/System.evtx"
    times = exact_times(path)
    return [seconds_of(times[record_id]) for record_id, event_id, _ in records(path) if event_id == 12]


def ends_of(host: str) -> dict[int, list[float]]:
    path = EVIDENCE / host / "Windows/System32/winevt/Logs" / SECURITY
    times, found = exact_times(path), defaultdict(list)
    for record_id, event_id, data in records(path):
        if event_id == 4689:
            found[int(data["ProcessId"], 16)].append(seconds_of(times[record_id]))
    return found


def excluded(executable: str) -> bool:
    path = executable.lower()
    name = path.rsplit("\\", 1)[-1]
    in_system32 = path.startswith("c:\\windows\\system32\\") and path.count("\\") == 3
    return name in EXCLUDED_NAMES or (in_system32 and name in EXCLUDED_IN_SYSTEM32)


def names_service(command_line: str) -> bool:
    return "usosvc" in shlex.split(command_line.replace("\\", "/").lower())


def judge(
    start: Start, others: list[Start], boots: list[float], ends: dict[int, list[float]]
) -> tuple[str, Start | None]:
    """Return "match", "no" or a reason, and the parent whose record was needed for it."""
    executable, command_line, parent = start.parent_executable, start.parent_command_line, None
    if command_line is None:
        boot = max((time for time in boots if time <= start.seconds), default=0.0)
        same_pid = [
            other for other in others if other.pid == start.parent_pid and boot <= other.seconds < start.seconds
        ]
        parent = same_pid[-1] if same_pid else None
        if parent and any(parent.seconds < end < start.seconds for end in ends.get(parent.pid, ())):
            parent = None
        if parent:
            executable, command_line = executable or parent.executable, parent.command_line
    if excluded(start.executable) or (executable is not None and executable.lower() != SVCHOST):
        return "no", None
    if command_line is None:
        return ("command_line_not_audited" if parent else "parent_record_missing"), parent
    if names_service(command_line):
        return "match", parent
    shared = "-k netsvcs" in command_line and " -s " not in command_line
    return ("shared_service_host" if shared else "no"), parent


@pytest.fixture(scope="module")
def judged() -> list[Judged]:
    found: list[Judged] = []
    for host in HOSTS:
        starts, boots, ends = starts_of(host), boots_of(host), ends_of(host)
        found.extend((start, *judge(start, starts, boots, ends)) for start in starts)
    return found


def test_the_shipped_logs_are_what_the_generator_makes(tmp_path: Path) -> None:
    build(tmp_path)
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.evtx")}
    shipped = {path.relative_to(EVIDENCE): path.read_bytes() for path in log_files()}
    assert made.keys() == shipped.keys()
    assert [str(path) for path in made if made[path] != shipped[path]] == []
    assert sum(map(len, shipped.values())) < 2_000_000


def test_counts_by_log_and_event() -> None:
    """Oracle: the Rust parser, checksums verified."""
    counted = {
        f"{host_of(path)}/{path.name}": dict(Counter(str(event_id) for _, event_id, _ in records(path)))
        for path in log_files()
    }
    assert counted == EXPECTED["counts"]


@pytest.mark.parametrize("kind", ["matches", "near_misses"])
def test_planted_processes_are_recorded_as_described(kind: str, judged: list[Judged]) -> None:
    by_record = {(start.host, *witness): start for start, _, _ in judged for witness in start.witnesses}
    for planted in EXPECTED[kind]:
        start = by_record[planted["host"], *planted["witnesses"][0]]
        assert start.witnesses == planted["witnesses"]
        assert (start.executable, start.pid, start.time) == (planted["executable"], planted["pid"], planted["time"])


def test_the_matches_are_all_and_only_these(judged: list[Judged]) -> None:
    found = [
        (start.host, start.pid, start.witnesses, parent.witnesses if parent else None)
        for start, verdict, parent in judged
        if verdict == "match"
    ]
    wanted = [(m["host"], m["pid"], m["witnesses"], m.get("inferred_from")) for m in EXPECTED["matches"]]
    assert found == wanted
    assert [m["inferred"] for m in EXPECTED["matches"]] == [source is not None for *_, source in found]
    observed = [[host, *witnesses[0]] for host, _, witnesses, source in found if source is None]
    assert observed == EXPECTED["observed_only"]["matches"]


def test_the_near_misses_are_no_matches(judged: list[Judged]) -> None:
    verdicts = {(start.host, *start.witnesses[0]): verdict for start, verdict, _ in judged}
    for planted in EXPECTED["near_misses"]:
        assert verdicts[planted["host"], *planted["witnesses"][0]] == "no", planted["why"]


def test_the_undetermined_are_all_and_only_these(judged: list[Judged]) -> None:
    found: dict[tuple[str, str], list[list[Any]]] = defaultdict(list)
    events: Counter[tuple[str, str]] = Counter()
    for start, verdict, _ in judged:
        if verdict not in ("match", "no"):
            found[start.host, verdict].extend(start.witnesses)
            events[start.host, verdict] += 1
    wanted = {(entry["host"], entry["reason"]): entry for entry in EXPECTED["undetermined"]}
    assert found == {key: entry["records"] for key, entry in wanted.items()}
    assert events == {key: entry["events"] for key, entry in wanted.items()}


def test_without_inference_sysmon_is_what_is_missing(judged: list[Judged]) -> None:
    found: dict[str, list[list[Any]]] = defaultdict(list)
    for start, _, _ in judged:
        unknown_parent = start.parent_executable is None or start.parent_executable.lower() == SVCHOST
        if start.parent_command_line is None and unknown_parent and not excluded(start.executable):
            found[start.host].extend(start.witnesses)
    wanted = {entry["host"]: entry["records"] for entry in EXPECTED["observed_only"]["undetermined"]}
    assert found == wanted
    assert [entry["events"] for entry in EXPECTED["observed_only"]["undetermined"]] == [5, 12]


def test_every_start_has_a_twin_where_both_logs_watched(judged: list[Judged]) -> None:
    """Two records of one process that told different stories would be a flaw of the evidence, not a find."""
    alone = [start for start, _, _ in judged if start.host == "WS-FIN-07" and len(start.witnesses) == 1]
    assert Counter(start.witnesses[0][0] for start in alone) == {SECURITY: 13, SYSMON: 2}


def test_the_page_names_every_planted_record() -> None:
    page = (TESTDATA / "EXPECTED.md").read_text(encoding="utf-8")
    for planted in (*EXPECTED["matches"], *EXPECTED["near_misses"]):
        for _, record_id in planted["witnesses"]:
            assert str(record_id) in page
    for entry in EXPECTED["undetermined"]:
        for _, record_id in entry["records"]:
            assert str(record_id) in page
