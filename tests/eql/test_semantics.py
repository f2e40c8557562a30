"""What a query matches: two values, arrays, types, folding, and the leaves that a compiler builds on."""

from typing import Any

import pytest

from evtxscan.eql import FieldMapping, bind, evaluate, parse, run
from evtxscan.eql.predicates import All, AnyOf, Constant, Leaf, LeafKind, Not, Predicate, Required, leaves

DOCUMENTS: list[dict[str, Any]] = [
    {"n": 0},
    {"n": 1, "a": "x", "flag": True, "num": 5},
    {"n": 2, "a": ["x", "Y"], "flag": False, "num": [1, 200]},
    {"n": 3, "a": [], "num": "7", "flag": "true"},
    {"n": 4, "a": [None], "b": {"c": [{"d": "deep"}, {"d": ["er", None]}]}, "num": 5.0},
    {"n": 5, "a": "", "b.c": {"d": "dotted"}},
]


def matching(condition: str, mapping: dict[str, Any] | None = None) -> list[int]:
    """Return the numbers of the documents that a condition matches."""
    return [document["n"] for document in run(f"any where {condition}", DOCUMENTS, mapping=mapping)]  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("true", [0, 1, 2, 3, 4, 5]),
        ("false", []),
        ("null", []),
        ('a == "x"', [1, 2]),
        ('a != "x"', [0, 3, 4, 5]),
        ('not a == "x"', [0, 3, 4, 5]),
        ('a : ("X", "y") and a == "Y"', [2]),
        ("a == null", [0, 3, 4]),
        ("a != null", [1, 2, 5]),
        ("not a != null", [0, 3, 4]),
        ('a : "*"', [1, 2, 5]),
        ('a : "?*"', [1, 2]),
        ('a in ("x", null)', [1, 2]),
        ('a not in ("x")', [0, 3, 4, 5]),
        ("a in (null)", []),
        ("a not in (null)", []),
        ('b.c.d : "DEEP" and b.c.d == "er"', [4]),
        ('b.c.d == "dotted"', [5]),
        ("flag", [1, 3]),
        ("not flag", [0, 2, 4, 5]),
        ("flag == false", [2]),
        ("flag != false", [0, 1, 3, 4, 5]),
        ("num == 5", [1, 4]),
        ('num == "5"', [1, 4]),
        ("num in (1, 7)", [2, 3]),
        ("num > 5", [2, 3]),
        ("num > 100 and num < 100", [2]),
        ("5 < num", [2, 3]),
        ("not num > 5", [0, 1, 4, 5]),
        ("num + 1 == 6", [1, 4]),
        ("length(a) == 1", [1, 2]),
        ("length(a) == null", [0, 3, 4]),
        ("length(a) != null", [1, 2, 5]),
        ("not length(a) > 0", [0, 3, 4, 5]),
        ('startsWith(a, "x") == true', [1, 2]),
        ('startsWith(a, "x") == false', [0, 3, 4, 5]),
        ('startsWith(a, "x") != true', [0, 3, 4, 5]),
        ("(num > 5) == true", [2, 3]),
        ("null == (num > 5)", [0, 5]),
        ('concat(a, "!") : ("X!", "y!")', [1, 2]),
        ('concat(a, string(num)) == "Y200"', [2]),
        ('stringContains(a, "*")', [1, 2, 5]),
        ('endsWith(a, "*")', []),
        ('wildcard~(a, "X*")', [1, 2]),
        ('string(a == "x" or num > 100) == "true"', [1, 2]),
    ],
)
def test_condition(condition: str, expected: list[int]) -> None:
    """Catches SQL's null logic, tests of whole arrays, escaped wildcards, and objects in arrays that are not flat."""
    assert matching(condition) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('?nope : "x"', []),
        ('not ?nope : "x"', []),
        ('a == "x" and not ?nope : "x"', []),
        ('a == "x" or ?nope : "x"', [1, 2]),
        ('not (a == "x" or ?nope : "x")', [0, 3, 4, 5]),
        ('not (a == "x" and ?nope : "x")', []),
        ('(?nope : "x" and a == "x") or num == 7', [3]),
        ("?nope and false", []),
        ("not (?nope and false)", [0, 1, 2, 3, 4, 5]),
        ("not (?nope or false)", []),
        ("?nope == null", [0, 1, 2, 3, 4, 5]),
        ("?nope != null", []),
        ('?nope == "x"', []),
        ('?nope != "x"', [0, 1, 2, 3, 4, 5]),
        ("?nope == ?never", [0, 1, 2, 3, 4, 5]),
        ("?nope", []),
        ("not ?nope", []),
        ("?nope > 5", []),
        ("not ?nope > 5", []),
        ('?nope in ("x")', []),
        ("length(?nope) == null", [0, 1, 2, 3, 4, 5]),
        ('?a : "x"', [1, 2]),
    ],
)
def test_optional_fields_that_are_not_mapped(condition: str, expected: list[int]) -> None:
    """Catches `not ?f : "x"` that matches everything: a null left in a filter prunes it."""
    assert matching(condition, {"fields": ["a", "num", "n"]}) == expected


