"""The processing step of ours: gives the fields of rules the names that evtxscan's documents have.

It runs before pySigma's ECS pipeline and decides by schema/sigma/fields.json; fields that are not there are the
pipeline's. Values move with their fields: a list of hashes is compared hash by hash, the text of a registry value with
the number that Elastic makes of it.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from sigma.conditions import ConditionAND, ConditionOR
from sigma.correlations import SigmaCorrelationRule
from sigma.processing.transformations.base import DetectionItemTransformation
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaRule
from sigma.types import (
    SigmaBool,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaString,
    SigmaType,
    SpecialChars,
)

from evtxscan.sigma.errors import ConversionError
from evtxscan.sigma.tables import KEYWORD, Fields, Place, Target, categories, fields_of

_Item: TypeAlias = SigmaDetectionItem | SigmaDetection
_NUMBER = re.compile(
    r"(?:(?P<type>[DQ]WORD) ?)?\(?0x(?P<high>[0-9a-f]{8})(?:-0x(?P<low>[0-9a-f]{8}))?\)?", re.IGNORECASE
)
_SYSMON = "Microsoft-Windows-Sysmon"


class FitFields(DetectionItemTransformation):  # type: ignore[misc]
    """Renames fields of one rule after the other, by its log source."""

    _fields: Fields
    _drops_dashes: bool

    def apply(self, rule: SigmaRule | SigmaCorrelationRule) -> None:
        """Fit all detections of a rule."""
        if isinstance(rule, SigmaRule):
            source = rule.logsource
            self._fields = fields_of(source.category, source.service)
            known = categories().get(source.category or "")
            self._drops_dashes = known is not None and known.events[0][0] == _SYSMON
        super().apply(rule)

    def apply_detection_item(self, detection_item: SigmaDetectionItem) -> _Item | None:
        """Return what stands in place of one test, None where nothing does."""
        item = detection_item
        item.value = [renamed for value in item.value for renamed in self._referenced(value)]
        target = self._fields.find(item.field or KEYWORD)
        if item.field is not None:
            self._count_empty_as_missing(item)
        if target is None:
            return None
        only = target.places[0] if len(target.places) == 1 else None
        if only and only.is_everywhere and not target.convert and not target.values and item.field is not None:
            item.field = only.field
            return item
        if item.value_linking is ConditionOR and target.convert == "hashes":
            return _any_hash(item, target)
        if item.value_linking is ConditionOR and not target.convert:
            return self._alternatives(item, target)
        tests = [self._fitted(item, target, value) for value in item.value]
        return SigmaDetection(tests, item_linking=item.value_linking)

    def _alternatives(self, item: SigmaDetectionItem, target: Target) -> _Item:
        """Return tests of whole lists, one for each field: shorter than one for each value and field."""
        values = [_translated(item, target, value) for value in item.value if not isinstance(value, SigmaNull)]
        tests = [_placed(item, place, *values) for place in target.places] if values else []
        if len(values) < len(item.value):
            tests.append(_all([_test(item, field, SigmaNull()) for field in target.fields]))
        return _any(tests)

    def _referenced(self, value: SigmaType) -> list[SigmaType]:
        """Rename the field that a value refers to."""
        if isinstance(value, SigmaFieldReference) and (target := self._fields.find(value.field)) is not None:
            return [SigmaFieldReference(field, value.starts_with, value.ends_with) for field in target.fields]
        return [value]

    def _count_empty_as_missing(self, item: SigmaDetectionItem) -> None:
        """Let an empty value be a missing one: Elastic drops empty values, in Sysmon's events ``-`` as well."""
        dropped = ("", "-") if self._drops_dashes else ("",)
        kept = [value for value in item.value if _plain(value) not in dropped and not isinstance(value, SigmaNull)]
        if len(kept) < len(item.value):
            item.value = [*kept, SigmaNull()]

    def _fitted(self, item: SigmaDetectionItem, target: Target, value: SigmaType) -> _Item:
        if isinstance(value, SigmaExpansion):
            return _any([self._fitted(item, target, one) for one in value.values])
        if target.convert == "hashes":
            return _any([_test(item, field, digest) for field, digest in _digests(item, target, value)])
        if target.convert == "registry_data":
            return _registry_data(item, target.fields[0], value)
        value = _translated(item, target, value)
        if isinstance(value, SigmaNull):
            return _all([_test(item, field, value) for field in target.fields])
        return _any([_placed(item, place, value) for place in target.places])


def _translated(item: SigmaDetectionItem, target: Target, value: SigmaType) -> SigmaType:
    """Return the value that stands for another, and one without a field as part of a text."""
    known = {given.lower(): ours for given, ours in target.values.items()}
    text = _plain(value)
    if text is not None and text.lower() in known:
        return SigmaString.from_str(known[text.lower()])
    return _anywhere(value) if item.field is None else value


