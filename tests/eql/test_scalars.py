"""Single values: Java's numbers and their text, dates, versions, addresses, and every function."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evtxscan.eql import evaluate
from evtxscan.eql.dates import date_interval, iso_text, milliseconds
from evtxscan.eql.scalars import as_number, as_text
from evtxscan.eql.versions import version_key
from evtxscan.errors import EqlError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (7, "7"),
        (2.5, "2.5"),
        (1.0, "1.0"),
        (-0.0, "-0.0"),
        (0.001, "0.001"),
        (0.0005, "5.0E-4"),
        (9999999.5, "9999999.5"),
        (1e7, "1.0E7"),
        (123456789.25, "1.2345678925E8"),
        (1.5e300, "1.5E300"),
        (float("inf"), "Infinity"),
        (float("nan"), "NaN"),
    ],
)
def test_text_of_values(value: object, text: str) -> None:
    """Catches Python's text of a number where Java writes another."""
    assert as_text(value) == text  # type: ignore[arg-type]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_text_of_a_double_reads_back(value: float) -> None:
    """Catches digits lost or an exponent off by one."""
    assert float(as_text(value)) == value


def test_numbers_from_text() -> None:
    """Catches Python's generosity: underscores, other digits, endless text."""
    assert [as_number(text) for text in ("12", "-1.5", ".5", "1e3")] == [12, -1.5, 0.5, 1000.0]
    assert [as_number(text) for text in ("", "1_0", "٣", "0x10", "nan", "1" * 5000, "1 ")] == [None] * 7
    assert as_number(True) is None


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("7 / -2", -3),
        ("7 / 2.0", 3.5),
        ("-7 % 3", -1),
        ("7 % -3", 1),
        ("-7.5 % 2", -1.5),
        ("1.0 / 0", float("inf")),
        ("-1 / 0.0", float("-inf")),
        ("1 + null", None),
        ("-(2 + 3)", -5),
        ("2 + 3 * 4 - 10 / 3", 11),
        ("add(1, 2.5)", 3.5),
        ("subtract(1, 2)", -1),
        ("multiply(3, 4)", 12),
        ("divide(-7, 2)", -3),
        ("modulo(-7, 3)", -1),
        ("MODULO(10, 4)", 2),
        ("3 == 3.0", True),
        ("2 < 10", True),
        ('"2" < "10"', False),
        ('"Z" < "a"', True),
        ("null == null", True),
        ("null != 5", True),
        ("null < 5", None),
        ("not null", None),
        ("null and false", False),
        ("null and true", None),
        ("null or true", True),
        ("null or false", None),
        ("5 in (1, null, 5)", True),
        ("5 in (1, null)", None),
        ("5 not in (1, 2)", True),
        ("null in (1, 2)", None),
        ('"A" in~ ("a")', True),
        ('"a*" in ("a*")', True),
        ('"É" : "é"', True),
        ('"cmd.exe" : ("x", "C?D.*")', True),
        ('"cmd.exe" like "C*"', False),
        ('"cmd.exe" like~ "C*"', True),
        ('"ab" regex "a"', False),
        ('"AB" regex~ "a."', True),
        ('null : ("x")', None),
    ],
)
def test_operators(expression: str, value: object) -> None:
    """Catches Python's division and remainder, two values where constants have three, and a wrong case rule."""
    found = evaluate(expression)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ('startsWith("foobar", "")', True),
        ('startsWith~("FOObar", "fooB")', True),
        ('startsWith("FOObar", "foo")', False),
        ('startsWith("abc", "a?c")', False),
        ('endsWith("foobar", "bar")', True),
        ('endsWith~("foobar", "BAR")', True),
        ('stringContains("foobar", "ob")', True),
        ('stringContains("foobar", "")', False),
        ('stringContains~("foobar", "OB")', True),
        ('length("")', 0),
        ('length("é😀")', 2),
        ('substring("hello", 1)', "ello"),
        ('substring("hello", -3, -1)', "ll"),
        ('substring("hello", 3, 100)', "lo"),
        ('substring("hello", 4, 2)', ""),
        ('substring("hello", null)', "hello"),
        ('indexOf("banana", "an")', 1),
        ('indexOf("banana", "an", 2)', 3),
        ('indexOf("banana", "an", -2)', 1),
        ('indexOf("banana", "x")', None),
        ('indexOf~("banANa", "an", 2)', 3),
        ('between("a[b]c]d", "[", "]")', "b"),
        ('between("a[b]c]d", "[", "]", true)', "b]c"),
        ('between("a[b", "[", "]")', ""),
        ('between("ab]", "[", "]")', ""),
        ('between("abc", "", "c")', "abc"),
        ('between~("xSTARTyENDz", "start", "end")', "y"),
        ('between(null, "a", "b")', None),
        ('concat("a", 1, 2.5, true, -3)', "a12.5true-3"),
        ('concat("a", null)', None),
        ("string(1.0)", "1.0"),
        ("string(false)", "false"),
        ('number("0x1f")', 31),
        ('number("1f", 16)', 31),
        ('number("0x1f", 16)', 31),
        ('number("-101", 2)', -5),
        ('number("  42 ")', 42),
        ('number("1e2")', 100.0),
        ('number("12", null)', 12),
        ('cidrMatch("10.1.2.3", "192.168.0.0/16", "10.6.48.157/8")', True),
        ('cidrMatch("11.1.2.3", "10.0.0.0/8")', False),
        ('cidrMatch("fe80::1", "fe80::/10")', True),
        ('cidrMatch("::1", "::1")', True),
        ('cidrMatch("::ffff:10.0.0.1", "10.0.0.0/8")', True),
        ('cidrMatch("10.0.0.1", "::/0")', False),
        ('cidrMatch("no address", "10.0.0.0/8")', False),
        ('cidrMatch(null, "10.0.0.0/8")', None),
        ('wildcard("foobar", "x*", "f*r")', True),
        ('wildcard~("foobar", "F*R")', True),
        ('wildcard("foobar", "F*R")', False),
        ('length(concat("ab", "c")) + 1', 4),
        ('string(not ("a" == "b" and null))', "true"),
    ],
)
def test_functions(expression: str, value: object) -> None:
    """Catches a function that differs from its description in Elasticsearch's reference, at its edges too."""
    found = evaluate(expression)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("expression", ['number("12x")', 'number("9", 8)', 'number("")', 'number("1_0", 16)', "5 % 0"])
