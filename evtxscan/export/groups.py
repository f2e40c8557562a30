"""Says in words what a threshold rule counted and what a new-terms rule had not seen before."""

from __future__ import annotations

from dataclasses import dataclass

from evtxscan.export.fields import Document, plain, readable_time
from evtxscan.export.wording import count, duration


@dataclass(frozen=True, slots=True)
class Pair:
    """A field and its value, or how many different values it has."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group of events: what they share, how many there are and what the rule asks for.

    ``told`` events of the group are described, ``named`` are the ids of those after them, ``unnamed`` how many more
    there are. ``window`` is "" for a rule without one.
    """

    shared: list[Pair]
    count: int
    asked: int
    different: list[Pair]
    asked_different: list[Pair]
    window: str
    start: str
    end: str
    hosts: list[str]
    told: int
    named: list[str]
    unnamed: int


@dataclass(frozen=True, slots=True)
class Combination:
    """Values that are new together, and when they were last there ("" for never)."""

    terms: list[Pair]
    last_seen: str


@dataclass(frozen=True, slots=True)
class NoveltyView:
    """New combinations of values; ``known`` of the rule's ``history`` is in the log, "" for not known."""

    combinations: list[Combination]
    history: str
    known: str
    is_covered: bool


def group_view(ours: Document) -> GroupView | None:
    """Arrange what a finding says of its group, None where it is of another kind."""
    group = ours.get("threshold")
    if group is None:
        return None
    asked = ours["rule"]["threshold"]
    told = len(ours["events"])
    return GroupView(
        shared=_pairs(group["terms"]),
        count=group["count"],
        asked=asked["count"],
        different=_pairs(group["cardinality"]),
        asked_different=_pairs(asked["cardinality"]),
        window="" if asked["window_ms"] is None else duration(asked["window_ms"]),
        start=readable_time(group["start"]),
        end=readable_time(group["end"]),
        hosts=group["hosts"],
        told=told,
        named=group["event_ids"][told:],
        unnamed=group["count"] - max(told, len(group["event_ids"])),
    )


def novelty_view(ours: Document) -> NoveltyView | None:
    """Arrange what a finding says of new values, None where it is of another kind."""
    new = ours.get("new_terms")
    if new is None:
        return None
    known = new["known_ms"]
    return NoveltyView(
        combinations=[
            Combination(_pairs(entry["terms"]), readable_time(entry["last_seen"])) for entry in new["combinations"]
        ],
        history=duration(new["history_ms"]),
        known="" if known is None else duration(known),
        is_covered=known is not None and known >= new["history_ms"],
    )


def together(pairs: list[Pair]) -> str:
    """Return pairs in one line: ``host.id = ws-1, user.name = mholt``."""
    return ", ".join(f"{pair.field} = {pair.value}" for pair in pairs)


def group_line(group: GroupView) -> str:
    """Return how many events a group has and of when: ``31 events, 17 different process.args, ... to ...``."""
    different = [f"{found.value} different {found.field}" for found in group.different]
    return ", ".join([count(group.count, "event"), *different, f"{group.start} to {group.end}"])


def asked_line(group: GroupView) -> str:
    """Return what a rule asks of a group."""
    different = [f"{asked.value} different {asked.field}" for asked in group.asked_different]
    least = " and ".join([count(group.asked, "event"), *different])
    return f"at least {least}" + (f" within {group.window}" if group.window else "")


def novelty_line(novelty: NoveltyView) -> str:
    """Return how much of the history is known."""
    if novelty.is_covered:
        return f"{novelty.history}, all of it in the log"
    return f"{novelty.history}, of which the log holds {novelty.known or 'an unknown part'}: may not be new"


def _pairs(entries: list[Document]) -> list[Pair]:
    return [Pair(entry["field"], plain(entry["value"])) for entry in entries]
