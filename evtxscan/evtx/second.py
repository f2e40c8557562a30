"""python-evtx, the second parser, with what it gets wrong put right.

Each repair is of a fault that shows on public logs or made damage, and none of them asks the first parser:

- Tables of names and templates are linked lists; where one of them runs in a circle, python-evtx never ends.
- The end of the stream inside an element, which every zero byte is that damage has left there, is passed over: the
  parser goes on through the rest of the chunk, for each record again. It is an error.
- FILETIME goes through a floating-point number, which moves it by up to 2 us, and 0 becomes the year 1.
- An array of strings loses strings or gains some where it begins with an empty one.

Of stale records it reads more than it would by itself: names that no table of the chunk leads to any more, if they have
their hash, and templates that stand in another chunk, where it is told which.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from evtxscan.evtx.binxml.nodes import BinXmlError
from evtxscan.evtx.binxml.tokens import name_at
from evtxscan.evtx.filetime import to_iso
from evtxscan.evtx.parse import RenderError

_STRING_TABLE, _STRINGS = 0x80, 64
_TEMPLATE_TABLE, _TEMPLATES = 0x180, 32
# Before a template: the token of the instance that defines it (10 bytes before), and the template's own offset (4).
_DEFINITION, _TOKEN, _POINTER = 0x0C, 10, 4


Borrowed = Mapping[int, "tuple[SecondParser, int]"]
"""Templates of other chunks: by template id, the chunk and the offset of the definition in it."""


class SecondParser:
    """Renders records of one chunk of 64 KiB, each on its own: damage to the others does not matter.

    ``stale``: its records are, so their names are looked for where they stood.
    """

    def __init__(self, chunk: bytes, *, stale: bool = False) -> None:
        self._chunk = chunk
        self._is_stale = stale
        self._header: Any = None

    def xml(self, offset: int, borrowed: Borrowed | None = None) -> str | RenderError:
        """Return the record at ``offset`` as XML; ``borrowed`` are templates to be read elsewhere."""
        record = _classes()[2]
        try:
            header = self._chunk_header()
            header.borrowed = {
                number: (lender._chunk_header(), at) for number, (lender, at) in (borrowed or {}).items()
            }
            return str(record(self._chunk, offset, header).xml())
        except RecursionError:
            return RenderError("python-evtx: nested too deep")
        except Exception as error:  # noqa: BLE001 - damage surfaces as any exception; the caller books what follows
            self._header = None  # what a broken record left in its tables is no concern of the next one
            return RenderError(f"python-evtx: {type(error).__name__}: {error}")

    def _chunk_header(self) -> Any:  # noqa: ANN401 - a class of python-evtx
        if self._header is None:
            self._header = _classes()[self._is_stale](self._chunk, 0)
        return self._header


@cache
def _classes() -> tuple[Any, Any, Any]:
    """Import python-evtx (slow, and rarely needed), mend it, and return its classes.

    They are the chunk header for live records, the one for stale records, and the record.
    """
    from Evtx import Nodes  # noqa: PLC0415
    from Evtx.Evtx import ChunkHeader, Record  # noqa: PLC0415

    logging.getLogger("Evtx").setLevel(logging.CRITICAL)

    class Header(ChunkHeader):  # type: ignore[misc]
        def __init__(self, buffer: bytes, offset: int) -> None:
            super().__init__(buffer, offset)
            self.shared_templates: dict[int, Any] = {}
            self.borrowed: dict[int, tuple[Any, int]] = {}

        def _load_strings(self) -> None:
            self._strings: dict[int, Any] = {}
            for number in range(_STRINGS):
                offset = self.unpack_dword(_STRING_TABLE + 4 * number)
                while offset > 0 and offset not in self._strings:
                    offset = self.add_string(offset).next_offset()

        def _load_templates(self) -> None:
            self._templates: dict[int, Any] = {}
            for number in range(_TEMPLATES):
                offset = self.unpack_dword(_TEMPLATE_TABLE + 4 * number)
                while offset > _TOKEN and offset not in self._templates:
                    token, pointer = self.unpack_byte(offset - _TOKEN), self.unpack_dword(offset - _POINTER)
                    if token != _DEFINITION or pointer != offset:
                        break
                    offset = self.add_template(offset).next_offset()

    class StaleHeader(Header):
        def _load_strings(self) -> None:
            super()._load_strings()
            self._strings = _Names(self, self._strings)

    def template(instance: Any) -> Any:  # noqa: ANN401 - nodes of python-evtx
        """Read the template of a record once for all records of the chunk: most of the time goes there."""
        own = instance._chunk
        chunk, offset = own.borrowed.get(instance.template_id()) or (own, instance.template_offset())
        known = chunk.shared_templates
        if offset not in known:
            known[offset] = Nodes.TemplateNode(chunk._buf, chunk.offset() + offset, chunk, instance)
        return known[offset]

    elements, end = Nodes.BXmlNode._children, Nodes.SYSTEM_TOKENS.EndOfStreamToken

    def children(node: Any, max_children: int | None = None, end_tokens: Sequence[int] = (end,)) -> Any:  # noqa: ANN401
        found = elements(node, max_children, [*end_tokens, end])
        if end not in end_tokens and found and isinstance(found[-1], Nodes.EndOfStreamNode):
            raise ValueError("the stream ends inside an element")
        return found

    for node, name, mended, header in (
        (Nodes.BXmlNode, "_children", children, Header),
        (Nodes.RootNode, "template", lambda root: template(root.template_instance()), Header),
        (Nodes.TemplateInstanceNode, "template", template, StaleHeader),
        (Nodes.FiletimeTypeNode, "string", _filetime, Header),
        (Nodes.WstringArrayTypeNode, "string", _strings, Header),
        (Nodes.TemplateInstanceNode, "is_resident_template", _is_resident, StaleHeader),
    ):
        setattr(node, name, _mended(getattr(node, name), mended, header))
    return Header, StaleHeader, Record


class _Names(dict[int, Any]):
    """The names of a chunk by their offsets; one that the chunk's table does not lead to is read where it stands."""

    def __init__(self, header: Any, known: dict[int, Any]) -> None:  # noqa: ANN401 - a class of python-evtx
        super().__init__(known)
        self._header = header

    def __missing__(self, offset: int) -> Any:  # noqa: ANN401 - a node of python-evtx
        try:
            name_at(self._header._buf, offset)  # for its hash: bytes that were overwritten are no name
        except BinXmlError as error:
            raise KeyError(offset) from error
        return self._header.add_string(offset)


