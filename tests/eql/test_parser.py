"""The syntax tree: shape, precedence and the place of every node."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evtxscan.eql import parse, parse_expression
from evtxscan.eql.ast import (
    And,
    Arith,
    Call,
    Compare,
    EventQuery,
    Expr,
    Field,
    Literal,
    Match,
    Membership,
    Negate,
    Not,
    Or,
    SequenceQuery,
)

ESCAPED = {"\t": "\\t", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def shape(expr: Expr) -> object:
    """Write a tree as nested tuples without places."""
    match expr:
        case Literal():
            return expr.value
        case Field():
            return ("?" if expr.optional else "") + f"<{expr.path}>"
        case Not():
            return ("not", shape(expr.item))
        case And() | Or():
            return (type(expr).__name__.lower(), *map(shape, expr.items))
        case Compare():
            return (expr.op, shape(expr.left), shape(expr.right))
        case Match():
            return (expr.op + "~" * expr.insensitive, shape(expr.value), *map(shape, expr.patterns))
        case Membership():
            return ("in" + "~" * expr.insensitive, shape(expr.value), *map(shape, expr.items))
        case Call():
            return (expr.name + "~" * expr.insensitive, *map(shape, expr.args))
        case Negate():
            return ("-", shape(expr.operand))
        case Arith():
            return (shape(expr.first), *((operator, shape(item)) for operator, item in expr.rest))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a and b or not c and d", ("or", ("and", "<a>", "<b>"), ("and", ("not", "<c>"), "<d>"))),
        ("not a == 1", ("not", ("==", "<a>", 1))),
        ("not a and b", ("and", ("not", "<a>"), "<b>")),
        ("1 + 2 * a - 3", (1, ("+", (2, ("*", "<a>"))), ("-", 3))),
        ("a + 1 > b - 2", (">", ("<a>", ("+", 1)), ("<b>", ("-", 2)))),
        ("-a + 100 == 18", ("==", (("-", "<a>"), ("+", 100)), 18)),
        ("-5 < +3", ("<", -5, 3)),
        ('a : "x" and b like~ ("y", "z")', ("and", (":~", "<a>", "x"), ("like~", "<b>", "y", "z"))),
        ('a regex "x.*" or b regex~ "y"', ("or", ("regex", "<a>", "x.*"), ("regex~", "<b>", "y"))),
        ('a not in ("x", null)', ("not", ("in", "<a>", "x", None))),
        ("not a in~ (1)", ("not", ("in~", "<a>", 1))),
        ('string(a) : "1" == true', ("==", (":~", ("string", "<a>"), "1"), True)),
        ("startsWith~(?a.b, c.`d-e`)", ("startsWith~", "?<a.b>", "<c.d-e>")),
        ("(a or b) and c", ("and", ("or", "<a>", "<b>"), "<c>")),
        ("`any` == `x``y`", ("==", "<any>", "<x`y>")),
        ("event.sequence == 1.5e3", ("==", "<event.sequence>", 1500.0)),
        ("a // b\n == /* c /* nested */ */ .5", ("==", "<a>", 0.5)),
        ("@timestamp == 0", ("==", "<@timestamp>", 0)),
    ],
)
def test_shape(text: str, expected: object) -> None:
    """Catches wrong precedence, lost negation, a comment or a quoted name read as something else."""
    assert shape(parse_expression(text)) == expected


def nodes(expr: Expr) -> list[Expr]:
    """Return a node and all below it."""
    below: list[Expr] = []
    match expr:
        case Not():
            below = [expr.item]
        case And() | Or():
            below = list(expr.items)
        case Compare():
            below = [expr.left, expr.right]
        case Match():
            below = [expr.value, *expr.patterns]
        case Membership():
            below = [expr.value, *expr.items]
        case Call():
            below = list(expr.args)
        case Negate():
            below = [expr.operand]
        case Arith():
            below = [expr.first, *(item for _, item in expr.rest)]
    return [expr, *(node for item in below for node in nodes(item))]


def test_every_node_knows_its_text() -> None:
    """Catches a place that is off by a parenthesis, a space or a token: findings quote tests by their place."""
    text = '  (a + 1) == 2 and not (b : ("x", "y") or length( c ) in (3, -4))  '
    assert [text[node.start : node.end] for node in nodes(parse_expression(text))] == [
        '(a + 1) == 2 and not (b : ("x", "y") or length( c ) in (3, -4))',
        "(a + 1) == 2",
        "a + 1",
        "a",
        "1",
        "2",
        'not (b : ("x", "y") or length( c ) in (3, -4))',
        'b : ("x", "y") or length( c ) in (3, -4)',
        'b : ("x", "y")',
        "b",
        '"x"',
        '"y"',
        "length( c ) in (3, -4)",
        "length( c )",
        "c",
        "3",
        "-4",
    ]


def test_sequence() -> None:
    """Catches keys, runs, missing terms, until or pipes lost or attached to the wrong term."""
    text = (
        "sequence by host.id, ?user.id with maxspan=5m\n"
        '  [process where a == 1] by pid\n  ![any where true] by b\n  ["file" where false] by c with runs=3\n'
        "until [network where true] by d\n| head 10 | tail 2"
    )
    query = parse(text)
    assert isinstance(query, SequenceQuery)
    assert (query.kind, query.maxspan) == ("sequence", 300_000)
    assert [(key.path, key.optional) for key in query.keys] == [("host.id", False), ("user.id", True)]
    assert [(term.event.category, term.missing, term.runs, term.keys[0].path) for term in query.terms] == [
        ("process", False, 1, "pid"),
        (None, True, 1, "b"),
        ("file", False, 3, "c"),
    ]
    assert query.until is not None
    assert query.until.keys[0].path == "d"
    assert [(pipe.name, pipe.count) for pipe in query.pipes] == [("head", 10), ("tail", 2)]
    assert text[query.terms[1].start : query.terms[1].end] == "![any where true] by b"


@pytest.mark.parametrize(
    ("unit", "milliseconds"), [("ms", 2), ("s", 2_000), ("m", 120_000), ("h", 7_200_000), ("d", 172_800_000)]
)
def test_units_of_maxspan(unit: str, milliseconds: int) -> None:
    """Catches a factor of sixty in a unit."""
    query = parse(f"sequence with maxspan=2{unit} [a where true] [b where true]")
    assert isinstance(query, SequenceQuery)
    assert query.maxspan == milliseconds


def test_event_query() -> None:
    """Catches a category read as a keyword, and `any` kept as a category."""
    query = parse("any where true")
    assert isinstance(query, EventQuery)
    assert (query.kind, query.event.category) == ("event", None)
    assert parse("process where true | head 1").pipes[0].count == 1


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (r'"a\tb\\c\"d\'e"', "a\tb\\c\"d'e"),
        (r'"\w\d"', r"\w\d"),
        (r'"\u{200f}\u{0001F600}"', "\u200f\U0001f600"),
        (r'"""C:\n"*"""', 'C:\\n"*'),
        ('"""a""""', 'a"'),
        ('"""a"""""', 'a""'),
        ('""""""', ""),
        ('""', ""),
        (r'"C:\\Windows\\*"', "C:\\Windows\\*"),
    ],
)
def test_strings(written: str, text: str) -> None:
    """Catches escapes resolved in raw strings, unknown escapes without their backslash, closing quotes miscounted."""
    assert shape(parse_expression(written)) == text


