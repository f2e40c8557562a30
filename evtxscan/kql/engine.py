"""Runs KQL queries over documents in memory: the reference against which every faster path is tested."""

from collections.abc import Iterable, Mapping
from typing import Any

from evtxscan.eql.documents import Document, reader
from evtxscan.eql.logic import matches, truth_of
from evtxscan.eql.mapping import FieldMapping
from evtxscan.kql.binder import BoundKql, bind


def run(
    query: BoundKql | str,
    documents: Iterable[Document],
    mapping: FieldMapping | Mapping[str, Any] | None = None,
) -> list[Document]:
    """Return the documents that a query matches, in the order given; raise EqlError.

    ``mapping`` is anything that ``FieldMapping.of`` takes; a query that is bound already brings its own.
    """
    bound = bind(query, mapping) if isinstance(query, str) else query
    tree = bound.event.predicate
    return [document for document in documents if matches(tree, truth_of(reader(document, bound.mapping)))]
