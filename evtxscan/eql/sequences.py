"""Finds sequences in one pass over events in order: a slot per join key and stage.

The matcher knows nothing of queries or documents. It takes, event by event, the stages that an event serves and the
join keys it has, and keeps for each key and stage the latest partial sequence. That is enough: Elasticsearch lets an
event take the latest partial before it and drops all older ones. Every event costs its stages times its keys, whatever
came before.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

E = TypeVar("E")
Key = tuple[Any, ...]

# Partial sequences that are kept before those too old to be completed are looked for.
SWEEP = 10_000


@dataclass(frozen=True, slots=True)
class Hit(Generic[E]):
    """An event in its place: ``time`` in milliseconds, ``order`` unique and rising over all events."""

    time: int
    order: int
    event: E


@dataclass(frozen=True, slots=True)
class Run(Generic[E]):
    """A complete sequence of the positive stages and the join key it has."""

    key: Key
    hits: tuple[Hit[E], ...]


@dataclass(slots=True)
class SequenceMatcher(Generic[E]):
    """Matches ``stages`` stages; ``maxspan`` in milliseconds from first to last event, inclusive; None for no limit."""

    stages: int
    maxspan: int | None = None
    complete: list[Run[E]] = field(default_factory=list)
    """The sequences found so far, in the order of their last events."""
    _partials: dict[tuple[Key, int], tuple[Hit[E], ...]] = field(default_factory=dict)
    _swept_at: int = SWEEP

    def feed(self, hit: Hit[E], served: Iterable[tuple[int, Iterable[Key]]], until: Iterable[Key] = ()) -> None:
        """Take the next event: the stages it serves, each with its join keys, and the keys for which it is ``until``.

        Events come in rising ``order``. Later stages are served first, so that no event follows itself. What ``until``
        ends is given up, also what has this very event as its last so far.
        """
        for stage, keys in sorted(served, key=lambda entry: -entry[0]):
            for key in keys:
                self._serve(hit, stage, key)
        for key in until:
            for stage in range(self.stages - 1):
                self._partials.pop((key, stage), None)
        if self.maxspan is not None and len(self._partials) >= self._swept_at:
            self._sweep(hit.time - self.maxspan)

    def _sweep(self, time: int) -> None:
        """Drop what began before ``time``: no event to come is near enough to end it."""
        self._partials = {place: hits for place, hits in self._partials.items() if hits[0].time >= time}
        self._swept_at = max(SWEEP, 2 * len(self._partials))

    def _serve(self, hit: Hit[E], stage: int, key: Key) -> None:
        before: tuple[Hit[E], ...] = ()
        if stage > 0:
            # The partial is used up even if the checks then fail.
            taken = self._partials.pop((key, stage - 1), None)
            if taken is None or not self._may_follow(taken, hit):
                return
            before = taken
        hits = (*before, hit)
        if stage == self.stages - 1:
            self.complete.append(Run(key, hits))
        else:
            self._partials[key, stage] = hits

    def _may_follow(self, partial: tuple[Hit[E], ...], hit: Hit[E]) -> bool:
        return self.maxspan is None or hit.time - partial[0].time <= self.maxspan


@dataclass(slots=True)
class MissingStage:
    """The events that a ``![ ]`` forbids. ``position`` is the number of positive stages before it."""

    position: int
    times: dict[Key, list[int]] = field(default_factory=dict)

    def feed(self, time: int, keys: Iterable[Key]) -> None:
        """Take an event that the stage matches; events come in rising time."""
        for key in keys:
            self.times.setdefault(key, []).append(time)

    def latest_before(self, key: Key, time: int) -> int | None:
        """Return the time of the last such event before ``time``."""
        times = self.times.get(key, [])
        place = bisect_left(times, time)
        return times[place - 1] if place else None

    def earliest_after(self, key: Key, time: int) -> int | None:
        """Return the time of the first such event after ``time``."""
        times = self.times.get(key, [])
        place = bisect_right(times, time)
        return times[place] if place < len(times) else None


def without_missing(runs: Iterable[Run[E]], missing: Sequence[MissingStage], maxspan: int) -> list[Run[E]]:
    """Return the sequences near which no forbidden event lies, as Elasticsearch checks it.

    Between two positive events, by time alone, both ends excluded. Before the first and after the last one, the nearest
    forbidden event has to be so far away that it does not fit into maxspan together with the sequence; if events are
    missing at both ends, one free end is enough.
    """
    return [run for run in runs if _gaps_are_empty(run, missing) and _ends_are_free(run, missing, maxspan)]


def _gaps_are_empty(run: Run[E], missing: Sequence[MissingStage]) -> bool:
    for stage in missing:
        if 0 < stage.position < len(run.hits):
            found = stage.earliest_after(run.key, run.hits[stage.position - 1].time)
            if found is not None and found < run.hits[stage.position].time:
                return False
    return True


def _ends_are_free(run: Run[E], missing: Sequence[MissingStage], maxspan: int) -> bool:
    first, last = run.hits[0].time, run.hits[-1].time
    leading = [stage for stage in missing if stage.position == 0]
    trailing = [stage for stage in missing if stage.position == len(run.hits)]
    before = max((t for stage in leading if (t := stage.latest_before(run.key, first)) is not None), default=None)
    after = min((t for stage in trailing if (t := stage.earliest_after(run.key, last)) is not None), default=None)
    if (leading and before is None) or (trailing and after is None) or not (leading or trailing):
        return True
    if before is not None and after is not None:
        return after - before > maxspan
    return last - before > maxspan if before is not None else after is not None and after - first > maxspan
