"""Reads KQL for a case: the fields have the types that the ECS mapping gives them."""

from functools import cache

from evtxscan.ecs.base import base
from evtxscan.eql.mapping import FieldMapping, Type, field_type
from evtxscan.kql.analysis import text_fields
from evtxscan.kql.binder import BoundKql, bind


@cache
def case_mapping() -> FieldMapping:
    """Return the types of a case's fields; texts of a field that is not named compare as those of a keyword."""
    types = {field: field_type(name) for field, name in base().types.items()}
    return FieldMapping({**types, **dict.fromkeys(text_fields(), Type.TEXT)})


def read_kql(text: str) -> BoundKql:
    """Parse and check a query for a case. Raises EqlError, EqlUnsupportedError for what is refused by name."""
    return bind(text, case_mapping())