def test_constants_that_cannot_be_computed(expression: str) -> None:
    """Catches a query that would fail in Elasticsearch and returns nothing here."""
    with pytest.raises(EqlError):
        evaluate(expression)


def test_values_that_cannot_be_computed_are_null() -> None:
    """Catches a crash over one odd value in a log."""
    document = {"a": ["x", "12"], "b": [0, 2], "c": 2**62}
    assert evaluate("number(a) == 12", document) is True
    assert evaluate('number("1", b) == 5', document) is False
    assert evaluate("10 / b", document) == [None, 5]
    assert evaluate("c * 4", document) is None


@pytest.mark.parametrize(
    ("constant", "first", "last"),
    [
        ("2017-08-30T20:47:32Z", "2017-08-30T20:47:32.000Z", "2017-08-30T20:47:32.999Z"),
        ("2017-08-30T20:47:32.1234567Z", "2017-08-30T20:47:32.123Z", "2017-08-30T20:47:32.123Z"),
        ("2017-08-30T22:47:32.5+02:00", "2017-08-30T20:47:32.500Z", "2017-08-30T20:47:32.500Z"),
        ("2017-08-30", "2017-08-30T00:00:00.000Z", "2017-08-30T23:59:59.999Z"),
        ("2017-12", "2017-12-01T00:00:00.000Z", "2017-12-31T23:59:59.999Z"),
        ("2016", "2016-01-01T00:00:00.000Z", "2016-12-31T23:59:59.999Z"),
        ("1", "1970-01-01T00:00:00.001Z", "1970-01-01T00:00:00.001Z"),
        (1504126052123, "2017-08-30T20:47:32.123Z", "2017-08-30T20:47:32.123Z"),
        (-1, "1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
    ],
)
def test_dates(constant: str | int, first: str, last: str) -> None:
    """Catches lost milliseconds, a forgotten zone, and a day taken as its first instant."""
    interval = date_interval(constant)
    assert interval is not None
    assert (iso_text(interval[0]), iso_text(interval[1])) == (first, last)
    assert milliseconds(constant) == interval[0]


@pytest.mark.parametrize("text", ["", "yesterday", "2017-13-01", "2017-02-30", "2017-08-30T25:00:00Z", "9" * 40, True])
def test_what_is_no_date(text: str | bool) -> None:
    """Catches a crash, or an invented instant, over a text that is no date."""
    assert date_interval(text) is None


def test_order_of_versions() -> None:
    """Catches text order: 1.11 stands after 1.2, a release after its pre-releases, what is no version last."""
    shuffled = [
        "1.11.3",
        "bad",
        "1.0.0-beta",
        "2",
        "1.0.0-alpha.10",
        "1.2.4",
        "1.0.0",
        "1.0.0-alpha.2",
        "1.2.4-SNAPSHOT",
    ]
    ordered = [
        "1.0.0-alpha.2",
        "1.0.0-alpha.10",
        "1.0.0-beta",
        "1.0.0",
        "1.2.4-SNAPSHOT",
        "1.2.4",
        "1.11.3",
        "2",
        "bad",
    ]
    assert sorted(shuffled, key=version_key) == ordered