TYPED: list[dict[str, Any]] = [
    {"n": 0, "ip": "10.0.0.1", "at": "2020-01-01T00:00:00.5Z", "v": "1.2.4", "k": 5, "l": "12"},
    {"n": 1, "ip": "::ffff:10.0.0.2", "at": 1577836801000, "v": "1.11.3", "k": True, "l": 9.0},
    {"n": 2, "ip": "fe80:0:0::1", "at": "2020-01-02", "v": "bad", "k": "text", "l": None},
]
TYPES = {
    "ip": "ip",
    "at": "date",
    "v": "version",
    "k": "keyword",
    "l": {"type": "long", "null_value": -1},
    "n": "integer",
}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('ip == "fe80::1"', [2]),
        ('ip == "10.0.0.0/8"', [0, 1]),
        ('ip in ("10.0.0.1", "fe80::1")', [0, 2]),
        ('ip < "10.0.0.2"', [0]),
        ('cidrMatch(ip, "10.0.0.2")', [1]),
        ('at == "2020-01-01T00:00:00Z"', [0]),
        ('at <= "2020-01-01"', [0, 1]),
        ('at > "2020-01-01"', [2]),
        ('at < "2020-01-01T00:00:01Z"', [0]),
        ("at == 1577836801000", [1]),
        ('string(at) == "2020-01-01T00:00:01.000Z"', [1]),
        ('v > "1.5"', [1, 2]),
        ('v < "1.5.0"', [0]),
        ('v : "1.*"', [0, 1]),
        ("k == 5", [0]),
        ('k in ("5", "true")', [0, 1]),
        ('k > "a"', [1, 2]),
        ("length(k) == 4", [1, 2]),
        ("l > 10", [0]),
        ('l == "9"', [1]),
        ("l == -1", [2]),
        ("l == null", []),
    ],
)
def test_types(condition: str, expected: list[int]) -> None:
    """Catches addresses, dates, versions and numbers compared as text, and a null value that is ignored."""
    documents = run(f"any where {condition}", TYPED, mapping=TYPES)
    assert [document["n"] for document in documents] == expected  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "spec",
    [
        {"a.b": "long", "c": {"type": "keyword", "null_value": "N"}},
        {"types": {"a.b": "integer", "c": "keyword"}, "null_values": {"c": "N"}, "fields": ["a.b", "c"]},
        {"fields": {"a.b": "long", "c": {"type": "wildcard", "null_value": "N"}}},
        {"properties": {"a": {"properties": {"b": {"type": "long"}}}, "c": {"type": "keyword", "null_value": "N"}}},
        {"mappings": {"properties": {"a.b": {"type": "short"}, "c": {"type": "keyword", "null_value": "N"}}}},
    ],
)
def test_forms_of_a_mapping(spec: dict[str, Any]) -> None:
    """Catches a form of the mapping that is read as another."""
    mapping = FieldMapping.of(spec)
    assert (mapping.type_of("a.b"), mapping.type_of("c"), mapping.null_values) == ("long", "keyword", {"c": "N"})
    assert mapping.exists("other") is ("a.b" in spec)


