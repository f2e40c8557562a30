"""Wildcard patterns: ``*`` is any run of characters, newlines too, ``?`` exactly one code point; there are no escapes.

A set of patterns is compiled together. Most patterns of real rules are a text, a prefix, a suffix or a part, which cost
a set lookup or a substring search; the rest become regular expressions without backtracking into a star: after the
first star every piece between two stars is found at its leftmost place, inside an atomic group, so that a hostile value
costs at most its length times the length of the pattern, however many stars there are.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from evtxscan.eql.scalars import fold_ascii

_WILDCARD = re.compile(r"[*?]")


def has_wildcard(pattern: str) -> bool:
    """Tell whether a pattern is more than a plain text."""
    return "*" in pattern or "?" in pattern


def longest_literal(pattern: str) -> str:
    """Return the longest run of plain characters that every match of the pattern must contain."""
    return max(_WILDCARD.split(pattern), key=len)


def fold_many(values: list[str]) -> list[str]:
    """Fold a list of texts as ``fold_ascii`` does, all at once where none holds a NUL character."""
    if len(values) < 2:
        return [fold_ascii(value) for value in values]
    folded = fold_ascii("\0".join(values)).split("\0")
    return folded if len(folded) == len(values) else [fold_ascii(value) for value in values]


@lru_cache(maxsize=4096)
def glob_set(patterns: tuple[str, ...], insensitive: bool) -> "GlobSet":
    """Return the compiled set for ``patterns``; rules repeat each other's lists."""
    return GlobSet(patterns, insensitive)


class GlobSet:
    """Matches a whole text against any of a set of wildcard patterns.

    With ``insensitive``, the letters A to Z match in both cases and all other characters exactly.
    """

    def __init__(self, patterns: Sequence[str], insensitive: bool) -> None:
        self.patterns = tuple(patterns)
        self.insensitive = insensitive
        exact: set[str] = set()
        prefixes: set[str] = set()
        suffixes: set[str] = set()
        parts: set[str] = set()
        general: list[tuple[str, Callable[[str], re.Match[str] | None]]] = []
        for pattern in dict.fromkeys(fold_ascii(p) if insensitive else p for p in self.patterns):
            if not has_wildcard(pattern):
                exact.add(pattern)
                continue
            bare = pattern.strip("*")
            if has_wildcard(bare):
                general.append((longest_literal(bare), re.compile(_regex(pattern), re.DOTALL).fullmatch))
            elif pattern.startswith("*") and pattern.endswith("*"):
                parts.add(bare)
            elif pattern.endswith("*"):
                prefixes.add(bare)
            else:
                suffixes.add(bare)
        self._exact = frozenset(exact)
        self._prefixes = tuple(sorted(prefixes))
        self._suffixes = tuple(sorted(suffixes))
        self._parts = tuple(sorted(parts, key=lambda part: (len(part), part)))
        self._general = tuple(general)
        self._takes_all_but_empty = "?*" in self.patterns or "*?" in self.patterns

    def matches(self, value: str) -> bool:
        """Tell whether the whole of ``value`` matches one of the patterns."""
        return self._matches(fold_ascii(value) if self.insensitive else value)

    def match_many(self, values: Iterable[str]) -> list[bool]:
        """Return for each value whether it matches."""
        if self._takes_all_but_empty and "" not in self._exact:
            return list(map(bool, values))
        texts = fold_many(list(values)) if self.insensitive else values
        matches = self._matches
        return [matches(text) for text in texts]

    def _matches(self, text: str) -> bool:
        if text in self._exact or text.startswith(self._prefixes) or text.endswith(self._suffixes):
            return True
        for part in self._parts:
            if part in text:
                return True
        # The literal first: a substring search costs a tenth of a regular expression that fails. Loops, not any(): a
        # generator would cost as much as the tests.
        for literal, fullmatch in self._general:  # noqa: SIM110
            if literal in text and fullmatch(text):
                return True
        return False


def _regex(pattern: str) -> str:
    """Translate one pattern for ``fullmatch`` with DOTALL."""
    first, *rest = [_piece(piece) for piece in re.split(r"\*+", pattern)]
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(f"(?>.*?{piece})" for piece in middle if piece) + f".*{last}"


def _piece(text: str) -> str:
    return "".join("." if char == "?" else re.escape(char) for char in text)
