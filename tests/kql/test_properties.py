"""Queries made at random, held against an evaluator that does the obvious thing."""

import re
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from evtxscan.eql.predicates import Leaf, leaves
from evtxscan.eql.scalars import fold_ascii
from evtxscan.errors import EqlError
from evtxscan.kql import bind, parse, run
from evtxscan.kql.analysis import powershell_tokens
from evtxscan.kql.wildcards import Pattern, Wild, matcher, read_dsl_pattern

Values = list[str]
Test = Callable[[dict[str, Values]], bool]
SCRIPT = "powershell.file.script_block_text"
# Few letters, so that values meet; every character that KQL, patterns or regular expressions treat as special.
ALPHABET = 'aAb-*?\\"():<>{} .n\u212aé'
TEXTS = st.text(ALPHABET, max_size=5)
PLAIN = st.text(ALPHABET, min_size=1, max_size=4).filter(lambda text: text == text.strip())


def unquoted(text: str) -> str:
    """Write a text so that KQL reads every character of it as itself."""
    return re.sub(r'([\\():<>"*{}])', r"\\\1", text)


def quoted(text: str) -> str:
    """Write a text as a quoted value."""
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def naive_fit(parts: tuple[str | Wild, ...], text: str) -> bool:
    """Match a pattern by trying everything."""
    if not parts:
        return not text
    head, rest = parts[0], parts[1:]
    if head is Wild.ANY:
        return any(naive_fit(rest, text[cut:]) for cut in range(len(text) + 1))
    if head is Wild.ONE:
        return bool(text) and naive_fit(rest, text[1:])
    assert isinstance(head, str)
    return text.startswith(head) and naive_fit(rest, text[len(head) :])


@st.composite
def values(draw: st.DrawFn) -> tuple[str, Callable[[str], bool]]:
    """Draw a value as KQL writes it, with its test of one value of a keyword."""
    kind = draw(st.sampled_from(["quoted", "plain", "pattern"]))
    if kind == "quoted":
        text = draw(TEXTS)
        return quoted(text), lambda value: value == text
    if kind == "plain":
        text = draw(PLAIN)
        return unquoted(text), lambda value: value == text
    pieces = [draw(PLAIN) if draw(st.booleans()) else "" for _ in range(draw(st.integers(2, 3)))]
    parts: list[str | Wild] = []
    for piece in pieces:
        parts += [piece, Wild.ANY] if piece else [Wild.ANY]
    parts.pop()
    if Wild.ANY not in parts or not parts:
        parts.append(Wild.ANY)
    written = "".join(unquoted(part) if isinstance(part, str) else "*" for part in parts)
    return written, lambda value: naive_fit(tuple(parts), value)


@st.composite
def lists(draw: st.DrawFn, depth: int = 2) -> tuple[str, Callable[[Values], bool]]:
    """Draw a value or a list of values, with its test of all values of a field."""
    if depth == 0 or draw(st.booleans()):
        written, fits = draw(values())
        return written, lambda found: any(map(fits, found))
    items = [draw(lists(depth=depth - 1)) for _ in range(draw(st.integers(1, 3)))]
    negations = [draw(st.booleans()) for _ in items]
    word = draw(st.sampled_from([" or ", " AND "]))
    text = word.join(("not " if no else "") + item for no, (item, _) in zip(negations, items, strict=True))
    combine = any if word == " or " else all
    return f"({text})", lambda found: combine(
        test(found) is not no for no, (_, test) in zip(negations, items, strict=True)
    )


@st.composite
def conditions(draw: st.DrawFn, depth: int = 2) -> tuple[str, Test]:
    """Draw a condition over the fields x and y, with its test of a document."""
    if depth == 0 or draw(st.booleans()):
        field = draw(st.sampled_from("xy"))
        written, test = draw(lists())
        return f"{field}:{written}", lambda document: test(document.get(field, []))
    items = [draw(conditions(depth=depth - 1)) for _ in range(draw(st.integers(1, 3)))]
    negations = [draw(st.booleans()) for _ in items]
    word = draw(st.sampled_from([" OR ", "\nand "]))
    text = word.join(("NOT " if no else "") + item for no, (item, _) in zip(negations, items, strict=True))
    combine = any if word == " OR " else all
    return f"({text})", lambda document: combine(
        test(document) is not no for no, (_, test) in zip(negations, items, strict=True)
    )


