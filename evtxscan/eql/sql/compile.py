"""Compiles a condition to SQL: kinds of records that keep its fields alike share one statement.

Three expressions come of a condition. ``match`` is Elasticsearch's two-valued answer. ``true`` and ``false`` are
Kleene's: where neither holds, the evidence cannot tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from evtxscan.eql.predicates import All, Constant, Leaf, Not, Predicate, leaves
from evtxscan.eql.sql.sets import Answer, ValueSets, join
from evtxscan.eql.sql.storage import Computed, Fixed, Storage, storage_key

FROM = "FROM event e"
LINEAGE = " LEFT JOIN lineage l ON l.event = e.id"


@dataclass(frozen=True, slots=True)
class Selection:
    """A part of a compiled condition: for these kinds, rows where ``match`` holds, and where nothing is known.

    ``leaves`` pairs each leaf with its answer, for telling why an event is undecided. Conditions are SQL over
    ``source`` or bools.
    """

    kinds: tuple[int, ...]
    source: str
    match: str | bool
    true: str | bool
    false: str | bool
    leaves: tuple[tuple[Leaf, Answer], ...]

    @property
    def unknown(self) -> str | bool:
        """SQL for rows that do not match and of which the evidence cannot say that they should not."""
        return join("AND", [negate(self.match), negate(self.true), negate(self.false)])


@dataclass(frozen=True, slots=True)
class Compiled:
    """A condition for a case. ``kinds`` are those whose records could meet it: what decides is in their fields."""

    kinds: tuple[int, ...]
    selections: tuple[Selection, ...]


def compile_condition(
    tree: Predicate,
    kinds: Mapping[int, Callable[[str], Storage]],
    sets: ValueSets,
) -> Compiled:
    """Compile ``tree`` for the kinds of a case; ``kinds`` gives for each where it keeps a field.

    Selections in which the condition is false throughout, in both logics, are left out.
    """
    groups: dict[tuple[object, ...], list[int]] = {}
    storages: dict[tuple[object, ...], dict[str, Storage]] = {}
    tests = leaves(tree)
    fields = list(dict.fromkeys(field for leaf in tests for field in leaf.fields))
    for kind, storage_of in kinds.items():
        kept = {field: storage_of(field) for field in fields}
        if _never(tree, kept):
            continue
        key = tuple(_signature(leaf, [kept[field] for field in leaf.fields]) for leaf in tests)
        groups.setdefault(key, []).append(kind)
        storages.setdefault(key, kept)
    selections = [_select(tree, tuple(group), storages[key], sets) for key, group in groups.items()]
    return Compiled(
        kinds=tuple(kind for group in groups.values() for kind in group),
        selections=tuple(s for s in selections if s.match is not False or s.unknown is not False),
    )


def _signature(leaf: Leaf, storages: list[Storage]) -> tuple[object, ...]:
    """Return what two kinds have to share to share a statement: the answer where it is fixed, else the storage."""
    fixed = [storage for storage in storages if isinstance(storage, Fixed)]
    if len(fixed) == len(storages):
        return (leaf.test([storage.values for storage in fixed]), all(storage.is_known for storage in fixed))
    return tuple(storage_key(storage) for storage in storages)


def _never(tree: Predicate, kept: Mapping[str, Storage]) -> bool:
    """Tell whether fixed fields alone make the condition false: most kinds end here, before any SQL."""
    if isinstance(tree, Leaf):
        fixed = [storage for field in tree.fields if isinstance(storage := kept[field], Fixed)]
        known = len(fixed) == len(tree.fields) and all(storage.is_known for storage in fixed)
        return known and not tree.test([storage.values for storage in fixed])
    if isinstance(tree, All):
        return any(_never(item, kept) for item in tree.items)
    if isinstance(tree, Constant):
        return tree.value is not True
    return False


def _select(tree: Predicate, kinds: tuple[int, ...], kept: dict[str, Storage], sets: ValueSets) -> Selection:
    needs_lineage = any(
        "l." in given.sql for storage in kept.values() if isinstance(storage, Computed) for given in storage.inputs
    )
    source = f"{FROM}{LINEAGE if needs_lineage else ''} WHERE e.kind IN ({', '.join(map(str, kinds))})"
    answers: dict[int, tuple[Leaf, Answer]] = {}
    for leaf in leaves(tree):
        answers[id(leaf)] = (leaf, sets.answer(leaf, [kept[field] for field in leaf.fields], source))
    found = {key: answer for key, (_, answer) in answers.items()}
    return Selection(
        kinds=kinds,
        source=source,
        match=_match(tree, found),
        true=_kleene(tree, found, wanted=True),
        false=_kleene(tree, found, wanted=False),
        leaves=tuple(answers.values()),
    )


def _match(tree: Predicate, answers: Mapping[int, Answer]) -> str | bool:
    if isinstance(tree, Leaf):
        return answers[id(tree)].holds
    if isinstance(tree, Constant):
        return tree.value is True
    if isinstance(tree, Not):
        return negate(_match(tree.item, answers))
    return join("AND" if isinstance(tree, All) else "OR", (_match(item, answers) for item in tree.items))


def _kleene(tree: Predicate, answers: Mapping[int, Answer], *, wanted: bool) -> str | bool:
    """Return SQL for *known to be true* (or, with ``wanted`` False, *known to be false*)."""
    if isinstance(tree, Leaf):
        answer = answers[id(tree)]
        return answer.known_true if wanted else answer.known_false
    if isinstance(tree, Constant):
        return tree.value is wanted
    if isinstance(tree, Not):
        return _kleene(tree.item, answers, wanted=not wanted)
    operator = "AND" if isinstance(tree, All) is wanted else "OR"
    return join(operator, (_kleene(item, answers, wanted=wanted) for item in tree.items))


def negate(term: str | bool) -> str | bool:
    """Return the opposite of an SQL condition that is never NULL."""
    return not term if isinstance(term, bool) else f"NOT {term}"
