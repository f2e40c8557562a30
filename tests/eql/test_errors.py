"""Every refusal: message, line, column and caret."""

import pytest

from evtxscan.eql import FieldMapping, bind, parse, parse_expression
from evtxscan.eql.expressions import MAX_NESTING
from evtxscan.errors import EqlError, EqlUnsupportedError

SYNTAX = [
    # (query, place of the caret marked by ^ in the second text, part of the message)
    ('process where a == "x', "                   ^", "not closed"),
    ("process where a == 'x'", "                   ^", "double quotes"),
    ("process where a = 1", "                ^", "write =="),
    ("process where a !== 1", "                  ^", "write =="),
    ("process where a ! b", "                ^", "write 'not'"),
    ("process where a & b", "                ^", "write 'and'"),
    ("process where a # b", "                ^", "unexpected character"),
    ("process where `a", "              ^", "not closed"),
    ("process where /* a", "              ^", "comment"),
    ('process where a == ?"x"', "                   ^", "triple quotes"),
    ('process where x not like "a"', "              ^", "'not' before"),
    ("process where a : b", "                  ^", "never a field"),
    ("process where a : 5", "                  ^", "double quotes"),
    ("process where a == 1 == 2", "                     ^", "chained"),
    ("process where a == not b", "                   ^", "parentheses"),
    ("process where a in ()", "                ^", "empty"),
    ("process where a in (1", "                     ^", "expected [)]"),
    ("process where and", "              ^", "expected a field"),
    ("process where any == 1", "              ^", "expected a field"),
    ("process where a[0] == 1", "               ^", "array positions"),
    ("process where a.", "                ^", "name of a field"),
    ("process where a b", "                ^", "end of the query"),
    ("process when true", "        ^", "'where'"),
    ("where true", "^", "category"),
    (r'process where a == "\u{1}"', "                    ^", "2 to 8"),
    (r'process where a == "\u{d800}"', "                    ^", "Unicode"),
    (r'process where a == "\u12"', "                    ^", "braces"),
    ("process where a == 99999999999999999999999", "                   ^", "too large"),
    ("process where true | head -1", "                          ^", "whole number"),
    ("process where true | least 1", "                     ^", "head or tail"),
    ("sequence [a where true]", "                       ^", "two events"),
    ("sequence [a where true] [b where true] by c", "                        ^", "join keys"),
    ("sequence with maxspan=1m by a [a where true] [b where true]", "                         ^", "before"),
    ("sequence with maxspan=1y [a where true] [b where true]", "                       ^", "units"),
    ("sequence with maxspan=0s [a where true] [b where true]", "                      ^", "greater"),
    ("sequence with runs=1 [a where true] [b where true]", "              ^", "maxspan"),
    ("sequence [a where true] with runs=101", "                                  ^", "1 to 100"),
    ("sequence [a where true] with runs=0", "                                  ^", "1 to 100"),
    ("sequence [a where true] ![b where true]", "                        ^", "maxspan"),
    ("sequence with maxspan=1s ![a where true] ![b where true]", "^", "not missing"),
]


@pytest.mark.parametrize(("query", "caret", "message"), SYNTAX, ids=[query for query, _, _ in SYNTAX])
def test_syntax_error(query: str, caret: str, message: str) -> None:
    """Catches a wrong query that parses, and an error that points elsewhere."""
    with pytest.raises(EqlError) as caught:
        parse(query)
    assert message in caught.value.message
    assert caught.value.explain().splitlines()[1:] == [f"  {query}", f"  {caret}"]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("sample by a [b where true] [c where true]", "sample"),
        ("join by a [b where true] [c where true]", "join"),
        ("a where true | unique b", "unique"),
        ("a where true | count", "count"),
        ("a where b[0] == 1", "array positions"),
    ],
)
def test_unsupported_constructs_are_named(query: str, name: str) -> None:
    """Catches a construct that is EQL being called a syntax error, and one that is silently run otherwise."""
    with pytest.raises(EqlUnsupportedError, match=name):
        parse(query)


def test_line_and_column_in_a_query_of_many_lines() -> None:
    """Catches columns counted from the start of the text."""
    with pytest.raises(EqlError) as caught:
        parse('process where\r\n  a : "x" and\n\tb == = 2')
    assert (caught.value.line, caught.value.column) == (3, 7)
    assert caught.value.explain().splitlines()[1:] == ["  \tb == = 2", "  \t     ^"]