def _test(item: SigmaDetectionItem, field: str, *values: SigmaType) -> SigmaDetectionItem:
    return SigmaDetectionItem(field, [], list(values), source=item.source, auto_modifiers=False)


def _placed(item: SigmaDetectionItem, place: Place, *values: SigmaType) -> _Item:
    """Return the test of one field in the events that it is for."""
    tests: list[_Item] = []
    if place.codes or place.not_codes:
        codes = [SigmaString.from_str(code) for code in place.codes or place.not_codes]
        tests.append(_test(item, "event.code", *codes))
        tests[0].negated = bool(place.not_codes)
    if place.without:
        tests.append(_test(item, place.without, SigmaNull()))
    return _all([*tests, _test(item, place.field, *values)])


def _any(tests: list[_Item]) -> _Item:
    return tests[0] if len(tests) == 1 else SigmaDetection(tests, item_linking=ConditionOR)


def _all(tests: list[_Item]) -> _Item:
    return tests[0] if len(tests) == 1 else SigmaDetection(tests, item_linking=ConditionAND)


def _plain(value: SigmaType) -> str | None:
    """Return the text of a value without wildcards."""
    if isinstance(value, SigmaBool):
        return str(value.boolean).lower()
    if isinstance(value, SigmaNumber):
        return str(value.number)
    if isinstance(value, SigmaString) and all(isinstance(part, str) for part in value.s):
        return "".join(map(str, value.s))
    return None


def _anywhere(value: SigmaType) -> SigmaType:
    """Return a value without a field as one that is part of a field's text."""
    if not isinstance(value, SigmaString):
        return value
    return _joined([SpecialChars.WILDCARD_MULTI, *value.s, SpecialChars.WILDCARD_MULTI])


def _joined(parts: list[object]) -> SigmaString:
    text = SigmaString("")
    text.s = [
        part
        for index, part in enumerate(parts)
        if part != "" and not (index and part is SpecialChars.WILDCARD_MULTI and parts[index - 1] is part)
    ]
    return text


def _core(value: SigmaString) -> str | None:
    """Return the text between the wildcards that open and close a value, None where there are others."""
    parts = list(value.s)
    while parts and parts[0] is SpecialChars.WILDCARD_MULTI:
        parts.pop(0)
    while parts and parts[-1] is SpecialChars.WILDCARD_MULTI:
        parts.pop()
    return str(parts[0]) if len(parts) == 1 and isinstance(parts[0], str) else None


def _any_hash(item: SigmaDetectionItem, target: Target) -> _Item:
    """Compare each kind of hash with the list of all that values name: rules have thousands."""
    lists: dict[str, list[SigmaType]] = {}
    tests: list[_Item] = []
    for value in item.value:
        if isinstance(value, SigmaNull):
            tests.append(_all([_test(item, field, value) for field in target.fields]))
            continue
        for one in value.values if isinstance(value, SigmaExpansion) else [value]:
            for field, digest in _digests(item, target, one):
                lists.setdefault(field, []).append(digest)
    tests += [_test(item, field, *digests) for field, digests in lists.items()]
    return _any(tests)


def _digests(item: SigmaDetectionItem, target: Target, value: SigmaType) -> list[tuple[str, SigmaString]]:
    """Return the field and text of the hash that a value names, or all fields where it names no kind."""
    core = _core(value) if isinstance(value, SigmaString) else None
    if core is None:
        raise ConversionError(f"a test of {item.field} that is no hash, such as MD5=...")
    name, equals, digest = core.strip(",").partition("=")
    if not equals:
        return [(field, SigmaString.from_str(name)) for field in target.fields]
    if name.lower() not in target.algorithms:
        raise ConversionError(f"a hash of the kind {name}, which Sysmon does not have")
    return [(target.algorithms[name.lower()], SigmaString.from_str(digest))]


def _registry_data(item: SigmaDetectionItem, field: str, value: SigmaType) -> _Item:
    """Compare with the number and type that stand for DWORD (0x...), or with the text."""
    as_text = _test(item, field, value)
    if not isinstance(value, SigmaString) or (core := _core(value)) is None:
        return as_text
    kind = "registry.data.type"
    if core.rstrip(" (").upper() in ("DWORD", "QWORD"):
        return _any([_test(item, kind, SigmaString.from_str(f"SZ_{core.rstrip(' (').upper()}")), as_text])
    found = _NUMBER.fullmatch(core.strip())
    if found is None:
        return as_text
    is_quad = found["low"] is not None
    number = int(found["high"], 16)
    if is_quad:
        number = (number << 8) + int(found["low"], 16)  # as Elastic computes it
    typed = [
        _test(item, field, SigmaString.from_str(str(number))),
        _test(item, kind, SigmaString.from_str("SZ_QWORD" if is_quad else "SZ_DWORD")),
    ]
    return _any([_all(list(typed)), as_text])
