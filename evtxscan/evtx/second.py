"""python-evtx, the second parser, with what it gets wrong put right.

Each repair is of a fault that shows on public logs or made damage, and none of them asks the first parser:

- Tables of names and templates are linked lists; where one of them runs in a circle, python-evtx never ends.
- FILETIME goes through a floating-point number, which moves it by up to 2 us, and 0 becomes the year 1.
- An array of strings loses strings or gains some where it begins with an empty one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

from evtxscan.evtx.filetime import to_iso
from evtxscan.evtx.parse import RenderError

_STRING_TABLE, _STRINGS = 0x80, 64
_TEMPLATE_TABLE, _TEMPLATES = 0x180, 32
# Before a template: the token of the instance that defines it (10 bytes before), and the template's own offset (4).
_DEFINITION, _TOKEN, _POINTER = 0x0C, 10, 4


class SecondParser:
    """Renders records of one chunk of 64 KiB, each on its own: damage to the others does not matter."""

    def __init__(self, chunk: bytes) -> None:
        self._chunk = chunk
        self._header: Any = None

    def xml(self, offset: int) -> str | RenderError:
        """Return the record at ``offset`` as XML."""
        header, record = _classes()
        try:
            self._header = self._header or header(self._chunk, 0)
            return str(record(self._chunk, offset, self._header).xml())
        except RecursionError:
            return RenderError("python-evtx: nested too deep")
        except Exception as error:  # noqa: BLE001 - damage surfaces as any exception; the caller books what follows
            self._header = None  # what a broken record left in its tables is no concern of the next one
            return RenderError(f"python-evtx: {type(error).__name__}: {error}")


@cache
def _classes() -> tuple[Any, Any]:
    """Import python-evtx (slow, and rarely needed), mend it, and return its chunk header and its record."""
    from Evtx import Nodes  # noqa: PLC0415
    from Evtx.Evtx import ChunkHeader, Record  # noqa: PLC0415

    logging.getLogger("Evtx").setLevel(logging.CRITICAL)

    class Header(ChunkHeader):  # type: ignore[misc]
        def __init__(self, buffer: bytes, offset: int) -> None:
            super().__init__(buffer, offset)
            self.shared_templates: dict[int, Any] = {}

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

    def template(root: Any) -> Any:  # noqa: ANN401 - nodes of python-evtx
        """Read the template of a record once for all records of the chunk: most of the time goes there."""
        instance = root.template_instance()
        offset = instance.template_offset()
        known = root._chunk.shared_templates
        if offset not in known:
            known[offset] = Nodes.TemplateNode(root._buf, root._chunk.offset() + offset, root._chunk, instance)
        return known[offset]

    for node, name, mended in (
        (Nodes.RootNode, "template", template),
        (Nodes.FiletimeTypeNode, "string", _filetime),
        (Nodes.WstringArrayTypeNode, "string", _strings),
    ):
        setattr(node, name, _mended(getattr(node, name), mended, Header))
    return Header, Record


def _mended(original: Callable[[Any], Any], mended: Callable[[Any], Any], header: type) -> Callable[[Any], Any]:
    """Return the method that works as mended in our chunks, and as ever for all other users of python-evtx."""

    def method(node: Any) -> Any:  # noqa: ANN401 - nodes of python-evtx
        return (mended if isinstance(node._chunk, header) else original)(node)

    return method


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
