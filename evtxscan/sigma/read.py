"""Reads Sigma files: what each rule says, and its condition as EQL or why there is none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule

from evtxscan.sigma.backend import CaseEql
from evtxscan.sigma.errors import ConversionError
from evtxscan.sigma.pipeline import named_source, pipeline, source_condition

_MAX_SIZE = 1 << 20
"""No rule is larger; reading YAML takes memory many times its size."""
_MAX_ALIASES = 20
"""Each alias may double what a file stands for."""
_ALIAS = re.compile(rb"(?:^|[\s\[{,:-])\*[\w-]")
_DETECTION = re.compile(rb"^detection[ \t]*:", re.MULTILINE)
_NOTE = re.compile(r" \(while (?:applying|converting|finalizing).*\)$")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class SigmaText:
    """One Sigma rule: what it says of itself, and ``query``, its condition as EQL.

    ``line`` is that of its detection in the file. ``level`` and ``status`` are words, empty where the rule has none.
    """

    id: str
    title: str
    query: str
    line: int
    level: str
    status: str
    description: str
    author: str
    license: str
    date: str
    modified: str
    logsource: str
    references: tuple[str, ...]
    false_positives: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotConverted:
    """A rule, or a whole file, that does not run: its title (empty for a file), and why."""

    title: str
    reason: str


def read_sigma(raw: bytes) -> Iterator[SigmaText | NotConverted]:
    """Yield the rules of one file. Nothing that the bytes hold raises."""
    try:
        documents = [document for document in _documents(raw) if document is not None]
    except yaml.YAMLError as error:
        yield NotConverted("", f"no valid YAML: {_one_line(error)}")
        return
    except (ConversionError, UnicodeDecodeError, ValueError, RecursionError) as error:
        yield NotConverted("", f"cannot be read: {_one_line(error)}")
        return
    lines = [raw.count(b"\n", 0, found.start()) + 1 for found in _DETECTION.finditer(raw)]
    for number, document in enumerate(documents):
        title = str(document.get("title", "")) if isinstance(document, dict) else ""
        try:
            yield _rule(document, lines[number] if number < len(lines) else 1)
        except (ConversionError, SigmaError, NotImplementedError) as error:
            yield NotConverted(title, _one_line(error))
        except Exception as error:  # noqa: BLE001 - pySigma's checks are not complete: a rule that breaks it is a loss
            yield NotConverted(title, f"pySigma cannot read it: {type(error).__name__}: {_one_line(error)}")


def _documents(raw: bytes) -> list[Any]:
    if len(raw) > _MAX_SIZE:
        raise ConversionError(f"larger than {_MAX_SIZE} bytes")
    if _ALIAS.search(raw):
        events = yaml.parse(raw, Loader=_LOADER)
        if sum(isinstance(event, yaml.AliasEvent) for event in events) > _MAX_ALIASES:
            raise ConversionError(f"more than {_MAX_ALIASES} YAML aliases")
    return list(yaml.load_all(raw, Loader=_LOADER))  # the safe loader, in C where there is one


def _rule(document: object, line: int) -> SigmaText:
    if not isinstance(document, dict):
        raise ConversionError("no Sigma rule: it has to be a mapping")
    if "correlation" in document:
        raise ConversionError("correlation rules are not supported yet")
    if "filter" in document:
        raise ConversionError("Sigma filters are not supported")
    if "action" in document:
        raise ConversionError(f"the YAML action {document['action']!r} is not supported")
    rule = SigmaRule.from_dict(document)
    if rule.id is None:
        raise ConversionError("it has no id")
    return SigmaText(
        id=str(rule.id),
        title=rule.title,
        query=_query(rule),
        line=line,
        level=rule.level.name.lower() if rule.level else "",
        status=rule.status.name.lower() if rule.status else "",
        description=(rule.description or "").strip(),
        author=rule.author or "",
        license=rule.license or "",
        date=str(rule.date or ""),
        modified=str(rule.modified or ""),
        logsource=named_source(rule.logsource),
        references=tuple(map(str, rule.references or ())),
        false_positives=tuple(map(str, rule.falsepositives or ())),
        tags=tuple(map(str, rule.tags or ())),
    )


def _query(rule: SigmaRule) -> str:
    source = source_condition(rule.logsource)
    conditions = _backend().convert_rule(rule)
    if not conditions:
        raise ConversionError("nothing is left of its condition")
    condition = " or ".join(f"({text})" for text in conditions) if len(conditions) > 1 else conditions[0]
    return f"any where {source} and ({condition})" if source else f"any where {condition}"


@cache
def _backend() -> CaseEql:
    return CaseEql(processing_pipeline=pipeline())


def _one_line(error: Exception) -> str:
    """Return an error's text without line breaks and without pySigma's note on what it was doing."""
    return _NOTE.sub("", " ".join(str(error).split()))
