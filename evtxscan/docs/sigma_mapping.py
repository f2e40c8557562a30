"""Renders docs/sigma/mapping.md from schema/sigma."""

from __future__ import annotations

from collections.abc import Iterator

from evtxscan.sigma import tables
from evtxscan.sigma.tables import KEYWORD, Place, Target

_HEAD = """\
# What is corrected of Sigma's conversion

Written by `python -m evtxscan.docs` from `schema/sigma`; do not edit.

pySigma's pipeline `ecs_windows` gives the fields of Sigma rules ECS names. Below is what evtxscan puts in its place,
and why; [sigma.md](../sigma.md) says how rules are run. What is not here is the pipeline's.

## Categories

pySigma's pipeline leaves categories open: a rule for process starts would match any event with a command line. Here a
category is these events, by provider and event id, whatever the channel.

| category | events |
| --- | --- |
"""


def render() -> str:
    """Return the page."""
    return _HEAD + "\n".join([*_categories(), "", *_services(), "", *_fields(), "", *_expressions()]) + "\n"


def _categories() -> Iterator[str]:
    for name, category in tables.categories().items():
        events = "; ".join(f"{provider} {', '.join(codes)}" for provider, codes in category.events)
        where = "".join(f", `{path}` is {' or '.join(values)}" for path, values in category.where.items())
        yield f"| `{name}` | {events}{where} |"
    for name, category_of_event in tables.elsewhere().items():
        yield f"| `{name}` | no event log: `event.category` is {category_of_event}, which no event has |"


def _services() -> Iterator[str]:
    yield "## Services\n"
    yield "| service | channels | why |\n| --- | --- | --- |"
    for name, service in tables.services().items():
        yield f"| `{name}` | {', '.join(service.channels)} | {service.why} |"


def _fields() -> Iterator[str]:
    yield "## Fields\n"
    yield "*(keywords)* are values that a rule does not bind to a field. A field that is a sum of others starts with"
    yield "`sigma.` and stands in the last table."
    for table in tables.tables():
        yield f"\n### {table.name[0].upper()}{table.name[1:]}\n"
        named = [*(f"category `{name}`" for name in table.categories), *(_service(name) for name in table.services)]
        yield f"For {', '.join(named)}." if named else "Where no table below says otherwise."
        if table.default:
            places = " or ".join(f"`{pattern.format('NAME')}`" for pattern in table.default)
            yield f"\nAny other field `NAME` is {places}: {tables.reasons()['base']}."
        yield "\n| Sigma | where | why |\n| --- | --- | --- |"
        for name, target in table.fields.items():
            yield f"| {f'`{name}`' if name != KEYWORD else '*(keywords)*'} | {_where(target)} | {_why(target)} |"


def _service(name: str) -> str:
    return {"*": "every other service", "": "rules for all of Windows"}.get(name, f"service `{name}`")


def _where(target: Target) -> str:
    if target.algorithms:
        return "; ".join(f"{name}: `{path}`" for name, path in target.algorithms.items())
    text = "; ".join(map(_place, target.places))
    values = ", ".join(f"{given} is {ours}" for given, ours in target.values.items())
    return f"{text} ({values})" if values else text


def _place(place: Place) -> str:
    text = f"`{place.field}`"
    if place.codes:
        text += f" in {', '.join(place.codes)}"
    if place.not_codes:
        text += f" but in {', '.join(place.not_codes)}"
    return text + (f" without `{place.without}`" if place.without else "")


def _why(target: Target) -> str:
    return tables.reasons().get(target.why, "the same in every log")


def _expressions() -> Iterator[str]:
    yield "## Sums of fields\n"
    yield "| name | EQL |\n| --- | --- |"
    for name, text in tables.expressions().items():
        yield f"| `{name}` | `{text}` |"
