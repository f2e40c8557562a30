"""Wildcard patterns against the plainest matcher there is, and their speed on hostile values."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evtxscan.eql.patterns import GlobSet, longest_literal
from evtxscan.eql.scalars import fold_ascii, fold_unicode

SMALL_TEXTS = st.text("aB", max_size=4)
SMALL_PATTERNS = st.text("aB*?", max_size=4)
TEXTS = st.text("aAbBéÉ\n\\[]^.*?\u017f\u212a", max_size=8)
PATTERNS = st.text("aAbBéÉ\n\\[]^.**??", max_size=7)


def naive(pattern: str, value: str) -> bool:
    """Match by the definition: a table over all prefixes of pattern and value."""
    row = [True] + [False] * len(value)
    for char in pattern:
        if char == "*":
            reached = [any(row[: i + 1]) for i in range(len(row))]
        else:
            reached = [False] + [row[i] and char in ("?", value[i]) for i in range(len(value))]
        row = reached
    return row[-1]


def ascii_lower(text: str) -> str:
    """Lower A to Z, the slow way."""
    return "".join(chr(ord(char) + 32) if "A" <= char <= "Z" else char for char in text)


@given(
    st.lists(SMALL_PATTERNS, max_size=2) | st.lists(PATTERNS, max_size=4),
    st.lists(SMALL_TEXTS | TEXTS, max_size=6),
    st.booleans(),
)
@settings(max_examples=500)
def test_glob_sets_match_as_the_definition_says(patterns: list[str], values: list[str], insensitive: bool) -> None:
    """Catches every shortcut (exact, prefix, suffix, part, regular expression) that is not the pattern, and fnmatch."""
    globs = GlobSet(patterns, insensitive)
    fold = ascii_lower if insensitive else str
    expected = [any(naive(fold(pattern), fold(value)) for pattern in patterns) for value in values]
    assert [globs.matches(value) for value in values] == expected
    assert globs.match_many(values) == expected


@given(PATTERNS, TEXTS)
def test_longest_literal_is_in_every_match(pattern: str, value: str) -> None:
    """Catches a prefilter that loses matches."""
    if naive(pattern, value):
        assert longest_literal(pattern) in value


@pytest.mark.parametrize(
    ("pattern", "value", "insensitive", "expected"),
    [
        ("cmd.exe?", "cmd.exe", True, False),
        ("?", "\U0001f600", True, True),
        ("*", "", True, True),
        ("?*", "", True, False),
        ("line1*line2", "line1\r\nline2", True, True),
        ("k", "\u212a", True, False),  # the Kelvin sign folds to k in Unicode, not in ASCII
        ("s", "\u017f", True, False),
        ("É", "é", True, False),
        ("CMD*", "cmd.exe", False, False),
        ("\\*", "\\anything", True, True),
        ("a*b", "ab\ud800b", True, True),  # event logs hold lone surrogates
    ],
)
def test_cases_that_break_naive_matchers(pattern: str, value: str, insensitive: bool, expected: bool) -> None:
    """Catches Unicode folding, `?` for zero characters, `.` that stops at a newline, and escapes that EQL lacks."""
    assert GlobSet([pattern], insensitive).matches(value) is expected


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("*a*b*c*d*e*f*g*?h", "abcdefg" * 20_000),
        ("*?a?a*a?a*?a?b*c", "c" + "a" * 100_000 + "b"),
        ("*a" * 50 + "b", "a" * 100_000),
    ],
)
def test_hostile_values_do_not_stop_a_case(pattern: str, value: str) -> None:
    """Catches backtracking into a star: exponential, or polynomial of a high degree."""
    globs = GlobSet([pattern], True)
    start = time.process_time()
    assert not globs.matches(value)
    assert time.process_time() - start < 2


@given(st.text())
def test_ascii_fold(text: str) -> None:
    """Catches str.lower or casefold: 'K' (Kelvin) or 'İ' would change."""
    assert fold_ascii(text) == ascii_lower(text)


@given(st.lists(st.text("aA\0é", max_size=3)))
def test_values_that_hold_the_separator(texts: list[str]) -> None:
    """Catches values that shift when all are folded together."""
    assert GlobSet(["*a"], insensitive=True).match_many(texts) == [text.lower().endswith("a") for text in texts]


@given(st.text())
@example("İßŉ")
def test_unicode_fold_keeps_places(text: str) -> None:
    """Catches a fold that changes the length: between() would cut at the wrong place."""
    assert len(fold_unicode(text)) == len(text)
    assert fold_unicode(fold_unicode(text)) == fold_unicode(text)