def tree(condition: str, mapping: dict[str, Any] | None = None) -> Predicate:
    """Bind a condition and return its tree."""
    bound = bind(parse(f"any where {condition}"), mapping)
    return bound.event.condition  # type: ignore[union-attr]


def test_shape_of_the_tree() -> None:
    """Catches binary nesting, double negation and constants left inside: a compiler relies on none of them there."""
    found = tree('(a == 1 and b : "x") and (true and not not c like "y*") and not (d > 2 or (e != null or false))')
    assert isinstance(found, All)
    assert [type(item) for item in found.items] == [Leaf, Leaf, Leaf, Not]
    assert isinstance(found.items[3], Not)
    assert isinstance(found.items[3].item, AnyOf)
    assert [leaf.kind for leaf in leaves(found)] == ["equal", "glob", "glob", "order", "exists"]
    assert tree("1 == 1 or a == 2") == Constant(True)
    assert tree("1 == 2 and a == 2") == Constant(False)
    assert tree("not (null == 5)") == Constant(True)


@pytest.mark.parametrize(
    ("condition", "kind", "details"),
    [
        ('a.b : ("X*", "y")', LeafKind.GLOB, (("X*", "y"), "", True)),
        ('a like "x"', LeafKind.GLOB, (("x",), "", False)),
        ('a == "x*"', LeafKind.EQUAL, (("x*",), "==", False)),
        ('a in~ ("x", "y")', LeafKind.EQUAL, (("x", "y"), "==", True)),
        ("a", LeafKind.EQUAL, ((True,), "==", False)),
        ("3 < a", LeafKind.ORDER, ((3,), ">", False)),
        ('a regex~ "x.*"', LeafKind.REGEXP, (("x.*",), "", True)),
        ('cidrMatch(a, "10.0.0.0/8")', LeafKind.NETWORK, (("10.0.0.0/8",), "", False)),
        ('startsWith~(a, "x")', LeafKind.GLOB, (("x*",), "", True)),
        ('endsWith(a, "x")', LeafKind.GLOB, (("*x",), "", False)),
        ('stringContains~(a, "x")', LeafKind.GLOB, (("*x*",), "", True)),
        ('startsWith(a, "x*")', LeafKind.SCRIPT, ((), "", False)),
        ("a != null", LeafKind.EXISTS, ((), "", False)),
        ("startsWith(a, b)", LeafKind.SCRIPT, ((), "", False)),
    ],
)
def test_leaves_describe_themselves(condition: str, kind: LeafKind, details: tuple[Any, ...]) -> None:
    """Catches a leaf whose description is not what it tests: the SQL compiler reads the description."""
    [leaf] = leaves(tree(condition))
    assert leaf.kind is kind
    assert (leaf.constants, leaf.operator, leaf.insensitive) == details
    assert leaf.source == condition


def test_leaf_of_one_field() -> None:
    """Catches wrong values named in a finding and a bulk test that differs from the single one."""
    [leaf] = leaves(tree('process.args : ("usosvc", "*.exe")'))
    assert leaf.fields == ("process.args",)
    assert leaf.test([("-s", "UsoSvc")])
    assert leaf.matched([("-s", "UsoSvc", "a.EXE")]) == ("UsoSvc", "a.EXE")
    assert not leaf.test([()])
    assert leaf.matched([()]) == ()
    assert leaf.test_scalars(["UsoSvc", "x", "y.exe"]) == [True, False, True]
    assert leaf.globs == ("usosvc", "*.exe")
    assert leaf.required == Required(parts=(".exe",), wholes=("usosvc",))


