r"""process.args as Elastic splits them: two algorithms that must not be mixed up.

Rules ask ``process.args : "UsoSvc"``: a quote kept or an argument joined too much, and they do not match.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evtxscan.ecs.argv import security_args, sysmon_args

LINES = st.text(st.sampled_from('ab "\t\\\u00a0\u2003'), max_size=14)


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("C:\\Windows\\system32\\svchost.exe -k netsvcs -p -s UsoSvc",
         ["C:\\Windows\\system32\\svchost.exe", "-k", "netsvcs", "-p", "-s", "UsoSvc"]),
        ('"C:\\a b\\x.exe"  /c\t', ["C:\\a b\\x.exe", "/c"]),
        ("", []),
        ("  ", []),
        ('""', [""]),
        ('a "" b', ["a", "", "b"]),
        ('"a""b c"', ['a"b', "c"]),  # "" inside quotes is one quote and ends quoting
        ('"a b', ["a b"]),
        ('a\\\\"b c"', ["a\\b c"]),  # two backslashes and a quote: one backslash, the quote toggles
        ('a\\"b c', ['a"b', "c"]),  # one backslash and a quote: a literal quote
        ('a\\\\\\"b c', ['a\\"b', "c"]),
        ("\\\\server\\share", ["\\\\server\\share"]),
        ('"C:\\dir\\" x', ['C:\\dir" x']),  # the classic mistake of callers
        ("a\nb\u00a0c", ["a\nb\u00a0c"]),  # only space and tab separate
    ],
)  # fmt: skip
def test_sysmon_arguments(line: str, arguments: list[str]) -> None:
    assert sysmon_args(line) == arguments


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ('"C:\\W\\x.exe" cl  S ', ['"C:\\W\\x.exe"', "cl", "", "S", ""]),
        ("a", ["a"]),
        (" a", ["", "a"]),
        ('"a b', ['"a b']),
        ('x="a b"c d', ['x="a b"c', "d"]),
        ('a\\"b c"', ['a\\"b c"']),  # backslashes mean nothing
        ("a\u00a0b\u2003c\x1fd", ["a\u00a0b", "c", "d"]),  # Java's white space has no no-break space
    ],
)
def test_security_arguments(line: str, arguments: list[str]) -> None:
    assert security_args(line) == arguments


@given(LINES)
def test_security_arguments_lose_only_separators(line: str) -> None:
    """Each separator between two arguments is one letter of the line; all else stays, in order."""
    place = 0
    for argument in security_args(line):
        assert line.startswith(argument, place)
        place += len(argument) + 1
        assert place > len(line) or line[place - 1] in " \t\u2003"
    assert place == len(line) + 1


@given(LINES)
def test_sysmon_arguments_match_the_rules_read_letter_by_letter(line: str) -> None:
    assert sysmon_args(line) == _letter_by_letter(line)


def _letter_by_letter(line: str) -> list[str]:
    """Apply the four rules of the splitter to one letter after the other (the plainest reading of them)."""
    arguments: list[str] = []
    place = 0
    while place < len(line):
        if line[place] in " \t":
            place += 1
            continue
        current, quoted = "", False
        while place < len(line) and (quoted or line[place] not in " \t"):
            slashes = 0
            while place < len(line) and line[place] == "\\":
                slashes, place = slashes + 1, place + 1
            if place < len(line) and line[place] == '"':
                current += "\\" * (slashes // 2)
                place += 1
                if slashes % 2:
                    current += '"'
                    continue
                if quoted and line[place : place + 1] == '"':
                    current += '"'
                    place += 1
                quoted = not quoted
            else:
                current += "\\" * slashes
                if place < len(line) and (quoted or line[place] not in " \t"):
                    current += line[place]
                    place += 1
        arguments.append(current)
    return arguments