def _mended(original: Callable[..., Any], mended: Callable[..., Any], header: type) -> Callable[..., Any]:
    """Return the method that works as mended in our chunks, and as ever for all other users of python-evtx."""

    def method(node: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - nodes of python-evtx
        return (mended if isinstance(node._chunk, header) else original)(node, *args, **options)

    return method


def _is_resident(node: Any) -> bool:  # noqa: ANN401 - a node of python-evtx
    """Whether a template's definition stands in the instance: python-evtx takes any behind it for that."""
    return bool(node.template_offset() == node.offset() - node._chunk.offset() + node.tag_length())


def _filetime(node: Any) -> str:  # noqa: ANN401 - a node of python-evtx
    return to_iso(node.unpack_qword(0))


def _strings(node: Any) -> str:  # noqa: ANN401 - a node of python-evtx
    """Return an array of strings as python-evtx writes it; each of them ends in a zero."""
    data = bytes(node.binary())
    whole = data[: len(data) // 2 * 2]
    units = [whole[at : at + 2] for at in range(0, len(whole), 2)]
    texts: list[bytes] = [b""]
    for unit in units:
        if unit == b"\0\0":
            texts.append(b"")
        else:
            texts[-1] += unit
    if not texts[-1]:
        texts.pop()
    return "".join(f"<string>{text.decode('utf-16-le')}</string>\n" for text in texts)
