"""What a query matches: keywords, texts, sub-fields, patterns, ranges, missing fields and arrays."""

from typing import Any

import pytest

from evtxscan.eql.predicates import All, Constant, Leaf, LeafKind, leaves
from evtxscan.errors import EqlError
from evtxscan.kql import bind, read_kql, run
from evtxscan.kql.analysis import powershell_tokens, standard_tokens

SCRIPT = "powershell.file.script_block_text"
DOCUMENTS: list[dict[str, Any]] = [
    {"n": 0},
    {"n": 1, "a": "Cmd.exe", "num": 5, "flag": True, "ip": "10.1.2.3", "at": "2024-05-04T10:00:00Z"},
    {"n": 2, "a": ["cmd.exe", "x y"], "num": [1, 200], "flag": "false", "ip": "::1", "at": "2024-06-01T00:00:00Z"},
    {"n": 3, "a": "C:\\Program Files (x86)\\a*b?.exe", "num": "7"},
    {"n": 4, "a": []},
    {"n": 5, "a": "", "b": {"c": [{"d": "deep"}, {"d": "er"}]}},
]
MAPPING = {"num": "long", "flag": "boolean", "ip": "ip", "at": "date", "a": "keyword"}


def matching(query: str, mapping: dict[str, Any] | None = MAPPING) -> list[int]:
    """Return the numbers of the documents that a query matches."""
    return [document["n"] for document in run(query, DOCUMENTS, mapping)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [0, 1, 2, 3, 4, 5]),
        ("a:cmd.exe", [2]),
        ('a:"Cmd.exe"', [1]),
        ("not a:cmd.exe", [0, 1, 3, 4, 5]),
        ("a:*", [1, 2, 3, 5]),
        ("not a:*", [0, 4]),
        ('a:"*"', []),
        ("a:cmd*", [2]),
        ("a:**", [1, 2, 3, 5]),
        ("a:C*", [1, 3]),
        ("a:x y", [2]),
        ('a:"x y"', [2]),
        ("a:(cmd.exe and x*)", [2]),
        ("a:(* and not (Cmd.exe or cmd.exe))", [3, 5]),
        (r"a:C\:\\Program*\(x86\)\\*.exe", [3]),
        (r"a:*a\*b?.exe", [3]),
        (r"a:*a?b?.exe", []),
        (r"a:*\*b*", [3]),
        (r"a:C\:\\Program Files*", [3]),
        ('a:"C:\\\\Program Files (x86)\\\\a*b?.exe"', [3]),
        ('a:""', [5]),
        ("b.c.d:(deep and er)", [5]),
        ("num:5", [1]),
        ("num:(5 or 7)", [1, 3]),
        ('num:"5"', [1]),
        ("num > 5", [2, 3]),
        ("num > 100 and num < 2", [2]),
        ("num>=5 and num<=7", [1, 2, 3]),
        ("flag:true", [1]),
        ("flag:false", [2]),
        ("ip:10.0.0.0/8", [1]),
        ('ip:(10.1.2.3 or "::1")', [1, 2]),
        ("at:2024-05", [1]),
        ("at > 2024-05", [2]),
        ('at < "2024-05-04T10:00:01Z"', [1]),
        ("a > b", [2]),
        ("a.caseless:CMD.EXE", [1, 2]),
        ("a.caseless:CMD*", [1, 2]),
        ("a.caseless:*", [1, 2, 3, 5]),
        ("unknown:x", []),
        ("not unknown:x", [0, 1, 2, 3, 4, 5]),
    ],
)
def test_matches(query: str, expected: list[int]) -> None:
    assert matching(query) == expected


def test_without_a_mapping_values_compare_by_what_they_look_like() -> None:
    assert matching("num:5 or flag:true", None) == [1]


def test_a_field_that_does_not_exist_has_no_values() -> None:
    """Elasticsearch answers no for an unmapped field, even where the document has it in its source."""
    mapping = {"properties": {"num": {"type": "long"}}}
    assert matching("a:*", mapping) == []
    assert matching("num:5 and not a:*", mapping) == [1]


def test_lowering_is_done_character_by_character() -> None:
    documents = [{"process": {"name": name}} for name in ("ÉCOLE.EXE", "école.exe", "\u212aEY", "ΟΔΟΣ")]
    assert len(run("process.name.caseless:École.exe", documents)) == 2
    assert len(run("process.name.caseless:key", documents)) == 1
    assert len(run("process.name.caseless:οδοσ", documents)) == 1
    assert len(run("process.name.caseless:École*", documents)) == 2


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("num:abc", "[abc] is not a number"),
        ("num:(5 or abc)", "[abc] is not a number"),
        ("num:5*", "num is long; wildcards are for texts only"),
        ("ip:10.1.*", "ip is ip; wildcards"),
        ("flag:yes", "[yes] is neither true nor false"),
        ("at:yesterday", "[yesterday] is not a date"),
        ("a:null", "write not a:*"),
        ("message > a", "message is text, which has no order"),
        ("message:a b*", "one word"),
    ],
)
def test_constants_have_to_fit_the_field(query: str, message: str) -> None:
    with pytest.raises(EqlError) as caught:
        bind(query, MAPPING)
    assert message in caught.value.message
    assert caught.value.excerpt[caught.value.column - 1 :].startswith(("abc", "5", "10", "yes", "null", "a"))