@pytest.mark.parametrize("opening", ["(", "not (", "length(", "-", "not ", "a in (", "1 + (", "a or b and (", "f(1, "])
def test_nesting_without_end(opening: str) -> None:
    """Catches a RecursionError, in the parser or later, from parentheses without end."""
    with pytest.raises(EqlError, match="nested"):
        parse(f"process where {opening * 20_000}")


@pytest.mark.parametrize(("opening", "closing"), [("(", ")"), ("not ", ""), ("length(string(", "))"), ("1 + (", ")")])
def test_nesting_up_to_the_limit_binds(opening: str, closing: str) -> None:
    """Catches a limit that the binder or the evaluation cannot bear."""
    levels = (MAX_NESTING - 2) // max(1, opening.count("("))
    levels = levels // 2 if "+" in opening else levels
    query = f"process where {opening * levels}a{closing * levels}"
    if opening[0] in "l1":
        query += " == 1"
    bind(parse(query))


TYPES = FieldMapping.of(
    {
        "types": {
            "pid": "long",
            "flag": "boolean",
            "ip": "ip",
            "at": "date",
            "body": "text",
            "version": "version",
            "name": "keyword",
        },
        "fields": ["other"],
    }
)
MEANING = [
    ("leng(name) > 1", "^", "did you mean length?"),
    ("frobnicate(name)", "^", "unknown function frobnicate"),
    ("length~(name) == 1", "^", "no case-insensitive form"),
    ("length(name, 2) == 1", "^", "write length(text)"),
    ("startsWith(name)", "^", "write startsWith(text, text)"),
    ("startsWith(name, 5)", "                 ^", "argument 2 of startsWith must be text"),
    ("length(pid) == 1", "       ^", "pid, which is long"),
    ("add(name, 1) == 2", "    ^", "must be a number"),
    ('cidrMatch(pid, "10.0.0.0/8")', "          ^", "IP address"),
    ('cidrMatch(ip, "10.0.0.0/99")', "              ^", "network"),
    ("cidrMatch(ip, name)", "              ^", "network"),
    ('cidrMatch(ip, "x")', "              ^", "network"),
    ("wildcard(name, other)", "               ^", "constant text"),
    ("name == other", "        ^", "fields with each other"),
    ("length(name) > length(other)", "               ^", "fields with each other"),
    ("name in (other)", "         ^", "constants"),
    ("name in~ (5)", "          ^", "in~ compares text"),
    ('pid : "5"', "^", "pid is long"),
    ('length(name) : "5"', "^", "is long"),
    ('flag like "t*"', "^", "flag is boolean"),
    ("name", "^", "true or false"),
    ("pid and flag", "^", "true or false"),
    ("not 5", "    ^", "true or false"),
    ("name + 1 == 2", "^", "arithmetic needs numbers"),
    ('pid == "x"', "^", "[x] is not a number"),
    ('ip == "x"', "^", "not an IP address"),
    ('at > "yesterday"', "^", "not a date"),
    ("flag == 5", "^", "neither true nor false"),
    ("flag < true", "^", "no order"),
    ('body : "x"', "^", "text field"),
    ("nmae == 1", "^", "did you mean name?"),
    ("pid == 1 / 0", "       ^", "division by zero"),
    ('pid == number("x")', "       ^", "cannot read"),
    ("pid == 9223372036854775807 + 1", "       ^", "64 bits"),
    ('name regex "(a"', "           ^", "expected ')'"),
    ('name regex ("a", "b[")', "                 ^", "unexpected end"),
]


@pytest.mark.parametrize(("condition", "caret", "message"), MEANING, ids=[condition for condition, _, _ in MEANING])
def test_meaning_error(condition: str, caret: str, message: str) -> None:
    """Catches a query that can never be right and runs all the same, and an error that points elsewhere."""
    with pytest.raises(EqlError) as caught:
        bind(parse(f"any where {condition}"), TYPES)
    assert message in caught.value.message
    assert caught.value.explain().splitlines()[2] == " " * 12 + caret


def test_bad_expression_has_a_place() -> None:
    """Catches an expression read only in part."""
    with pytest.raises(EqlError) as caught:
        parse_expression("1 + 2 3")
    assert caught.value.column == 7


@pytest.mark.parametrize("spec", [{"a": "sausage"}, {"a": {"type": 5}}, {"a": 5}])
def test_wrong_mapping(spec: dict[str, object]) -> None:
    """Catches a mapping that is ignored because it is misspelt."""
    with pytest.raises(EqlError, match="mapping"):
        FieldMapping.of(spec)
