"""Sigma as its specification reads, over records as recorded: no pipeline, no backend, no ECS.

The second opinion on what evtxscan makes of a rule. Only pySigma's parser is used; fields are those of the event data,
and those of Security 4688 are called as Sigma's taxonomy of processes calls them.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import evtx

FOLD = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
STARTS = {
    "NewProcessName": "Image",
    "ParentProcessName": "ParentImage",
    "NewProcessId": "ProcessId",
    "ProcessId": "ParentProcessId",
    "MandatoryLabel": "IntegrityLevel",
    "SubjectLogonId": "LogonId",
}

Raw = Mapping[str, str]


def records(path: Path) -> Iterator[Raw]:
    """Yield the values of each record by name: EventID, Provider_Name, Channel, RecordID, and its data."""
    for record in evtx.PyEvtxParser(str(path)).records_json():
        event = json.loads(record["data"])["Event"]
        system = event["System"]
        code = system["EventID"]
        system_fields = {
            "EventID": str(code["#text"] if isinstance(code, dict) else code),
            "Provider_Name": system["Provider"]["#attributes"].get("Name", ""),
            "Channel": str(system.get("Channel") or ""),
            "Computer": str(system.get("Computer") or ""),
            "Level": str(system.get("Level") or ""),
            "Keywords": str(system.get("Keywords") or ""),
            "RecordID": str(system["EventRecordID"]),
        }
        data = dict(_values(event.get("EventData") or {}))
        for part in (event.get("UserData") or {}).values():
            data |= dict(_values(part)) if isinstance(part, dict) else {}
        if system_fields["Provider_Name"] == "Microsoft-Windows-Sysmon":
            # Sysmon writes "-" for what it could not tell; Elastic drops it, and so it counts as missing.
            data = {name: value for name, value in data.items() if value != "-"}
        found = {**data, **system_fields}
        if found["EventID"] == "4688" and found["Channel"] == "Security":
            user = {"User": f"{found.get('SubjectDomainName')}\\{found.get('SubjectUserName')}"}
            found = {STARTS.get(name, name): value for name, value in found.items()} | user
        yield found


def _values(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in data.items():
        if name == "#attributes":
            continue
        if isinstance(value, dict):
            value = value.get("#text")  # noqa: PLW2901
        if name == "Data":
            texts = value if isinstance(value, list) else [value]
            yield "Data", "\n".join(map(str, texts))
        elif value is not None:
            yield name, ("true" if value else "false") if isinstance(value, bool) else str(value)


def holds(condition: Any, raw: Raw) -> bool:  # noqa: ANN401 - pySigma's tree
    """Tell whether a parsed condition holds for a record."""
    kind = type(condition).__name__
    if kind == "ConditionAND":
        return all(holds(item, raw) for item in condition.args)
    if kind == "ConditionOR":
        return any(holds(item, raw) for item in condition.args)
    if kind == "ConditionNOT":
        return not holds(condition.args[0], raw)
    if kind == "ConditionValueExpression":
        return any(_matches(condition.value, value, raw, part=True) for value in raw.values())
    found = raw.get(condition.field) or None  # an empty value is no value
    if type(condition.value).__name__ == "SigmaNull":
        return found is None
    if found is None:
        return type(condition.value).__name__ == "SigmaString" and condition.value.s in ([], ["-"])
    return _matches(condition.value, found, raw)


def _matches(value: Any, found: str, raw: Raw, *, part: bool = False) -> bool:  # noqa: ANN401
    kind = type(value).__name__
    if kind == "SigmaExpansion":
        return any(_matches(one, found, raw, part=part) for one in value.values)
    if kind in ("SigmaString", "SigmaCasedString"):
        pattern = _glob(value, part=part, fold=kind == "SigmaString")
        return pattern.fullmatch(found.translate(FOLD) if kind == "SigmaString" else found) is not None
    if kind == "SigmaNumber":
        return found == str(value.number)
    if kind == "SigmaBool":
        return found.lower() == str(value.boolean).lower()
    if kind == "SigmaRegularExpression":
        flags = re.I if any(flag.name == "IGNORECASE" for flag in value.flags) else 0
        return re.search(str(value.regexp), found, flags | re.A) is not None
    if kind == "SigmaCIDRExpression":
        try:
            return ipaddress.ip_address(found) in value.network
        except ValueError:
            return False
    if kind == "SigmaFieldReference":
        other = raw.get(value.field)
        return other is not None and other.translate(FOLD) == found.translate(FOLD)
    raise NotImplementedError(kind)


_GLOBS: dict[int, tuple[Any, re.Pattern[str]]] = {}


def _glob(value: Any, *, part: bool, fold: bool) -> re.Pattern[str]:  # noqa: ANN401
    known = _GLOBS.get(id(value))
    if known is None:
        text = "".join(
            re.escape(item.translate(FOLD) if fold else item)
            if isinstance(item, str)
            else ".*"
            if item.name == "WILDCARD_MULTI"
            else "."
            for item in value.s
        )
        known = _GLOBS[id(value)] = (value, re.compile(f".*{text}.*" if part else text, re.S))
    return known[1]
