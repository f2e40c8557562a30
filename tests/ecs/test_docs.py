"""The published description of the mapping is that of the tables in use."""

from __future__ import annotations

from pathlib import Path
from string import digits

from evtxscan.ecs.docs import render
from evtxscan.ecs.mapping import mappings

DOCUMENT = Path(__file__).parents[2] / "docs" / "ecs-mapping.md"


def test_document_is_current() -> None:
    """A laboratory validates against the document: it must not describe an older mapping."""
    command = "python -m evtxscan.ecs.docs > docs/ecs-mapping.md"
    assert DOCUMENT.read_text(encoding="utf-8") == render(), f"run: {command}"


def test_every_derived_field_is_described() -> None:
    text = render()
    fields = {field for mapping in mappings().values() for field in mapping.table.derive}
    missing = {field for field in fields if f"`{field}` =" not in text and f"`{field.rstrip(digits)}#` =" not in text}
    assert not missing
