"""Tells whether a sequence would be complete if what is not known were so.

Where Elasticsearch takes the latest partial sequence and drops the others, any partial will do here: the question is
whether there is a way to complete one, not which. Of the partials for a key and stage the one that began last is enough,
as whatever maxspan lets follow another lets follow it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from evtxscan.eql.sequences import SWEEP, Hit, Key

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Step(Generic[E]):
    """An event in a possible sequence, and whether it is open that it has a part in it."""

    hit: Hit[E]
    is_open: bool


Chain = tuple[Step[E], ...]


@dataclass(slots=True)
class PossibleMatcher(Generic[E]):
    """Finds possible sequences of ``stages`` stages of which something is open; ``maxspan`` in milliseconds.

    For every event that could complete one there is one in ``complete``, or several where several are near at hand.
    """

    stages: int
    maxspan: int | None = None
    complete: list[tuple[Key, Chain[E]]] = field(default_factory=list)
    _partials: dict[tuple[Key, int, bool], Chain[E]] = field(default_factory=dict)
    _swept_at: int = SWEEP

    def feed(self, hit: Hit[E], served: Iterable[tuple[int, Key, bool]], until: Iterable[Key] = ()) -> None:
        """Take the next event: the stages that it serves or could serve (True: that is open) with their keys.

        Events come in rising ``order``. ``until``: keys for which the event surely ends what has begun.
        """
        for stage, key, is_open in sorted(served, key=lambda entry: -entry[0]):
            step = Step(hit, is_open)
            if stage == 0:
                self._keep(key, 0, (step,))
                continue
            for was_open in (False, True):
                before = self._partials.get((key, stage - 1, was_open))
                if before and (self.maxspan is None or hit.time - before[0].hit.time <= self.maxspan):
                    self._keep(key, stage, (*before, step))
        for key in until:
            for stage in range(self.stages - 1):
                self._partials.pop((key, stage, False), None)
                self._partials.pop((key, stage, True), None)
        if self.maxspan is not None and len(self._partials) >= self._swept_at:
            earliest = hit.time - self.maxspan
            self._partials = {at: chain for at, chain in self._partials.items() if chain[0].hit.time >= earliest}
            self._swept_at = max(SWEEP, 2 * len(self._partials))

    def _keep(self, key: Key, stage: int, chain: Chain[E]) -> None:
        is_open = any(step.is_open for step in chain)
        if stage == self.stages - 1:
            if is_open:
                self.complete.append((key, chain))
            return
        kept = self._partials.get((key, stage, is_open))
        if kept is None or chain[0].hit.order >= kept[0].hit.order:
            self._partials[key, stage, is_open] = chain
