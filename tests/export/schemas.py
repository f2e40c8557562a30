"""Validators for the JSON Schemas of the exports, for every test that holds a document against them."""

from __future__ import annotations

from typing import Any, cast

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from evtxscan import schema

NAMES = (
    "event",
    "finding",
    "sequence",
    "detect",
    "ingest",
    "rules",
    "verify",
    "manifest",
    "info",
    "coverage",
    "selftest",
)


def load(name: str) -> dict[str, Any]:
    """Return one of the schemas."""
    return cast("dict[str, Any]", schema.read_json(f"export/{name}.schema.json"))


def validator(name: str, part: str = "") -> Draft202012Validator:
    """Return a validator for one of the schemas, or a part of it; they refer to each other by file name."""
    resources = [(f"{other}.schema.json", Resource(contents=load(other), specification=DRAFT202012)) for other in NAMES]
    return Draft202012Validator({"$ref": f"{name}.schema.json{part}"}, registry=Registry().with_resources(resources))


def faults(name: str, document: object, part: str = "") -> list[str]:
    """Return what is wrong with a document, in the order of its places; ``part``: a definition of the schema."""
    found = validator(name, f"#/$defs/{part}" if part else "").iter_errors(document)
    return sorted(f"{error.json_path}: {error.message}" for error in found)
