"""Query DSL filters of rules: what each kind of query asks, and what is refused."""

from typing import Any

import pytest

from evtxscan.eql.documents import reader
from evtxscan.eql.logic import matches, truth_of
from evtxscan.eql.mapping import FieldMapping, Type
from evtxscan.eql.predicates import all_of, leaves
from evtxscan.rules.filters import read_filters
from evtxscan.rules.kuery import read_rule_query
from evtxscan.rules.rule import parse_rule

MAPPING = FieldMapping({"pid": Type.LONG, "message": Type.TEXT})
DOCUMENTS: list[dict[str, Any]] = [
    {},
    {"path": "C:\\Program Files\\x.exe", "pid": 4},
    {"path": "c:\\temp\\a*b.exe", "pid": [5, 6], "message": "An account logged on"},
    {"path": ["D:\\y", "c:\\TEMP\\z"], "message": "logged an account"},
]


def matching(*filters: dict[str, Any]) -> list[int]:
    """Return the numbers of the documents that pass the filters."""
    tree = all_of(read_filters(filters, MAPPING))
    return [number for number, document in enumerate(DOCUMENTS) if matches(tree, truth_of(reader(document, MAPPING)))]


def wildcard(value: str, **options: object) -> dict[str, Any]:
    """Make a wildcard query on path."""
    return {"wildcard": {"path": {"value": value, **options}}}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (wildcard("?:\\\\program?files\\\\*", case_insensitive=True), [1]),
        (wildcard("?:\\\\program?files\\\\*"), []),
        (wildcard("*\\**"), [2]),
        (wildcard("*a\\*B*", case_insensitive=True), [2]),
        (wildcard("c:\\\\temp\\\\*", case_insensitive=True), [2, 3]),
        ({"wildcard": {"path": {"wildcard": "D*", "boost": 1.0}}}, [3]),
        ({"wildcard": {"path": "D*"}}, [3]),
        ({"prefix": {"path": {"value": "C:"}}}, [1]),
        ({"prefix": {"path": {"value": "C:", "case_insensitive": True}}}, [1, 2, 3]),
        ({"prefix": {"path": "c:\\temp\\a*"}}, [2]),
        ({"term": {"path": "D:\\y"}}, [3]),
        ({"term": {"path": {"value": "d:\\Y", "case_insensitive": True}}}, [3]),
        ({"terms": {"pid": [4, 6]}}, [1, 2]),
        ({"terms": {"pid": []}}, []),
        ({"match": {"pid": {"query": 5}}}, [2]),
        ({"match": {"message": "account x"}}, [2, 3]),
        ({"match_phrase": {"message": "account logged"}}, [2]),
        ({"match_phrase": {"message": {"query": "an account"}}}, [2, 3]),
        ({"exists": {"field": "pid"}}, [1, 2]),
        ({"range": {"pid": {"gte": 5, "lt": 6}}}, [2]),
        ({"match_all": {}}, [0, 1, 2, 3]),
        ({"match_none": {}}, []),
        ({"bool": {"should": [{"term": {"pid": 4}}, {"term": {"pid": 5}}]}}, [1, 2]),
        ({"bool": {"must": {"exists": {"field": "path"}}, "should": [{"term": {"pid": 4}}]}}, [1, 2, 3]),
        (
            {
                "bool": {
                    "filter": [{"exists": {"field": "path"}}],
                    "should": [{"term": {"pid": 4}}],
                    "minimum_should_match": 1,
                }
            },
            [1],
        ),
        ({"bool": {"must_not": [{"exists": {"field": "message"}}]}}, [0, 1]),
    ],
)
def test_queries(query: dict[str, Any], expected: list[int]) -> None:
    assert matching({"meta": {}, "query": query}) == expected
    opposite = [number for number in range(4) if number not in expected]
    assert matching({"meta": {"negate": True}, "query": query}) == opposite


def test_all_filters_have_to_hold_and_disabled_ones_do_not_count() -> None:
    pid = {"query": {"exists": {"field": "pid"}}}
    path = {"meta": {"negate": True}, "query": {"prefix": {"path": "C:"}}}
    assert matching(pid, path) == [2]
    assert matching(pid, {**path, "meta": {"disabled": True}}) == [1, 2]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"query": {"geo_shape": {}}}, "filter 1: query geo_shape is not supported"),
        ({"exists": {"field": "x"}}, "it has no query; exists is not supported"),
        ({"query": {"term": {"message": "x"}}}, "use match or match_phrase"),
        ({"query": {"term": {"pid": "x"}}}, "[x] is not a number"),
        ({"query": {"wildcard": {"pid": "4*"}}}, "pid is long; wildcards"),
        ({"query": {"match": {"x": {"query": "y", "operator": "and"}}}}, "option operator of match is not supported"),
        ({"query": {"wildcard": {"x": {"case_insensitive": True}}}}, "wildcard on x has no value"),
        ({"query": {"bool": {"minimum_should_match": 2}}}, "has to be 0 or 1"),
        ({"query": {"range": {"pid": {"format": "x"}}}}, "range on pid has none of gt"),
        ({"query": {"range": {"pid": {"gt": 1, "format": "x"}}}}, "option format of range"),
        ({"query": {"term": {"a": "b"}, "exists": {}}}, "one entry"),
    ],
)
def test_refuses_by_name(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="filter 1") as caught:
        read_filters([entry], MAPPING)
    assert message in str(caught.value)


RULE = rb"""
[rule]
rule_id = "1"
name = "n"
type = "new_terms"
language = "kuery"
severity = "low"
risk_score = 1
query = 'event.category:process and process.name:x.exe'
[[rule.filters]]
[rule.filters.meta]
negate = true
[rule.filters.query.wildcard."file.path"]
case_insensitive = true
value = "?:\\\\temp\\\\*"
[rule.new_terms]
field = "new_terms_fields"
value = ["host.id", "user.id"]
[[rule.new_terms.history_window_start]]
field = "history_window_start"
value = "now-7d"
"""


def test_a_rule_asks_for_its_query_and_its_filters() -> None:
    rule = parse_rule(RULE, "r.toml")
    bound = read_rule_query(rule)
    assert bound.fields == ("event.category", "process.name", "file.path")
    assert bound.event.category == "process"
    assert [leaf.globs for leaf in leaves(bound.event.predicate)][-1] == ("?:\\temp\\*",)
    assert rule.new_terms is not None
    assert rule.new_terms.fields == ("host.id", "user.id")
    assert rule.new_terms.history == 7 * 86_400_000
