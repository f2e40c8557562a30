r"""powershell.*: the entries of the texts in which PowerShell records a context, and the lines of a pipeline's details.

A context is ``Key=value`` on a line each: with a tab before the key in the log Windows PowerShell, and as
``        Host Name = value`` in the operational log. Values are what users typed: they may have line ends, and lines
that look like an entry.

The operational log has its keys in the language of Windows (``Hostname``, ``Nom d'hôte``). There the entries are known
by their order, which is the same in all languages: only where there is exactly one line for each of them, and where
what has to be a number, a version or a GUID is one. Any other context in another language is not read.
"""

from __future__ import annotations

import re
from functools import lru_cache

# The names in the templates of Windows PowerShell 200 to 800 and in ContextInfo of 4100 to 4103 (there with blanks).
_KEYS = frozenset(
    [
        "CommandLine", "CommandName", "CommandPath", "CommandType", "ConnectedUser", "DetailSequence", "DetailTotal",
        "EngineVersion", "HostApplication", "HostID", "HostId", "HostName", "HostVersion", "NewCommandState",
        "NewEngineState", "NewProviderState", "PipelineID", "PipelineId", "PreviousEngineState", "ProviderName",
        "RunspaceID", "RunspaceId", "ScriptName", "SequenceNumber", "Severity", "ShellID", "User", "UserId",
    ]
)  # fmt: skip
# The entries of ContextInfo in their order, and the form that the values of some of them have.
_ORDER = (
    "Severity", "HostName", "HostVersion", "HostID", "HostApplication", "EngineVersion", "RunspaceID", "PipelineID",
    "CommandName", "CommandType", "ScriptName", "CommandPath", "SequenceNumber", "User", "ConnectedUser", "ShellID",
)  # fmt: skip
_GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_FORMS = {
    "HostVersion": re.compile(r"[0-9]+(?:\.[0-9]+){1,3}", re.ASCII),
    "HostID": re.compile(_GUID, re.ASCII),
    "EngineVersion": re.compile(r"(?:[0-9]+(?:\.[0-9]+){1,3})?", re.ASCII),
    "RunspaceID": re.compile(f"(?:{_GUID})?", re.ASCII),
    "PipelineID": re.compile("[0-9]*", re.ASCII),
    "SequenceNumber": re.compile("[0-9]+", re.ASCII),
}
_ENTRY = re.compile(r" +([^\s=][^=]*?) = ?(.*)")
_LAST = "CommandLine"  # the last entry of a context that has it: all that follows is the command
_LINE = re.compile(r"(?:\t([A-Za-z]+)=| +([A-Za-z][A-Za-z ]*?) =)(.*)", re.ASCII)
_DETAIL = re.compile(r"([^:(]+)\(([^)]+)\):\s*(.+)?", re.ASCII)
_PARAMETER = re.compile(r"name=(.+);\s*value=(.+)", re.ASCII)


@lru_cache(maxsize=512)
def context(text: str) -> dict[str, tuple[str, ...]]:
    """Return the entries of a context by name without blanks, empty ones left out; treat the result as read-only.

    A line that is no entry belongs to the value before it. A name that stands there twice has both values, as Elastic
    has them: one of the two is not PowerShell's, and nothing tells which.
    """
    head = _ENTRY.match(text)
    if head is not None and head[1] != _ORDER[0]:
        return _by_order(text)
    found: dict[str, list[list[str]]] = {}
    value: list[str] = []
    is_last = False
    for line in text.split("\n"):
        parts = None if is_last else _LINE.fullmatch(line)
        name = (parts[1] or parts[2].replace(" ", "")) if parts else ""
        if parts and name in _KEYS:
            value = [parts[3] if parts[1] else parts[3].strip(" ")]
            found.setdefault(name, []).append(value)
            is_last = name == _LAST
        else:
            value.append(line)
    joined = {name: tuple("\n".join(lines).strip("\t\n") for lines in values) for name, values in found.items()}
    return {name: filled for name, values in joined.items() if (filled := tuple(filter(None, values)))}


def _by_order(text: str) -> dict[str, tuple[str, ...]]:
    """Return the entries of a context in a language that is not known, by their order; none where that is not sure."""
    keys: list[str] = []
    values: list[list[str]] = []
    for line in text.split("\n"):
        if parts := _ENTRY.fullmatch(line):
            keys.append(parts[1])
            values.append([parts[2]])
        else:
            values[-1].append(line)
    if len(keys) != len(_ORDER) or len(set(keys)) != len(keys):
        return {}
    found = {name: "\n".join(lines).strip(" \t\n") for name, lines in zip(_ORDER, values, strict=True)}
    if not all(form.fullmatch(found[name]) for name, form in _FORMS.items()):
        return {}
    return {name: (value,) for name, value in found.items() if value}


def unread(text: str) -> str | None:
    """Return a context of which nothing could be read."""
    return None if context(text) else text


def entry(name: str, text: str) -> list[str]:
    """Return the values of one entry of a context."""
    return list(context(text).get(name, ()))


def details(text: str) -> list[dict[str, str]]:
    """Return powershell.command.invocation_details: an object per line, ``value`` alone for a line of another form."""
    return [_detail(line) for line in text.split("\n")]


def _detail(line: str) -> dict[str, str]:
    found = _DETAIL.fullmatch(line)
    if found is None:
        return {"value": line}
    kind, command, value = found.groups()
    named = {"type": kind, "related_command": command}
    if kind != "ParameterBinding":
        return {**named, "value": value} if value else named
    parameter = _PARAMETER.fullmatch(value or "")
    if parameter is None:
        return {"value": value or line}
    return {**named, "name": parameter[1], "value": parameter[2]}