def _is_let_through(leaf: Leaf, text: str) -> bool:
    """Whether what the leaf says of the texts that pass it leaves this one in."""
    required, folded = leaf.required, fold_ascii(text)
    if required is None:
        return True
    is_whole = folded in map(fold_ascii, required.wholes)
    return is_whole or any(fold_ascii(part) in folded for part in required.parts)


@given(conditions(), st.lists(st.dictionaries(st.sampled_from("xy"), st.lists(TEXTS, max_size=3)), max_size=4))
def test_a_query_matches_what_the_obvious_evaluator_does(
    condition: tuple[str, Test], documents: list[dict[str, Any]]
) -> None:
    text, naive = condition
    assert run(text, documents) == [document for document in documents if naive(document)]


@given(st.lists(values(), min_size=1, max_size=4), st.lists(TEXTS, max_size=4))
def test_tests_in_bulk_are_the_same_tests(listed: list[tuple[str, Any]], texts: list[str]) -> None:
    """What the SQL compiler asks of distinct values, and what it may pass over."""
    for leaf in leaves(bind(f"x:({' or '.join(written for written, _ in listed)})").event.predicate):
        answers = leaf.test_scalars(texts)
        assert answers == [leaf.test([(text,)]) for text in texts]
        assert all(_is_let_through(leaf, text) for text, yes in zip(texts, answers, strict=True) if yes)


@given(st.lists(values(), min_size=1, max_size=3), st.lists(TEXTS, min_size=1, max_size=4))
def test_no_script_is_passed_over_that_matches(listed: list[tuple[str, Any]], texts: list[str]) -> None:
    """Catches a literal that a matching text need not contain: such a script would never be looked at."""
    try:
        tree = bind(f"{SCRIPT}:({' or '.join(written for written, _ in listed)})").event.predicate
    except EqlError:  # a pattern with a space in it
        return
    for leaf in leaves(tree):
        for text in texts:
            assert _is_let_through(leaf, text) or not leaf.test([(text,)])


@given(TEXTS, TEXTS)
def test_a_phrase_is_a_run_of_tokens(value: str, text: str) -> None:
    wanted, tokens = powershell_tokens(value), powershell_tokens(text)
    found = any(wanted == tokens[at : at + len(wanted)] for at in range(len(tokens))) and bool(wanted)
    assert bool(run(f"{SCRIPT}:{quoted(value)}", [{SCRIPT: text}])) is found


@given(TEXTS, TEXTS)
def test_an_unquoted_value_is_any_of_its_tokens(value: str, text: str) -> None:
    if value.strip() and value == value.strip():
        found = not set(powershell_tokens(value)).isdisjoint(powershell_tokens(text))
        assert bool(run(f"{SCRIPT}:{unquoted(value)}", [{SCRIPT: text}])) is found


@given(st.text(ALPHABET, max_size=6), TEXTS)
def test_patterns_of_the_query_dsl_have_escapes(pattern: str, text: str) -> None:
    parsed = read_dsl_pattern(pattern)
    assert matcher([parsed])(text) is naive_fit(parsed.parts, text)
    assert read_dsl_pattern(parsed.written) == parsed


@given(st.lists(st.one_of(PLAIN, st.sampled_from(Wild)), max_size=5), TEXTS)
def test_patterns_match_what_trying_everything_does(parts: list[str | Wild], text: str) -> None:
    assert matcher([Pattern(tuple(parts))])(text) is naive_fit(tuple(parts), text)


@given(st.text('ab:()"\\ ornotd*<>{}\n', max_size=20))
def test_any_text_parses_or_is_an_error_with_a_place(text: str) -> None:
    try:
        parse(text)
    except EqlError as error:
        assert error.line >= 1
        assert 1 <= error.column <= len(error.excerpt) + 1
