"""Cuts the text of a query into tokens, resolving escapes and numbers on the way."""

import re
from dataclasses import dataclass

from evtxscan.eql.ast import Scalar
from evtxscan.eql.source import error_at

KEYWORDS = frozenset(
    [
        "and",
        "any",
        "by",
        "false",
        "in",
        "in~",
        "like",
        "like~",
        "not",
        "null",
        "or",
        "regex",
        "regex~",
        "sequence",
        "true",
        "until",
        "where",
        "with",
    ]
)
LARGEST_INTEGER = 2**64 - 1
"""Elasticsearch reads whole numbers up to an unsigned 64-bit integer."""

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<line_comment>//[^\r\n]*)
  | (?P<block_comment>/\*)
  | (?P<raw>\"\"\"(?P<raw_text>[^\r\n]*?)\"\"\"(?P<raw_more>\"{0,2}))
  | (?P<string>"(?P<text>(?:[^"\\\r\n]|\\[^\r\n])*)")
  | (?P<quoted>`(?P<name>(?:[^`]|``)*)`)
  | (?P<word>[A-Za-z_@][A-Za-z0-9_]*~?)
  | (?P<decimal>(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)
  | (?P<integer>[0-9]+)
  | (?P<symbol>!\[|==|!=|<=|>=|[<>:()\[\],.|=?+*/%-])
    """,
    re.VERBOSE,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_ESCAPE = re.compile(r"\\(?:u\{(?P<hex>[0-9a-fA-F]*)\}|(?P<char>.))", re.DOTALL)
_ESCAPES = {"t": "\t", "b": "\b", "f": "\f", "n": "\n", "r": "\r", '"': '"', "'": "'", "\\": "\\"}


@dataclass(frozen=True, slots=True)
class Token:
    """One token. ``kind`` is name, keyword, string, integer, decimal, symbol or end; ``text`` as written.

    ``value`` is the text of a string or name with its quotes and escapes resolved, or the number.
    """

    kind: str
    text: str
    start: int
    end: int
    value: Scalar = ""


def tokenize(text: str) -> list[Token]:
    """Return the tokens of ``text``, the last one of kind ``end``; raise EqlError at what is no token."""
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise error_at(text, at, _unreadable(text, at))
        if match.lastgroup == "block_comment":
            at = _end_of_comment(text, at)
            continue
        token = _token(text, match)
        if token is not None:
            tokens.append(token)
        at = match.end()
    tokens.append(Token("end", "", len(text), len(text)))
    return tokens


def _token(text: str, match: re.Match[str]) -> Token | None:
    start, end, written = match.start(), match.end(), match.group()
    if match["raw"] is not None:
        return Token("string", written, start, end, match["raw_text"] + match["raw_more"])
    if match["string"] is not None:
        return Token("string", written, start, end, _unescape(text, start + 1, match["text"]))
    if match["quoted"] is not None:
        return Token("name", written, start, end, match["name"].replace("``", "`"))
    if match["word"] is not None:
        return Token("keyword" if written in KEYWORDS else "name", written, start, end, written)
    if match["decimal"] is not None:
        return Token("decimal", written, start, end, float(written))
    if match["integer"] is not None:
        return Token("integer", written, start, end, _integer(text, start, written))
    if match["symbol"] is not None:
        return Token("symbol", written, start, end)
    return None


def _integer(text: str, start: int, digits: str) -> int:
    # The length first: converting a million digits would take long.
    if len(digits.lstrip("0")) > 20 or int(digits) > LARGEST_INTEGER:
        raise error_at(text, start, f"number [{digits[:30]}] is too large")
    return int(digits)


def _end_of_comment(text: str, start: int) -> int:
    """Return the offset after the block comment at ``start``; they nest."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(text, start):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    raise error_at(text, start, "comment is not closed: */ is missing")


def _unescape(text: str, offset: int, written: str) -> str:
    if "\\" not in written:
        return written

    def resolve(match: re.Match[str]) -> str:
        if match["hex"] is not None:
            return _code_point(text, offset + match.start(), match["hex"])
        if match["char"] == "u":
            raise error_at(text, offset + match.start(), "write \\u{...} with 2 to 8 hexadecimal digits in braces")
        return _ESCAPES.get(match["char"], match.group())

    return _ESCAPE.sub(resolve, written)


def _code_point(text: str, offset: int, digits: str) -> str:
    if not 2 <= len(digits) <= 8:
        raise error_at(text, offset, f"\\u{{{digits}}} needs 2 to 8 hexadecimal digits")
    number = int(digits, 16)
    if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        raise error_at(text, offset, f"\\u{{{digits}}} is not a Unicode character")
    return chr(number)


def _unreadable(text: str, at: int) -> str:
    """Say what is wrong where no token begins, and what to write instead."""
    char = text[at]
    if char == "'":
        return "strings stand in double quotes, not in single quotes"
    if char == '"':
        return "string is not closed on its line"
    if char == "`":
        return "quoted name is not closed: ` is missing"
    if char == "!":
        return "unexpected [!]; write 'not' for negation, != for unequal, ![ for a missing event"
    if char == "&":
        return "unexpected [&]; write 'and'"
    return f"unexpected character [{char}]"
