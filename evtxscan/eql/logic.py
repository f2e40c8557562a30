"""The two logics of a condition: Elasticsearch's two values, and Kleene's three, where "not recorded" is unknown.

Both take the tree and a function that judges one leaf, so that a caller decides what a leaf's answer is worth. A test
of a field that was not recorded is unknown, also ``f == null`` and ``not f : "x"``: that an event lacks a field says
nothing about what happened.
"""

from collections.abc import Callable

from evtxscan.eql.predicates import All, Constant, Leaf, Not, Predicate, Values

Lookup = Callable[[str], Values]
"""Gives the values of a field in one document."""
Truth = Callable[[Leaf], bool]
Judgement = Callable[[Leaf], bool | None]


def truth_of(lookup: Lookup) -> Truth:
    """Return the judge that gives Elasticsearch's answer for a document."""
    return lambda leaf: leaf.test([lookup(field) for field in leaf.fields])


def evidence_of(lookup: Lookup) -> Judgement:
    """Return the judge that gives Elasticsearch's answer, but None where a field of the leaf is missing."""

    def judge(leaf: Leaf) -> bool | None:
        values = [lookup(field) for field in leaf.fields]
        return leaf.test(values) if all(values) else None

    return judge


def matches(tree: Predicate, truth: Truth) -> bool:
    """Evaluate a condition with two values, as Elasticsearch does; a constant null does not match."""
    if isinstance(tree, Leaf):
        return truth(tree)
    if isinstance(tree, Constant):
        return tree.value is True
    if isinstance(tree, Not):
        return not matches(tree.item, truth)
    if isinstance(tree, All):
        return all(matches(item, truth) for item in tree.items)
    return any(matches(item, truth) for item in tree.items)


def kleene(tree: Predicate, judge: Judgement) -> bool | None:
    """Evaluate a condition with three values; None is unknown.

    ``and`` is false if one side is, else unknown if one side is; ``or`` is true if one side is, else unknown if one
    side is; the opposite of unknown is unknown. A constant null is unknown.
    """
    if isinstance(tree, Leaf):
        return judge(tree)
    if isinstance(tree, Constant):
        return tree.value
    if isinstance(tree, Not):
        value = kleene(tree.item, judge)
        return None if value is None else not value
    decisive = not isinstance(tree, All)
    unknown = False
    for item in tree.items:
        value = kleene(item, judge)
        if value is decisive:
            return decisive
        unknown = unknown or value is None
    return None if unknown else not decisive


def unknown_fields(tree: Predicate, judge: Judgement, missing: Callable[[str], bool]) -> tuple[str, ...]:
    """Return the missing fields that leave a condition unknown, each once, in order of the query.

    Only those whose value could decide: nothing for a condition that is known, nothing from a branch that is known.
    """
    found: dict[str, None] = {}

    def visit(node: Predicate) -> None:
        if isinstance(node, Constant) or kleene(node, judge) is not None:
            return
        if isinstance(node, Leaf):
            found.update(dict.fromkeys(filter(missing, node.fields)))
        elif isinstance(node, Not):
            visit(node.item)
        else:
            for item in node.items:
                visit(item)

    visit(tree)
    return tuple(found)


def relies_on_missing(
    tree: Predicate, truth: Truth, judge: Judgement, missing: Callable[[str], bool]
) -> tuple[str, ...]:
    """Return the missing fields that a match rests on: true for Elasticsearch, unknown to Kleene.

    Each once, in order of the query; () for a match that the recorded values alone establish, and for no match.
    A branch that is false for Elasticsearch supports no match of an ``or`` and names nothing, and so on for ``not``.
    """
    found: dict[str, None] = {}

    def visit(node: Predicate, expected: bool) -> None:
        if matches(node, truth) is not expected or kleene(node, judge) is not None or isinstance(node, Constant):
            return
        if isinstance(node, Leaf):
            found.update(dict.fromkeys(filter(missing, node.fields)))
        elif isinstance(node, Not):
            visit(node.item, not expected)
        else:
            for item in node.items:
                visit(item, expected)

    visit(tree, True)
    return tuple(found)
