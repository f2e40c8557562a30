"""Wildcard patterns in which ``*`` and ``?`` can also be plain characters, as KQL and the Query DSL have them.

EQL's patterns (``evtxscan.eql.patterns``) have no escapes. A pattern without plain ``*`` and ``?`` is one of those,
and is matched together with the others of its list; the rest become regular expressions that do not backtrack into a
star.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby

from evtxscan.eql.patterns import glob_set, has_wildcard
from evtxscan.eql.scalars import fold_ascii


class Wild(Enum):
    """A part of a pattern that is not plain text."""

    ANY = "*"
    """Any run of characters, newlines too."""
    ONE = "?"
    """Exactly one character."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern for a whole text: plain texts and wildcards in order."""

    parts: tuple[str | Wild, ...]

    @property
    def glob(self) -> str | None:
        """The pattern as EQL writes it, or None where it holds a plain ``*`` or ``?``."""
        if any(isinstance(part, str) and has_wildcard(part) for part in self.parts):
            return None
        return "".join(part if isinstance(part, str) else part.value for part in self.parts)

    @property
    def written(self) -> str:
        """The pattern as the Query DSL writes it, with backslashes before plain ``*``, ``?`` and ``\\``."""
        return "".join(
            re.sub(r"([*?\\])", r"\\\1", part) if isinstance(part, str) else part.value for part in self.parts
        )

    @property
    def longest_text(self) -> str:
        """The longest of its plain texts, which every match contains; "" for wildcards alone."""
        return max((part for part in self.parts if isinstance(part, str)), key=len, default="")

    @property
    def is_lone_star(self) -> bool:
        """Whether it is a single ``*``."""
        return self.parts == (Wild.ANY,)

    def mapped(self, change: Callable[[str], str]) -> "Pattern":
        """Return the pattern with its plain texts changed."""
        return Pattern(tuple(change(part) if isinstance(part, str) else part for part in self.parts))

    def regex(self) -> str:
        """Return a regular expression for ``fullmatch`` with DOTALL."""
        pieces = [
            "".join(re.escape(part) if isinstance(part, str) else "." for part in group)
            for is_star, group in groupby(self.parts, key=lambda part: part is Wild.ANY)
            if not is_star
        ]
        if Wild.ANY not in self.parts:
            return "".join(pieces)
        first = pieces.pop(0) if self.parts[0] is not Wild.ANY else ""
        last = pieces.pop() if self.parts[-1] is not Wild.ANY else ""
        return first + "".join(f"(?>.*?{piece})" for piece in pieces) + f".*{last}"


def read_dsl_pattern(text: str) -> Pattern:
    """Read the pattern of a Query DSL ``wildcard`` query: a backslash makes the next character plain."""
    parts: list[str | Wild] = []
    plain = ""
    position = 0
    while position < len(text):
        char = text[position]
        if char in "*?":
            parts += [plain, Wild(char)] if plain else [Wild(char)]
            plain = ""
        else:
            if char == "\\" and position + 1 < len(text):
                position += 1
            plain += text[position]
        position += 1
    return Pattern((*parts, plain) if plain else tuple(parts))


def matcher(patterns: Sequence[Pattern], insensitive: bool = False) -> Callable[[str], bool]:
    """Return the test whether the whole of a text matches one of the patterns; ``insensitive`` for A to Z only."""
    globs = tuple(glob for pattern in patterns if (glob := pattern.glob) is not None)
    matches = glob_set(globs, insensitive).matches
    fold: Callable[[str], str] = fold_ascii if insensitive else str
    others = [
        re.compile(pattern.mapped(fold).regex(), re.DOTALL).fullmatch for pattern in patterns if pattern.glob is None
    ]
    if not others:
        return matches
    return lambda text: matches(text) or any(fullmatch(fold(text)) for fullmatch in others)
