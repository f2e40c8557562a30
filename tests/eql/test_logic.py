"""Two values and three: Kleene's logic against every way in which missing values could be filled in."""

from collections.abc import Callable
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from evtxscan.eql import bind, parse
from evtxscan.eql.logic import evidence_of, kleene, matches, relies_on_missing, truth_of, unknown_fields
from evtxscan.eql.predicates import Predicate, Values

FIELDS = ["a", "b", "c", "d", "e"]
Document = dict[str, str]


def tree(condition: str) -> Predicate:
    """Bind a condition."""
    return bind(parse(f"any where {condition}")).event.condition  # type: ignore[union-attr]


def lookup(document: Document) -> Callable[[str], Values]:
    """Return the lookup in a document."""
    return lambda field: (document[field],) if field in document else ()


def completions(document: Document) -> list[Document]:
    """Return the document with every missing field filled in, in all ways: each test passes for 1 and fails for 0."""
    missing = [field for field in FIELDS if field not in document]
    return [document | dict(zip(missing, values, strict=True)) for values in product("01", repeat=len(missing))]


def elastic(condition: Predicate, document: Document) -> bool:
    """Evaluate with two values."""
    return matches(condition, truth_of(lookup(document)))


def conditions(fields: list[str]) -> st.SearchStrategy[str]:
    """Return conditions that name each field at most once."""
    tests = st.sampled_from(['{} == "1"', '{} : "1*"', 'not {} == "1"', '{} != "0"', "length({}) == 1", '{} in ("1")'])
    if len(fields) == 1:
        return tests.map(lambda test: test.format(fields[0]))
    return st.integers(1, len(fields) - 1).flatmap(
        lambda cut: st.builds(
            "{}({} {} {})".format,
            st.sampled_from(["", "not "]),
            conditions(fields[:cut]),
            st.sampled_from(["and", "or"]),
            conditions(fields[cut:]),
        )
    )


DOCUMENTS = st.dictionaries(st.sampled_from(FIELDS), st.sampled_from("01"))


@given(conditions(FIELDS).filter(lambda text: "length" not in text), DOCUMENTS)
def test_kleene_is_what_all_completions_agree_on(condition: str, document: Document) -> None:
    """Catches each operator's table: known means that no missing value could change it, unknown that one could."""
    answers = {elastic(tree(condition), filled) for filled in completions(document)}
    expected = answers.pop() if len(answers) == 1 else None
    assert kleene(tree(condition), evidence_of(lookup(document))) is expected


@given(st.lists(conditions(FIELDS), min_size=1, max_size=3), DOCUMENTS)
def test_known_is_never_wrong(texts: list[str], document: Document) -> None:
    """Catches, for conditions that name fields repeatedly, an answer that a missing value could overturn."""
    condition = tree(" and ".join(texts))
    value = kleene(condition, evidence_of(lookup(document)))
    if value is not None:
        assert {elastic(condition, filled) for filled in completions(document)} == {value}


@given(conditions(FIELDS).filter(lambda text: "length" not in text), DOCUMENTS)
def test_unknown_fields_are_those_that_could_decide(condition: str, document: Document) -> None:
    """Catches a field blamed whose value would not matter, and one left out."""
    found = tree(condition)
    named = unknown_fields(found, evidence_of(lookup(document)), lambda field: field not in document)
    decisive = set()
    for filled in completions(document):
        for field in set(FIELDS) - set(document):
            if elastic(found, filled | {field: "0"}) is not elastic(found, filled | {field: "1"}):
                decisive.add(field)
    assert set(named) == decisive
    assert len(named) == len(decisive)


@given(st.lists(conditions(FIELDS), min_size=1, max_size=2), DOCUMENTS)
def test_a_match_does_not_rely_on_missing_fields_that_are_not_named(texts: list[str], document: Document) -> None:
    """Catches a field left out of what a match relies on: filling in all others must not undo it."""
    condition = tree(" or ".join(texts))
    judge, truth = evidence_of(lookup(document)), truth_of(lookup(document))
    named = relies_on_missing(condition, truth, judge, lambda field: field not in document)
    if not elastic(condition, document) or kleene(condition, judge) is True:
        assert named == ()
        return
    assert named
    for filled in completions(document):
        kept = {field: value for field, value in filled.items() if field in document or field not in named}
        assert elastic(condition, kept)


def test_null_checks_of_missing_fields_are_unknown() -> None:
    """Catches `f == null` taken as evidence: an event that lacks a field says nothing about what happened."""
    for condition in ("a == null", "a != null", "not a == null", 'not a : "x"', "length(a) == null"):
        assert kleene(tree(condition), evidence_of(lookup({}))) is None
    assert elastic(tree("a == null"), {})


def test_a_test_of_two_fields_needs_both() -> None:
    """Catches a leaf called known while one of its fields is missing."""
    assert kleene(tree("startsWith(a, b)"), evidence_of(lookup({"a": "1"}))) is None
    assert kleene(tree("startsWith(a, b)"), evidence_of(lookup({"a": "1", "b": "1"}))) is True


def test_what_does_not_matter_is_not_named() -> None:
    """Catches fields named from a branch that is decided, or that supports no match."""
    document = {"a": "1"}
    judge, truth = evidence_of(lookup(document)), truth_of(lookup(document))

    def missing(field: str) -> bool:
        return field not in document

    assert unknown_fields(tree("a == 0 and b == 1"), judge, missing) == ()
    assert unknown_fields(tree("a == 1 and (b == 1 or (a == 0 and c == 1))"), judge, missing) == ("b",)
    assert relies_on_missing(tree("not b == 1 or c == 1"), truth, judge, missing) == ("b",)
    assert relies_on_missing(tree("not (b == 1 and c == 1)"), truth, judge, missing) == ("b", "c")
    assert relies_on_missing(tree("a == 1 or not b == 1"), truth, judge, missing) == ()


def test_leaves_may_be_judged_by_the_caller() -> None:
    """Catches an evaluation that looks at values itself: a caller may hold a known value for weak."""
    condition = tree('a == "1" and b == "1"')
    recorded = evidence_of(lookup({"a": "1", "b": "1"}))
    assert kleene(condition, recorded) is True
    assert kleene(condition, lambda leaf: None if "b" in leaf.fields else recorded(leaf)) is None
    weak = unknown_fields(
        condition, lambda leaf: None if "b" in leaf.fields else recorded(leaf), lambda field: field == "b"
    )
    assert weak == ("b",)
