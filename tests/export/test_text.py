"""Holds what ``visible`` promises: nothing hidden stays hidden, and nothing is lost by showing it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evtxscan.export.text import escape, restore, segments, visible

# Private use (Co) has no agreed look; separators (Zl, Zp) break lines; the rest steers or hides.
STEERING = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
# Format characters that are seen: signs that span the digits of Arabic and Syriac numbers, and other scripts' marks.
SEEN = {"\u0600", "\u0601", "\u0602", "\u0603", "\u0604", "\u0605", "\u06dd", "\u070f", "\u0890", "\u0891", "\u08e2"}
SEEN |= {"\U000110bd", "\U000110cd", *map(chr, range(0x13430, 0x13440))}
ANY_TEXT = st.text(st.characters(codec=None) | st.sampled_from("\\xu0159bcef\x1b\u202e;"))


def test_no_character_that_steers_or_hides_is_left() -> None:
    # Catches a range forgotten in the table: every character of Unicode that Python knows as steering is tried.
    left = [
        f"U+{code:04X}"
        for code in range(0x110000)
        if unicodedata.category(chr(code)) in STEERING and chr(code) not in SEEN and visible(chr(code)) == chr(code)
    ]
    assert not left


def test_no_blank_passes_for_a_space() -> None:
    # Catches "net\u00a0user" reading like "net user". The ideographic space is wide enough to be told from one.
    blanks = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Zs"]
    assert [blank for blank in blanks if visible(blank) == blank] == [" ", "\u3000"]


def test_ordinary_text_of_any_script_stays() -> None:
    # Catches escaping by "is it ASCII": names in other scripts are ordinary.
    for text in ("C:\\Users\\Łukasz\\Документы\\報告書 1.exe", "עברית العربية हिन्दी", "naïve café — “quoted” €", "😀"):
        assert visible(text) == text


def test_paths_that_look_like_the_notation_stay_readable() -> None:
    # Catches escaping every backslash: x64 and x86 are the most frequent folders that look like an escape.
    for text in (r"C:\x64\tool.exe", r"D:\x86\u\new", r"\\server\share", r"C:\Users\u2"):
        assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("a\r\nb\tc\0", r"a\x0d\x0ab\x09c\x00"),
        ("x\u202ey", r"x\u202ey"),
        ("\x9b31m", r"\u009b31m"),
        ("\U000e0041", r"\U000e0041"),
        ("\ud800", r"\ud800"),
        (r"\x1b", r"\x5cx1b"),
    ],
)
def test_the_notation(text: str, shown: str) -> None:
    # Catches a change of the notation, which documents and scripts rely on.
    assert visible(text) == shown


@given(ANY_TEXT)
def test_showing_can_be_undone(text: str) -> None:
    # Catches two texts that look the same once shown: evidence would become ambiguous.
    assert restore(visible(text)) == text


@given(ANY_TEXT)
def test_parts_join_to_what_is_shown(text: str) -> None:
    # Catches an HTML report that shows other text than the terminal.
    assert "".join(part for part, _ in segments(text)) == visible(text)


def test_cutting_says_how_much_is_left_out() -> None:
    # Catches a cut in silence.
    assert visible("A" * 1_500, limit=3) == "AAA …[+1,497 characters]"
    assert visible("AAA", limit=3) == "AAA"


def test_an_escape_is_always_printable_ascii() -> None:
    # Catches an escape that itself needs one.
    assert all(escape(chr(code)).isascii() and escape(chr(code)).isprintable() for code in range(0, 0x110000, 7))
