"""Rebuilds a stale record: its values, and a template that they fit.

The template's definition may be gone. It is looked for where the record says, then in the evidence at large: a GUID
stands for one content (483 of them in 300 public logs: no exception), and its first four bytes are the id that a
record has. What does not pass every check is refused, with the reason: a wrong rendering is worse than none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum

from evtxscan.evidence.evtx_layout import CHUNK_SIZE, RECORD_HEADER_SIZE
from evtxscan.evtx.binxml.fit import check_values, why_not
from evtxscan.evtx.binxml.nodes import BinXmlError, Definition, Element, Instance, Substitution, Value
from evtxscan.evtx.binxml.resolve import Budget, Resolved, resolve
from evtxscan.evtx.binxml.tokens import read_definition, read_fragment
from evtxscan.evtx.binxml.types import BINXML
from evtxscan.evtx.walk import Span

_END_OF_STREAM = 0
# A record's size is a multiple of 8 (MS-EVEN6 2.2.13 leaves it open; every record of 300 public logs has it so): the
# end token, then what is left over.
_MOST_PADDING = 8
# Values in values: Windows has the event's data in System's template, and nothing in that.
_DEEPEST = 2
# Definitions do not overlap, so those of a chunk have less than 64 KiB together; made-up ones might.
_MOST_READ = 4 * CHUNK_SIZE


class Means(IntEnum):
    """Where the template of a record was found; the farthest one where a record has several."""

    IN_PLACE = 0
    SAME_SOURCE = 1
    OTHER_SOURCE = 2


@dataclass(frozen=True, slots=True)
class Recovered:
    """A stale record as a tree, to be written as JSON or XML.

    ``unnamed``: the id of the template of its event data, where that is nowhere in the evidence. The values are there,
    as unnamed Data in their order; System is whole. ``borrowed``: GUIDs of the templates that were read elsewhere.
    """

    span: Span
    root: Resolved
    means: Means
    unnamed: int | None = None
    borrowed: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """A stale record that is not rendered. ``template_id``: of the template that was looked for in vain."""

    span: Span
    reason: str
    detail: str
    template_id: int | None = None


Known = Callable[[int], list[tuple[Definition, Means]]]
"""Returns the definitions that the evidence has of a template id, the nearest first, one per GUID."""


class UnknownTemplateError(BinXmlError):
    """No definition of a template is in the evidence."""

    def __init__(self, template_id: int) -> None:
        super().__init__("template_unknown", f"template 0x{template_id:08x} is nowhere in the evidence")
        self.template_id = template_id


def _without_names(instance: Instance) -> Resolved:
    """Return event data whose template is gone: every value, Null too, so that each keeps its place."""
    if any(value.type == BINXML and value.data for value in instance.values):
        raise UnknownTemplateError(instance.template_id)
    places = tuple(Substitution(index, value.type, optional=False) for index, value in enumerate(instance.values))
    data = tuple(Element("Data", (), (place,)) for place in places)
    return resolve(Element("EventData", (), data), instance.values, _no_nesting, Budget())


def _no_nesting(value: Value) -> Resolved:
    raise BinXmlError("nested_too_deep", f"value at offset {value.offset}")


class Rebuilder:
    """Rebuilds the stale records of one chunk."""

    def __init__(self, chunk: bytes, known: Known) -> None:
        self._chunk = chunk
        self._known = known
        self._definitions: dict[int, Definition | None] = {}
        self._to_read = _MOST_READ
        self._budget = Budget()
        self._depth = 0
        self._means = Means.IN_PLACE
        self._unnamed: int | None = None
        self._borrowed: dict[bytes, None] = {}

    def rebuild(self, span: Span) -> Recovered | Refused:
        """Rebuild the record at ``span``, or say why not."""
        self._budget = Budget()
        self._depth, self._means, self._unnamed, self._borrowed = 0, Means.IN_PLACE, None, {}
        try:
            root = self._record(span)
        except UnknownTemplateError as error:
            return Refused(span, error.reason, error.detail, error.template_id)
        except BinXmlError as error:
            return Refused(span, error.reason, error.detail)
        return Recovered(span, root, self._means, self._unnamed, tuple(self._borrowed))

    def _record(self, span: Span) -> Resolved:
        start, end = span.offset + RECORD_HEADER_SIZE, span.offset + span.size - 4
        fragment = read_fragment(self._chunk, start, end)
        if isinstance(fragment, Instance):
            rest = self._chunk[fragment.end : end]
            if not 0 < len(rest) <= _MOST_PADDING or rest[0] != _END_OF_STREAM:
                raise BinXmlError("sizes_disagree", f"values end at offset {fragment.end}, the record at {end}")
        return self._fragment(fragment)

    def _fragment(self, fragment: Instance | Element) -> Resolved:
        if isinstance(fragment, Element):
            return resolve(fragment, (), self._nested, self._budget)
        check_values(fragment.values)
        definition, means = self._definition(fragment)
        self._means = max(self._means, means)
        if means is not Means.IN_PLACE:
            self._borrowed[definition.guid] = None
        return resolve(definition.root, fragment.values, self._nested, self._budget)

    def _nested(self, value: Value) -> Resolved:
        end = value.offset + len(value.data)
        fragment = read_fragment(self._chunk, value.offset, end)
        if isinstance(fragment, Instance) and self._chunk[fragment.end : end] != bytes((_END_OF_STREAM,)):
            raise BinXmlError("sizes_disagree", f"values end at offset {fragment.end}, the value at {end}")
        self._depth += 1
        if self._depth > _DEEPEST:
            raise BinXmlError("nested_too_deep", f"value at offset {value.offset}")
        try:
            return self._fragment(fragment)
        except UnknownTemplateError:
            if self._depth > 1 or not isinstance(fragment, Instance):
                raise
            self._unnamed = fragment.template_id
            return _without_names(fragment)
        finally:
            self._depth -= 1

    def _definition(self, instance: Instance) -> tuple[Definition, Means]:
        """Return the template that an instance was made with. Raises BinXmlError when none, or more than one, fits."""
        misfit = ""
        fitting: list[tuple[Definition, Means]] = []
        for definition, means in self._candidates(instance):
            if reason := why_not(definition, instance.values):
                misfit = misfit or reason
            elif means is Means.IN_PLACE:
                return definition, means
            else:
                fitting.append((definition, means))
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            guids = ", ".join(definition.guid.hex() for definition, _ in fitting)
            raise BinXmlError("template_ambiguous", f"values fit the templates {guids}")
        if misfit:
            raise BinXmlError("template_differs", f"template 0x{instance.template_id:08x}: {misfit}")
        raise UnknownTemplateError(instance.template_id)

    def _candidates(self, instance: Instance) -> Iterator[tuple[Definition, Means]]:
        known = self._known(instance.template_id)
        standing = self._standing(instance)
        if standing is not None:
            # The same GUID with another content: what stands here was overwritten in part.
            same = next((found for found in known if found[0].guid == standing.guid), None)
            if same is None or same[0].root == standing.root:
                yield standing, Means.IN_PLACE
        yield from known

    def _standing(self, instance: Instance) -> Definition | None:
        """Return the definition at the offset that the instance names, if it is still there."""
        offset = instance.definition
        if self._chunk[offset + 4 : offset + 8] != instance.template_id.to_bytes(4, "little"):
            return None
        if offset not in self._definitions:
            self._definitions[offset] = None
            size = int.from_bytes(self._chunk[offset + 20 : offset + 24], "little")
            if size <= min(len(self._chunk), self._to_read):
                self._to_read -= size
                with suppress(BinXmlError):
                    self._definitions[offset] = read_definition(self._chunk, offset)
        return self._definitions[offset]
