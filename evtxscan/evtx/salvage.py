"""Renders single records with ``python-evtx``, the second parser: where the bulk parser fails, and to check it.

python-evtx reads one record at any offset of a chunk and never looks at the others, so damage around it is harmless.
"""

from __future__ import annotations

from lxml import etree

from evtxscan.evtx.parse import RenderError
from evtxscan.evtx.second import SecondParser

_XML_FORBIDDEN = {code: None for code in range(0x20) if code not in (0x09, 0x0A, 0x0D)} | {0xFFFE: None, 0xFFFF: None}
# A system element that holds its value in attributes becomes {"#attributes": {...}}, as in the Rust parser's JSON.
Json = dict[str, "Json | list[Json] | str | None"]


def render_xml(chunk: bytes, offset: int) -> str | RenderError:
    """Render the record at ``offset`` of a 64 KiB chunk as XML text."""
    return SecondParser(chunk).xml(offset)


def parse_xml(xml: str) -> etree._Element | RenderError:
    """Parse rendered XML of either parser; characters that XML forbids are left out (the parsers write them as is)."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True, recover=False)
    try:
        return etree.fromstring(xml.translate(_XML_FORBIDDEN).encode("utf-8", "replace"), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        return RenderError(f"rendered XML is not well-formed: {error}")


def render_event(chunk: bytes, offset: int) -> Json | RenderError:
    """Render the record at ``offset`` as the ``Event`` object of the Rust parser's JSON, all values as text."""
    xml = render_xml(chunk, offset)
    if isinstance(xml, RenderError):
        return xml
    root = parse_xml(xml)
    if isinstance(root, RenderError):
        return root
    event: Json = {}
    for part in root:
        name = _local(part)
        if name == "System":
            event["System"] = _children(part)
        elif name == "EventData":
            event["EventData"] = _event_data(part)
        elif name:
            event[name] = _children(part)
    return event if event.get("System") else RenderError("python-evtx: no System element")


def _local(element: etree._Element) -> str:
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def _attributes(element: etree._Element) -> Json:
    return {str(name): str(value) for name, value in element.attrib.items()}


def _value(element: etree._Element) -> Json | str | None:
    if len(element):
        return _children(element)
    attributes, text = _attributes(element), element.text
    if not attributes:
        return text
    return {"#attributes": attributes, "#text": text} if text else {"#attributes": attributes}


def _children(element: etree._Element) -> Json:
    result: Json = {}
    for child in element:
        if name := _local(child):
            result.setdefault(name, _value(child))
    return result


def _event_data(element: etree._Element) -> Json:
    result: Json = {}
    unnamed: list[str] = []
    for child in element:
        name = _local(child)
        if name == "Data" and child.get("Name"):
            result.setdefault(str(child.get("Name")), child.text or "")
        elif name == "Data":
            unnamed.append(child.text or "")
        elif name:
            result.setdefault(name, child.text)
    if unnamed:
        result["Data"] = {"#text": unnamed}  # type: ignore[dict-item]
    return result
