"""Writes a record as XML, laid out as the Rust parser lays it out."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from evtxscan.evtx.binxml.resolve import Leaf, Resolved

_IN_ATTRIBUTE = {'"': "&quot;", "'": "&apos;"}


def to_xml(root: Resolved) -> str:
    """Return the XML text of a record. Characters that XML forbids stand in it as they are, as in the Rust parser's."""
    return "".join(['<?xml version="1.0" encoding="utf-8"?>\n', *_element(root, "")])


def _element(element: Resolved, indent: str) -> Iterator[str]:
    attributes = "".join(
        f' {name}="{escape(text, _IN_ATTRIBUTE)}"'
        for name, nodes in element.attributes
        if (text := "".join(node.text for node in nodes))
    )
    yield f"{indent}<{element.name}{attributes}>"
    if any(isinstance(child, Resolved) for child in element.children):
        yield "\n"
        for child in element.children:
            if isinstance(child, Leaf):
                if child.text:
                    yield f"{indent}  {escape(child.text)}\n"
            else:
                yield from _element(child, indent + "  ")
        yield f"{indent}</{element.name}>\n"
        return
    text = "".join(child.text for child in element.children if isinstance(child, Leaf))
    yield f"{escape(text)}</{element.name}>\n"
