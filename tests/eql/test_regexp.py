"""Lucene's regular expressions, against Python's where both mean the same."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evtxscan.eql import regexp as module
from evtxscan.eql.regexp import Regexp, RegexpError

ATOMS = st.sampled_from(["a", "b", "ab", ".", "[ab]", "[^a]", "[a-b]", "\\.", "(a|b)", "(ab|b)"])
COMMON = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{1,}"])).map(
            lambda pair: f"({pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=6,
)
VALUES = st.text("ab.\n", max_size=7)


def matches(pattern: str, value: str, *, insensitive: bool = False) -> bool:
    """Match one pattern, in both ways that there are."""
    compiled = Regexp([pattern], insensitive)
    found = compiled.matches(value)
    compiled._quick_length = 0
    assert compiled.matches(value) is found
    return found


@given(COMMON, VALUES)
def test_common_syntax_matches_as_python_does(pattern: str, value: str) -> None:
    """Catches wrong precedence, wrong derivatives, and a prefilter that loses matches."""
    assert matches(pattern, value) is (re.fullmatch(pattern, value, re.DOTALL) is not None)


@given(COMMON, COMMON, VALUES)
def test_complement_and_intersection(first: str, second: str, value: str) -> None:
    """Catches a complement within the wrong alphabet and an intersection taken as a union."""
    one, two = matches(first, value), matches(second, value)
    assert matches(f"~({first})", value) is not one
    assert matches(f"({first})&({second})", value) is (one and two)
    assert matches(f"{first}|{second}", value) is (one or two)
    assert Regexp([first, second], insensitive=False).matches(value) is (one or two)


@given(st.integers(0, 1200), st.integers(0, 1200), st.integers(0, 1300), st.integers(0, 3))
def test_number_intervals(low: int, high: int, number: int, zeros: int) -> None:
    """Catches an interval that is off by one or compares text."""
    low, high = sorted((low, high))
    same_width = len(str(low)) == len(str(high))
    expected = low <= number <= high and (not same_width or zeros == 0)
    assert matches(f"<{low}-{high}>", "0" * zeros + str(number)) is expected


@pytest.mark.parametrize(
    ("pattern", "value", "insensitive", "expected"),
    [
        ("cmd", "cmd.exe", False, False),
        (".*?net1.*?", "x net1 y", False, True),
        ("^a$", "a", False, False),
        ("^a$", "^a$", False, True),
        ("a.b", "a\nb", False, True),
        ("", "", False, True),
        ("()", "", False, True),
        ("#|a", "a", False, True),
        ("@b", "aab", False, True),
        ('"a.*"b', "a.*b", False, True),
        ("<01-10>", "7", False, False),
        ("<01-10>", "07", False, True),
        ("<5-123>", "007", False, True),
        ("~a", "a", False, False),
        ("~ab", "xxb", False, True),
        (r"\d\w\s\D", "1_ x", False, True),
        (r"[\d\-x]+", "4-x", False, True),
        (r"[a-zA-Z0-9\-\_\.]+", "a-_.Z", False, True),
        ("[ʰ-˿]+", "ʰʱ", False, True),
        (r"CMD\.E.E", "cmd.exe", True, True),
        ("[abc]", "B", True, True),
        ("[a-c]", "B", True, False),
        ("é", "É", True, False),
        ('"aB"', "Ab", True, True),
        ("x{0}", "", False, True),
        ("x{2,}", "xxxx", False, True),
        ("*a", "*a", False, True),
    ],
)
def test_lucene_syntax(pattern: str, value: str, insensitive: bool, expected: bool) -> None:
    """Catches Python's meaning where Lucene has another: anchors, newlines, quotes, ranges without case."""
    assert matches(pattern, value, insensitive=insensitive) is expected


@pytest.mark.parametrize(
    "pattern",
    ["(", "a)", "[", "[b-a]", "a{", "a{2", "a{3,2}", "a{9999}", "<a>", "<1>", '"a', "\\", "a|", "(" * 60 + ")" * 60],
)
def test_what_is_no_expression_is_refused(pattern: str) -> None:
    """Catches a pattern that is read as something else."""
    with pytest.raises(RegexpError):
        Regexp([pattern], insensitive=False)


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("(a+)+b", "a" * 100_000),
        (".*a.*b.*c.*d.*e!", "abcde" * 20_000),
        ("(.*a){10}!", "a" * 20_000),
        (".*[0-9]{1,3}.*[0-9]{1,3}x", "1" * 50_000),
        ("(a{1,30}){1,30}b", "a" * 900),
        ("(a|aa){1,40}b", "a" * 60),
        ("(.*,){9}x", "," * 400),
        ("(a*)*b", "a" * 60),
        ("(a?){30}a{30}b", "a" * 60),
        (".*a.*a", "a" * 900 + "b"),
    ],
)
def test_hostile_values_do_not_stop_a_case(pattern: str, value: str) -> None:
    """Catches backtracking: one command line could stop an examination."""
    compiled = Regexp([pattern], insensitive=False)
    start = time.process_time()
    assert not compiled.matches(value)
    assert time.process_time() - start < 3


def test_starting_afresh_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches an automaton that goes wrong when its states are dropped in the middle of a value."""
    pattern, value = "(a|b)*a(a|b){6}", "abbabaabbbabaabababbabab" * 20
    expected = [re.fullmatch(pattern, value[:end]) is not None for end in range(60, 140)]
    monkeypatch.setattr(module, "MAX_STATES", 5)
    compiled = Regexp([pattern], insensitive=False)
    assert [compiled.matches(value[:end]) for end in range(60, 140)] == expected
