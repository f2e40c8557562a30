"""Tells whether a sequence would be complete if what is not known were so.

Where Elasticsearch takes the latest partial sequence and drops the others, any partial will do here: the question is
whether there is a way to complete one, not which. Of the partials for a key and stage the one that began last is
enough: what maxspan lets follow another may follow it.
"""

from collections.abc import Iterable, Iterator
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
Possible = tuple[Key, Chain[E]]


@dataclass(slots=True)
class PossibleMatcher(Generic[E]):
    """Finds possible sequences of ``stages`` stages of which something is open; ``maxspan`` in milliseconds."""

    stages: int
    maxspan: int | None = None
    _partials: dict[tuple[Key, int, bool], Chain[E]] = field(default_factory=dict)
    _swept_at: int = SWEEP

    def feed(
        self, hit: Hit[E], served: Iterable[tuple[int, Key, bool]], until: Iterable[Key] = ()
    ) -> list[Possible[E]]:
        """Take the next event and return the sequences that it could complete.

        ``served``: the stages that it serves or could serve (True: that is open), each with a key. Events come in
        rising ``order``. ``until``: keys for which the event surely ends what has begun.
        """
        complete: list[Possible[E]] = []
        for stage, key, is_open in sorted(served, key=lambda entry: -entry[0]):
            step = Step(hit, is_open)
            for chain in self._continued(key, stage, step):
                if stage < self.stages - 1:
                    self._keep(chain, key, stage)
                elif _is_open(chain):
                    complete.append((key, chain))
        for key in until:
            for stage in range(self.stages - 1):
                self._partials.pop((key, stage, False), None)
                self._partials.pop((key, stage, True), None)
        if self.maxspan is not None and len(self._partials) >= self._swept_at:
            earliest = hit.time - self.maxspan
            self._partials = {at: chain for at, chain in self._partials.items() if chain[0].hit.time >= earliest}
            self._swept_at = max(SWEEP, 2 * len(self._partials))
        return complete

    def _continued(self, key: Key, stage: int, step: Step[E]) -> Iterator[Chain[E]]:
        if stage == 0:
            yield (step,)
            return
        for was_open in (False, True):
            before = self._partials.get((key, stage - 1, was_open))
            if before and (self.maxspan is None or step.hit.time - before[0].hit.time <= self.maxspan):
                yield (*before, step)

    def _keep(self, chain: Chain[E], key: Key, stage: int) -> None:
        at = (key, stage, _is_open(chain))
        kept = self._partials.get(at)
        if kept is None or chain[0].hit.order >= kept[0].hit.order:
            self._partials[at] = chain


def _is_open(chain: Chain[E]) -> bool:
    return any(step.is_open for step in chain)
