"""Shortens long values for the list of tests that held: a script may have megabytes, and a rule dozens of tests of it.

The whole value stands in the event's document.
"""

from __future__ import annotations

from evtxscan.eql.predicates import Leaf
from evtxscan.eql.scalars import fold_ascii

LONGEST = 4_000
"""Characters of a value that is shown whole."""
_BEFORE, _AFTER = 300, 1_200


def excerpt(text: str, leaf: Leaf, *, passed: bool) -> str:
    """Return a text of up to LONGEST characters as it is, of a longer one the place where the test holds.

    That is where a literal of the test's patterns first stands; the beginning, where there is none or the text does not
    pass the test. What is left out is counted: ``…[+120,000 characters]``.
    """
    if len(text) <= LONGEST:
        return text
    start = max(_place(text, leaf) - _BEFORE, 0) if passed else 0
    end = start + _BEFORE + _AFTER
    before = f"[+{start:,} characters]… " if start else ""
    after = f" …[+{len(text) - end:,} characters]" if end < len(text) else ""
    return f"{before}{text[start:end]}{after}"


def _place(text: str, leaf: Leaf) -> int:
    folded = fold_ascii(text)
    literals = leaf.required.literals if leaf.required else ()
    places = [folded.find(fold_ascii(literal)) for literal in literals]
    return min((place for place in places if place >= 0), default=0)