@given(st.text(st.characters(codec="utf-8")))
def test_escaped_string_round_trip(text: str) -> None:
    """Catches an escape that is resolved twice or not at all, for any text."""
    written = "".join(ESCAPED.get(char, char) for char in text)
    assert shape(parse_expression(f'"{written}"')) == text


@given(st.text(st.characters(codec="utf-8"), max_size=5))
def test_code_point_escapes_round_trip(text: str) -> None:
    """Catches a wrong number of digits or a wrong base in \\u{...}."""
    written = "".join(f"\\u{{{ord(char):04x}}}" for char in text)
    assert shape(parse_expression(f'"{written}"')) == text


def test_long_lists_and_chains_are_flat() -> None:
    """Catches binary nodes: the largest rule has 2,697 strings, far beyond the recursion limit."""
    count = 5000
    names = ", ".join(f'"n{i}"' for i in range(count))
    listed = parse_expression(f"a : ({names}) and b in ({names})")
    assert isinstance(listed, And)
    chain = parse_expression(" or ".join(f"a == {i} and b" for i in range(count)))
    assert isinstance(chain, Or)
    assert len(chain.items) == count
    total = parse_expression(" + ".join(map(str, range(count))))
    assert isinstance(total, Arith)
    assert len(total.rest) == count - 1