SCRIPTS = [
    "[Windows.Clipboard]::SetText($x)",
    "get-clipboard | Out-File",
    "Get-ClipboardHistory",
    "Invoke-Mimikatz -DumpCreds",
    "invoke_mimikatz",
    "Set-Alias -Name \"gcb\" -Value 'Get-Clipboard'",
    ["$a = 'winmm", "dll'"],
    "winmm.dll",
    "naïve",
]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"Get-Clipboard"', [1, 5]),
        ('"Windows.Clipboard"', [0]),
        ('"windows clipboard"', [0]),
        ('"]::SetText($x"', [0]),
        ('"clipboard.Windows"', []),
        ('"Set-Alias -Name \\"gcb\\" -Value"', [5]),
        ('"Mimikatz"', []),
        ('"winmm.dll"', [7]),
        ("winmm.dll", [6, 7]),
        ("Invoke-Mimikatz", [3]),
        ("*mimikatz", [3, 4]),
        ("GET-CLIP*", [1, 2, 5]),
        ("(*clip* and not get-*)", [0]),
        ("*", list(range(9))),
        ('"$$"', []),
        ('"na"', [8]),
        ('"ve"', [8]),
    ],
)
def test_script_blocks_are_tokens(value: str, expected: list[int]) -> None:
    documents = [{"n": n, "powershell": {"file": {"script_block_text": text}}} for n, text in enumerate(SCRIPTS)]
    assert [document["n"] for document in run(f"{SCRIPT}:{value}", documents)] == expected


def test_a_phrase_without_tokens_matches_nothing_and_its_opposite_everything() -> None:
    assert bind(f'{SCRIPT}:"$"').event.predicate == Constant(False)
    assert bind(f'not {SCRIPT}:"$"').event.predicate == Constant(True)


def test_powershell_tokens() -> None:
    assert powershell_tokens("$Foo.Bar-Baz_1::x éY") == ["foo", "bar-baz_1", "x", "y"]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        # The example of Elasticsearch's documentation of the standard analyzer.
        (
            "The 2 QUICK Brown-Foxes jumped over the lazy dog's bone.",
            ["the", "2", "quick", "brown", "foxes", "jumped", "over", "the", "lazy", "dog's", "bone"],
        ),
        ("10.1.2.3, 1,000 a.b 1.a", ["10.1.2.3", "1,000", "a.b", "1", "a"]),
        ("C:\\Windows\\cmd.exe /c x_y", ["c", "windows", "cmd.exe", "c", "x_y"]),
        ("_ __ - 日本 ÄÖ", ["日", "本", "äö"]),
        ("x" * 300, ["x" * 255, "x" * 45]),
    ],
)
def test_standard_tokens(text: str, tokens: list[str]) -> None:
    assert standard_tokens(text) == tokens


def test_values_of_one_field_share_a_leaf() -> None:
    """Rules list hundreds of names: each list is one test, of one set of values."""
    tree = bind('a:(b or "c" or d or e* or f* or *) or a:g').event.predicate
    kinds = [(leaf.kind, leaf.constants) for leaf in leaves(tree)]
    assert kinds == [
        (LeafKind.EQUAL, ("b", "d", "g")),
        (LeafKind.EQUAL, ("c",)),
        (LeafKind.GLOB, ("e*", "f*")),
        (LeafKind.EXISTS, ()),
    ]
    assert leaves(tree)[2].source == "a:(e* or f*)"


def test_all_the_values_of_an_and_are_separate_tests() -> None:
    tree = bind("a:(b and c)").event.predicate
    assert isinstance(tree, All)
    assert len(tree.items) == 2


@pytest.mark.parametrize(
    ("query", "category"),
    [
        ("event.category:process and a:b", "process"),
        ('event.category:"process"', "process"),
        ("event.category:(process or file) and a:b", None),
        ("event.category:process or a:b", None),
        ("not event.category:process", None),
        ("a:b", None),
    ],
)
def test_the_category_is_what_every_match_has(query: str, category: str | None) -> None:
    assert bind(query).event.category == category


def test_fields_are_those_that_hold_the_values() -> None:
    assert bind("a.caseless:x and b:y and not a:z").fields == ("a", "b")


def test_a_case_types_its_fields() -> None:
    (leaf,) = leaves(read_kql("destination.port:(139 or 445)").event.predicate)
    assert isinstance(leaf, Leaf)
    assert [leaf.test([(value,)]) for value in (139, 445, 80)] == [True, True, False]
    with pytest.raises(EqlError, match="wildcards"):
        read_kql("process.pid:4*")
