"""How KQL is read, held against the grammar of Kibana (kbn-es-query), and what its errors say."""

import pytest

from evtxscan.errors import EqlError, EqlUnsupportedError
from evtxscan.kql import parse
from evtxscan.kql.ast import And, Condition, Is, Not, Or, Range


def shown(node: Condition | None) -> str:
    """Write a tree with all its parentheses; wildcards as ``%``, quoted values in quotes."""
    if node is None:
        return ""
    if isinstance(node, Not):
        return f"!{shown(node.item)}"
    if isinstance(node, And | Or):
        return f"({(' & ' if isinstance(node, And) else ' | ').join(map(shown, node.items))})"
    if isinstance(node, Range):
        return f"{node.field.path}{node.operator}{node.value.text}"
    assert isinstance(node, Is)
    value = node.value
    if value.pattern is not None:
        text = "".join(part if isinstance(part, str) else "%" for part in value.pattern.parts)
    else:
        text = f'"{value.text}"' if value.quoted else value.text
    return f"{node.field.path}:{text}"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ""),
        (" \n ", ""),
        ("a:b", "a:b"),
        ('a : "b"', 'a:"b"'),
        ("a:b or c:d and e:f", "(a:b | (c:d & e:f))"),
        ("a:b OR c:d AnD not e:f", "(a:b | (c:d & !e:f))"),
        ("NOT a:b and c:d", "(!a:b & c:d)"),
        ("not (a:b and c:d)", "!(a:b & c:d)"),
        ("((a:b))", "a:b"),
        ("(" * 50 + "a:b" + ")" * 50, "a:b"),
        ("a:" + "(" * 50 + "b" + ")" * 50, "a:b"),
        ("a:(b or c)", "(a:b | a:c)"),
        ("a:(b or c and not d)", "(a:b | (a:c & !a:d))"),
        ("a:(b or (c or d))", "(a:b | a:c | a:d)"),
        ("a:(* and not (b or c))", "(a:% & !(a:b | a:c))"),
        ("a:b c", "a:b c"),
        ("a:(b c or d e)", "(a:b c | a:d e)"),
        ("a:  b  ", "a:b"),
        ("a:order or b:nothing and c:android", "(a:order | (b:nothing & c:android))"),
        ("a:knot and b:c", "(a:knot & b:c)"),
        (r"a:x \or y", "a:x or y"),
        (r"a:x\NOT y", "a:xNOT y"),
        (r"a:x\not y", "a:x\not y"),  # a line feed, as in Kibana: its grammar tries white space first
        (r"a:C\:\\Program*\(x86\)\\*.exe", "a:C:\\Program%(x86)\\%.exe"),
        (r"a:\*b", "a:*b"),
        (r"a:\*b*", "a:*b%"),
        ("a:b?c*", "a:b?c%"),
        ('a:"b*"', 'a:"b*"'),
        (r'a:"\"C:\\x\" \y"', 'a:""C:\\x" \\y"'),
        (r'a:"\t\u0041\*"', 'a:"\tA\\*"'),
        (r"a:\u0041\tb", "a:A\tb"),
        ("a > 5 and b<=x", "(a>5 & b<=x)"),
        ("a>= 2020-01", "a>=2020-01"),
        ('a < "x y"', "a<x y"),
        ("a\u00a0:\u00a0b", "a:b"),
        ('"a":b', "a:b"),
        ("a:-s and b:$x", "(a:-s & b:$x)"),
        ("a:true", "a:true"),
    ],
)
def test_reads(query: str, expected: str) -> None:
    assert shown(parse(query)) == expected


@pytest.mark.parametrize(
    ("query", "line", "column", "message"),
    [
        ("a:", 1, 3, "expected a value before the end"),
        ("a:b and", 1, 1, ""),
        ("a:(b or c", 1, 3, "parenthesis is not closed"),
        ("(a:b", 1, 1, "parenthesis is not closed"),
        ("a:b)", 1, 4, "unexpected [)]"),
        ('a:"b', 1, 3, 'quoted text is not closed: " is missing'),
        ("a:b\nand c:(d or )", 2, 13, "expected a value, found [)]"),
        (r"a:\x", 1, 3, r"[\x] is no escape"),
        ("a:b:c", 1, 4, "unexpected [:]"),
        ('a:"b" c:d', 1, 7, "expected 'and' or 'or'"),
        ('a:"b"or c:d', 1, 6, "expected 'and' or 'or' with spaces"),
        ("not(a:b)", 1, 1, "'not' needs a space behind it"),
        ("a > b*", 1, 5, "a range cannot have a wildcard"),
        ("a:b and x y:z", 1, 9, "field name [x y] has a space in it"),
        ("a:not b", 1, 3, "expected a value"),
        ("(" * 51 + "a:b" + ")" * 51, 1, 51, "nested deeper than 50"),
    ],
)
def test_errors_tell_where_and_what(query: str, line: int, column: int, message: str) -> None:
    if not message:
        assert shown(parse(query)) == "a:b and"  # a keyword needs a space behind it
        return
    with pytest.raises(EqlError) as caught:
        parse(query)
    assert message in caught.value.message
    assert (caught.value.line, caught.value.column) == (line, column)
    assert caught.value.explain().endswith("^")


@pytest.mark.parametrize(
    ("query", "column", "message"),
    [
        ("powershell.exe", 1, "values without a field"),
        ('a:b and "x"', 9, "values without a field"),
        ("a:{ b:c }", 3, "nested query on [a]"),
        ("a.*:b", 1, "field name [a.*] has a wildcard"),
        ("* : b", 1, "field name [*] has a wildcard"),
    ],
)
def test_refuses_by_name(query: str, column: int, message: str) -> None:
    with pytest.raises(EqlUnsupportedError) as caught:
        parse(query)
    assert message in caught.value.message
    assert caught.value.column == column
