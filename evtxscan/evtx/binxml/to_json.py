"""Writes a record as the JSON text that the Rust parser gives for it, to the character.

So the records read here go through the same ECS mapping as all others. The shapes: attributes under ``#attributes``,
text beside them or beside elements under ``#text``, named Data of EventData and UserData by their names, unnamed ones
as a list under ``Data``, and a repeated element with ``_1``, ``_2`` behind its name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from json.encoder import encode_basestring

from evtxscan.evtx.binxml.resolve import Content, Leaf, Resolved

_CONTAINERS = ("EventData", "UserData")
_DATA, _NAME = "Data", "Name"
# Control characters with a letter in their number: the standard library writes it small, the Rust parser does not.
_LETTERED = re.compile("[\x0b\x0e\x0f\x1a-\x1f]")


def to_json(root: Resolved) -> str:
    """Return the JSON text of a record."""
    return f'{{"{root.name}":{_element(root)}}}'


def _element(element: Resolved) -> str:
    has_attributes = any(_has_text(nodes) for _, nodes in element.attributes)
    if has_attributes or _has_elements(element):
        return _object(element, is_container=element.name in _CONTAINERS)
    return _scalar(element.children) if _has_text(element.children) else "null"


def _object(element: Resolved, *, is_container: bool) -> str:
    attributes = [f'"{name}":{_scalar(nodes)}' for name, nodes in element.attributes if _has_text(nodes)]
    members = [f'"#attributes":{{{",".join(attributes)}}}'] if attributes else []
    return f"{{{','.join([*members, *_content(element, is_container=is_container)])}}}"


def _content(element: Resolved, *, is_container: bool) -> Iterator[str]:
    if _has_text(element.children):
        yield f'"#text":{_scalar([node for node in element.children if isinstance(node, Leaf)], mixed=True)}'
    children = [node for node in element.children if isinstance(node, Resolved)]
    yield from _data_members(children) if is_container else _members(children)


def _members(children: Sequence[Resolved]) -> Iterator[str]:
    seen: Counter[str] = Counter()
    for child in children:
        yield _member(child, seen)


def _member(child: Resolved, seen: Counter[str]) -> str:
    suffix = f"_{seen[child.name]}" if seen[child.name] else ""
    seen[child.name] += 1
    return f'"{child.name}{suffix}":{_element(child)}'


def _data_members(children: Sequence[Resolved]) -> Iterator[str]:
    """Yield the members of EventData or UserData; where any Data has a name, those without one are left out."""
    data = [child for child in children if child.name == _DATA]
    is_named = any(_has_text(_name_of(child)) for child in data)
    seen: Counter[str] = Counter()
    listed = False
    for child in children:
        if child.name != _DATA:
            yield _member(child, seen)
        elif is_named:
            if _has_text(name := _name_of(child)):
                yield f"{_string(name)}:{_data(child)}"
        elif not listed:
            listed = True
            texts = [_data(one) for one in data]
            yield f'"Data":{{"#text":{texts[0] if len(texts) == 1 else "[" + ",".join(texts) + "]"}}}'


def _data(element: Resolved) -> str:
    if _has_elements(element):  # its attributes are left out, whatever they are
        return f"{{{','.join(_content(element, is_container=False))}}}"
    return _scalar(element.children) if _has_text(element.children) else '""'


def _name_of(element: Resolved) -> Sequence[Leaf]:
    return next((nodes for name, nodes in element.attributes if name == _NAME), ())


def _has_elements(element: Resolved) -> bool:
    return any(isinstance(node, Resolved) for node in element.children)


def _has_text(nodes: Sequence[Content]) -> bool:
    return any(isinstance(node, Leaf) and not node.blank for node in nodes)


def _scalar(nodes: Sequence[Content], *, mixed: bool = False) -> str:
    """Return text as a JSON string; a number that stands alone as a number."""
    leaves = [node for node in nodes if isinstance(node, Leaf) and not (mixed and node.blank)]
    if len(leaves) == 1 and leaves[0].bare:
        return leaves[0].text
    return _string(leaves)


def _string(nodes: Sequence[Leaf]) -> str:
    text = "".join(node.text for node in nodes)
    if _LETTERED.search(text) is None:
        return encode_basestring(text)
    parts = _LETTERED.split(text)
    controls = [f"\\u{ord(control):04X}" for control in _LETTERED.findall(text)]
    written = [encode_basestring(part)[1:-1] for part in parts]
    return f'"{"".join(part + control for part, control in zip(written, [*controls, ""], strict=True))}"'
