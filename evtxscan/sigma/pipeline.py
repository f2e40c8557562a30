"""The processing pipeline: our step, then pySigma's for Windows logs that Winlogbeat collects."""

from __future__ import annotations

from sigma.pipelines.common import windows_logsource_mapping
from sigma.pipelines.elasticsearch.windows import ecs_windows
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.rule import SigmaLogSource

from evtxscan.sigma.backend import field_name, quoted
from evtxscan.sigma.errors import ConversionError
from evtxscan.sigma.fit import FitFields
from evtxscan.sigma.tables import categories, elsewhere, services

# The backend writes numbers and texts by the type of their field; a step that makes all of them texts is in its way.
_REPLACED = ("values_to_str", "network_direction_egress", "network_direction_ingress")


def pipeline() -> ProcessingPipeline:
    """Return a pipeline for one backend."""
    theirs = ecs_windows()
    theirs._clear_pipeline()
    kept = [item for item in theirs.items if not _is_replaced(item.identifier or "")]
    ours = ProcessingItem(identifier="evtxscan_fields", transformation=FitFields())
    return ProcessingPipeline(name="evtxscan", priority=theirs.priority, items=[ours, *kept])


def _is_replaced(identifier: str) -> bool:
    return identifier in _REPLACED or identifier.startswith("windows_logsource_")


def source_condition(source: SigmaLogSource) -> str:
    """Return EQL for the events of a log source, empty for all of Windows.

    Raises ConversionError for one that event logs of Windows cannot be or that nobody knows.
    """
    if source.product is None and source.category in elsewhere():
        return f"event.category == {quoted(elsewhere()[source.category])}"
    if source.product not in (None, "windows"):
        raise ConversionError(f"its log source is {named_source(source)}, which is no event log of Windows")
    terms = []
    if source.category is not None:
        terms.append(_category(source, source.category))
    if source.service is not None:
        terms.append(_service(source, source.service))
    if not terms and source.product is None:
        raise ConversionError("it names no log source")
    return " and ".join(terms)


def _category(source: SigmaLogSource, name: str) -> str:
    known = categories().get(name)
    if known is None:
        raise ConversionError(f"its log source is {named_source(source)}: no event log of Windows is known to have it")
    events = [
        f"event.provider == {quoted(provider)} and {_is_one_of('event.code', codes)}"
        for provider, codes in known.events
    ]
    terms = [events[0] if len(events) == 1 else "(" + " or ".join(f"({event})" for event in events) + ")"]
    return " and ".join([*terms, *(_is_one_of(field_name(path), values) for path, values in known.where.items())])


def _service(source: SigmaLogSource, name: str) -> str:
    ours = services().get(name)
    channels = ours.channels if ours else windows_logsource_mapping.get(name)
    if channels is None:
        raise ConversionError(f"its log source is {named_source(source)}: the channel of this service is not known")
    # Windows writes some channels in different case in different versions.
    names = [channels] if isinstance(channels, str) else list(channels)
    listed = ", ".join(map(quoted, names))
    return f"winlog.channel : {listed}" if len(names) == 1 else f"winlog.channel : ({listed})"


def _is_one_of(path: str, values: tuple[str, ...]) -> str:
    if len(values) == 1:
        return f"{path} == {quoted(values[0])}"
    return f"{path} in ({', '.join(map(quoted, values))})"


def named_source(source: SigmaLogSource) -> str:
    """Return a log source as text."""
    parts = [("product", source.product), ("category", source.category), ("service", source.service)]
    return ", ".join(f"{name} {value}" for name, value in parts if value)
