"""Writes docs/ecs-mapping.md from the tables: ``python -m evtxscan.ecs.docs > docs/ecs-mapping.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from evtxscan.ecs.base import base
from evtxscan.ecs.columns import catalogue
from evtxscan.ecs.tables import FILES, table_content

_INTRODUCTION = """# How records become ECS events

Written by `python -m evtxscan.ecs.docs` from the tables in `schema/ecs`; do not edit.

Fields are named and filled as **{profile}** does it, because Elastic's rules are written for that. Where evtxscan
differs from Elastic's own documents, and why, stands in [ecs-differences.md](ecs-differences.md).

## Additions

What evtxscan adds to the profile:

| what | why |
| --- | --- |
{additions}

## Every event

- Values of event data are texts: numbers in decimal, booleans as `true` and `false`, hex numbers as Windows renders
  them (`0x3e7`), GUIDs in braces, SIDs as `S-1-...`; CRLF becomes LF, line ends at the end are cut. Empty values are
  no values. `%%nnnn` codes stay as recorded, because rules test them.
- Data without a name is `paramN`, counted from 1, `Binary` is `Binary`. UserData is `winlog.user_data`, with
  `xml_name` for its element. Names of nested elements are joined with dots; the second value of a name gets `_1`.
- `@timestamp` is TimeCreated with all seven digits, in Sysmon's events UtcTime with its three; then
  `winlog.time_created` has TimeCreated.
- `event.code`, `event.provider`, `event.outcome`, `log.level`, `winlog.channel`, `winlog.keywords`, `winlog.opcode`,
  `winlog.task`, `winlog.version`, `winlog.provider_guid` follow from the record's System element. Providers' task
  names are known only where a table below has them: there is no publisher metadata in a log.
- `host.name` and `winlog.computer_name` are the recorded computer name, `winlog.user.identifier` the account that
  wrote the record, `winlog.process.pid` and `winlog.process.thread.id` the writer's ids (absent when 0).
- A value that does not fit its field (a port that is no number, an address that is none, a user without a domain)
  stays in event data under its recorded name.

| channel | data_stream.dataset |
| --- | --- |
{datasets}

## What is stored, what is computed

A case has one column for each line of this table. A `keyword` is stored once per distinct text, a `date` as 100 ns
since 1601. All other fields of a document are computed from these when they are read, or follow from the sort of
record; event data without a column is kept as JSON.

| column | type | what |
| --- | --- | --- |
{columns}

## Not mapped yet

- PowerShell writes the names in the `ContextInfo` of 4103 in the language of its Windows; only English ones are known.
- A script block that is split over several 4104 is not put together: each event has its part.
- `message` and the names behind `winlog.user.identifier` need the host that wrote the log.

## The tables

*moved*: the value is in the field and leaves event data; *copied*: it is in both. A field with a formula is computed.
*read*: the value stays in `data`, where fields are computed from it. A `#` in a name stands for the numbers 0 to 15.
`{{a}}` before a field list takes in the set of that name. Each provider is known by name *and* channel.
"""


def render() -> str:
    """Return the document."""
    tables = base()
    head = _INTRODUCTION.format(
        profile=tables.profile,
        additions=_rows(tables.additions.items()),
        datasets=_rows((f"`{channel}`", f"`{name}`") for channel, name in tables.datasets.items()),
        columns=_rows((f"`{info.name}`", info.type, info.description) for info in catalogue().values()),
    )
    return head + "".join(f"{line}\n" for name in FILES for line in _file(table_content(name)))


def _rows(rows: Any) -> str:  # noqa: ANN401 - pairs and triples of texts
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _file(content: dict[str, Any]) -> Iterator[str]:
    yield f"\n### {content['channel']}\n"
    told = {name: "; ".join(_rules(rules)) for name, rules in content.get("sets", {}).items()}
    for name, text in told.items():
        if text:
            yield f"- `{{{name}}}`: {text}"
    if blank := content.get("blank"):
        yield f"\nNo values here: {', '.join(f'`{text}`' for text in blank)}."
    for provider, entry in content["providers"].items():
        common = "".join(f" All have `{{{name}}}`." for name in entry.get("use", []))
        where = " Their values are in `winlog.user_data`." if entry.get("payload") == "user_data" else ""
        yield f"\n#### {provider}\n"
        if common or where:
            yield f"{common}{where}".strip() + "\n"
        yield "| event.code | event | event.category | event.type | event.action | fields |"
        yield "| --- | --- | --- | --- | --- | --- |"
        for code, event in entry["events"].items():
            yield _event(code, event, [name for name in event.get("use", []) if told[name]])


def _event(code: str, event: dict[str, Any], sets: list[str]) -> str:
    fields = [f"`{{{name}}}`" for name in sets] + list(_rules(event))
    fields += [f"`{name}` is `{value}`" for name, value in event.get("constants", {}).items()]
    if "outcome" in event:
        fields.append(f"`event.outcome` is `{_text(event['outcome'])}`")
    cells = [code if code != "*" else "other", event["title"], *(_text(event.get(key)) for key in _ECS)]
    return "| " + " | ".join([*cells, "; ".join(fields)]) + " |"


_ECS = ("category", "type", "action")


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value or "")


def _rules(rules: dict[str, Any]) -> Iterator[str]:
    for verb, word in (("move", "moved"), ("copy", "copied")):
        for raw, targets in rules.get(verb, {}).items():
            for target in targets if isinstance(targets, list) else [targets]:
                yield f"`{target.split()[0]}` {word} from {raw}"
    if gone := [*rules.get("drop", []), *rules.get("hide", [])]:
        yield f"{', '.join(gone)} not in event data"
    for field, term in rules.get("derive", {}).items():
        yield f"`{field}` = {term.removeprefix('same(').removesuffix(')') if term.startswith('same(') else term}"


if __name__ == "__main__":
    sys.stdout.write(render())