@pytest.mark.parametrize(
    ("condition", "globs", "required"),
    [
        ('a == "x"', ("x",), Required(wholes=("x",))),
        ('a == "x*"', (), Required(wholes=("x*",))),
        ('a in ("x", "")', ("x", ""), Required(wholes=("x", ""))),
        ("a == 5", (), None),
        ('a : ("x", "*")', ("x", "*"), None),
        ('a : ("x", "x*y?")', ("x", "x*y?"), Required(("x",), ("x",))),
        ('a regex "x"', (), Required(parts=("x",))),
    ],
)
def test_hints_for_a_prefilter(condition: str, globs: tuple[str, ...], required: Required | None) -> None:
    """Catches a hint that loses matches: an equality's star is no wildcard, and `*` needs no literal."""
    [leaf] = leaves(tree(condition))
    assert (leaf.globs, leaf.required) == (globs, required)


@pytest.mark.parametrize("condition", ['a == "x"', 'a in~ ("X", "y")', 'a > "m"', 'a regex "[xy]"', "length(a) == 1"])
def test_bulk_equals_single(condition: str) -> None:
    """Catches a bulk test that differs from the single one."""
    [leaf] = leaves(tree(condition))
    values = ["x", "X", "", "y", "zz", "É"]
    assert leaf.test_scalars(values) == [leaf.test([(value,)]) for value in values]


def test_leaf_of_several_fields() -> None:
    """Catches values paired by position in place of all combinations, and a missing field that hides the others."""
    [leaf] = leaves(tree("startsWith(b, a)"))
    assert leaf.fields == ("b", "a")
    assert leaf.test([("xx", "yy"), ("q", "y")])
    assert leaf.matched([("xx", "yy"), ("q", "y")]) == (("yy", "y"),)
    assert not leaf.test([("xx",), ()])
    [absent] = leaves(tree("concat(a, b) == null"))
    assert absent.test([("x",), ()])


def test_key_tells_tests_apart() -> None:
    """Catches results shared between tests that differ only in case, type of a constant, field or operator."""
    conditions = [
        'a : "x"', 'b : "x"', 'a like "x"', 'a == "x"', "a == 1", "a == true", "a == 1.0", "a > 1", "a >= 1",
        "a != null", "length(a) == 1", "length(a) == 2",
    ]  # fmt: skip
    keys = [leaf.key for condition in conditions for leaf in leaves(tree(condition))]
    assert len(set(keys)) == len(conditions)
    assert leaves(tree('a : "x"'))[0].key == leaves(tree('true and a  :  ("x")'))[0].key


def test_bound_query() -> None:
    """Catches fields left out (a compiler loads what is named) and a category that is not tested."""
    bound = bind(parse('process where a.b == 1 and ?c : "x" and length(d) > 1'), category_field="kind")
    assert bound.fields == ("kind", "a.b", "c", "d")
    first = leaves(bound.event.predicate)[0]  # type: ignore[union-attr]
    assert (first.fields, first.constants, first.source) == (("kind",), ("process",), 'kind == "process"')
    sequence = bind(parse("sequence by k with maxspan=1s [a where x == 1] by y [b where true] by z"))
    assert sequence.fields == ("k", "y", "event.category", "x", "z")


def test_evaluate() -> None:
    """Catches an expression on a document that is answered with three values, or with the first value only."""
    document = {"a": ["x", "yy"], "p": {"q": 3}}
    assert evaluate("p.q + 1", document) == 4
    assert evaluate("length(a)", document) == [1, 2]
    assert evaluate("a", document) == ["x", "yy"]
    assert evaluate("nope", document) is None
    assert evaluate("nope") is None
    assert evaluate('not nope : "x"', document) is True
    assert evaluate('nope : "x"', document) is False
    assert evaluate('p.q > 2 and a : "X"', document) is True
