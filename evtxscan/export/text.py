r"""Makes text from the evidence safe to show, in one notation for terminal, CSV and HTML.

Command lines are written by attackers. Characters that steer a terminal, turn the direction of writing or cannot be
seen are written out: ``\x1b`` up to U+001F and for U+007F, ``\u202e`` up to U+FFFF, ``\U000e0041`` above. A backslash
of the text itself that would read as one of these is written ``\x5c``, so the notation can always be undone.
Everything that is seen for what it is stays as it is, in any script.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Spelt out, not taken from unicodedata: its tables grow with each Python, and exports must not differ by it.
_HIDDEN = (
    "\x00-\x1f\x7f-\x9f"  # C0 and C1 controls, tab and line ends included
    "\xa0\u1680\u2000-\u200a\u202f\u205f\u2800"  # blanks that pass for an ordinary space
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # soft hyphen, joiners, fillers: nothing to see
    "\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"  # zero width, bidirectional controls, separators
    "\ufe00-\ufe0f\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # selectors, tags
    "\ud800-\udfff\ue000-\uf8ff\U000f0000-\U0010ffff"  # lone surrogates and private use: no agreed look
    "\ufdd0-\ufdef\ufffe\uffff"  # no characters at all
)
_NOTATION = r"x[01][0-9a-f]|x7f|x3b|x5c|u[0-9a-f]{4}|U00(?:0[1ef]|10)[0-9a-f]{4}"
_UNSAFE = re.compile(f"([{_HIDDEN}]|\\\\(?={_NOTATION}))")
_ESCAPE = re.compile(rf"\\({_NOTATION})")


def escape(character: str) -> str:
    """Return one character in the notation of this module."""
    code = ord(character)
    if code <= 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def visible(text: str, limit: int | None = None) -> str:
    """Return ``text`` with every hidden character written out; safe on a terminal and on one line.

    With ``limit`` at most that many characters of the text are shown, and how many were left out.
    """
    if limit is not None and len(text) > limit:
        return f"{visible(text[:limit])} …[+{len(text) - limit:,} characters]"
    return _UNSAFE.sub(lambda found: escape(found[1]), text)


def restore(text: str) -> str:
    """Undo ``visible`` (without a limit)."""
    return _ESCAPE.sub(lambda found: chr(int(found[1][1:], 16)), text)


def segments(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the parts of ``visible(text)`` in order, and for each whether it stands for a hidden character."""
    for index, part in enumerate(_UNSAFE.split(text)):
        if index % 2:
            yield escape(part), True
        elif part:
            yield part, False
