"""Regular expressions of rules find in Lucene's syntax what Python's engine finds in PCRE's."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evtxscan.eql.regexp import regexp
from evtxscan.sigma.regex import UnsupportedRegexError, to_lucene

# Each shows a difference between the two syntaxes.
PATTERNS = (
    "a.c",  # a dot is no line feed
    "^ab$",
    "(^ab$)|(^c+$)",
    r"(^|\\)cmd(\s|$)",
    r"\bab\b",
    r"\Bab",
    r"(?:1\d?(?:\.|\b)){2}",
    "^(?=.*a)(?=.*b)",
    "a(?!b)c?",
    "(?i)a[b-c]+",
    r'"~&@#<1>',
    r"[\w+|\s]x",
    "[a-]-[]]",
    "{a}{2}|{b",
    "a+?b*?",
    "a{,2}",
    "a{2,}b{1,2}",
    r"\x41B\.",
    "",
)


@pytest.mark.parametrize("pattern", PATTERNS)
@settings(deadline=None)
@given(text=st.text('abcAB12 .-{}[]|"~&@#<>\\\n', max_size=12))
def test_finds_what_pcre_finds(pattern: str, text: str) -> None:
    """Catches anchoring, case, operators and escapes that one syntax has and the other has not."""
    lucene, insensitive = to_lucene(pattern)
    if text.endswith("\n"):
        text += "a"  # PCRE's $ also stands before a last line feed, which Lucene cannot tell
    assert regexp((lucene,), insensitive).matches(text) is (re.search(pattern, text, re.ASCII) is not None)


def test_flags_of_the_rule() -> None:
    """Catches ranges, whose case Lucene does not ignore, and a dot that is to match everything."""
    lucene, insensitive = to_lucene("^[a-c]x", insensitive=True)
    assert regexp((lucene,), insensitive).matches("BXY")
    assert regexp((to_lucene("a.b", dot_all=True)[0],), False).matches("a\nb")


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        (r"(a)\1", "back reference"),
        ("(?<=a)b", "(?<"),
        ("(?>a)b", "(?>"),
        ("a++", "possessive"),
        ("(?:a|^b)*", "without limit"),
        ("a(?i)b", "(?i)"),
        ("[[:alpha:]]", "POSIX"),
        ("(" * 50 + ")" * 50, "nested"),
        (r"(?:\w|\.)\b", r"\b"),
    ],
)
def test_refuses_what_has_no_equivalent(pattern: str, named: str) -> None:
    """Catches a construct that is passed on and silently means something else."""
    with pytest.raises(UnsupportedRegexError, match=re.escape(named)):
        to_lucene(pattern)
