"""Analyzers of ``text`` fields: how Elasticsearch cuts a text into tokens, of documents and of queries alike.

A phrase matches where its tokens stand one after the other. ``schema/ecs/text_fields.json`` names the fields.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType

from evtxscan.eql.scalars import fold_ascii
from evtxscan.errors import EvtxscanError
from evtxscan.schema import read_json

_FILE, _FORMAT = "ecs/text_fields.json", "evtxscan-text-fields/1"

Analyzer = Callable[[str], list[str]]
"""Gives the tokens of a text, in order; no token has a space in it."""

_SCRIPT_TOKEN = re.compile(r"[a-z0-9_-]+")
# Unicode's word boundaries (UAX 29), of which Lucene's standard tokenizer keeps what has a letter or digit: letters,
# digits and connectors run on; a single . : ' between letters, or . , ; ' between digits, does not end a word.
# Ideographs and Hiragana are words of one character.
_SINGLE = "\u3040-\u309f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD_CHAR = rf"[^\W{_SINGLE}]"
_WORD = re.compile(
    rf"[{_SINGLE}]"
    rf"|{_WORD_CHAR}(?:{_WORD_CHAR}|(?<=[^\W\d_])[.:'\u00b7\u2019](?=[^\W\d_{_SINGLE}])|(?<=\d)[.,;'\u2019](?=\d))*"
)
_LONGEST_TOKEN = 255


def lower_case(text: str) -> str:
    """Lower character by character, whatever stands around it, as Lucene's lower-case filter does."""
    if text.isascii():
        return text.lower()
    return "".join(char.lower()[0] for char in text)


def powershell_tokens(text: str) -> list[str]:
    r"""Cut at all but ``-`` and ASCII letters, digits and ``_``, and lower: the pattern analyzer ``[\W&&[^-]]+``."""
    return _SCRIPT_TOKEN.findall(fold_ascii(text))


def standard_tokens(text: str) -> list[str]:
    """Cut into words as Elasticsearch's ``standard`` analyzer does, and lower; words of over 255 characters are cut."""
    words = (word for word in _WORD.findall(text) if any(map(str.isalnum, word)))
    return [
        lower_case(word[start : start + _LONGEST_TOKEN])
        for word in words
        for start in range(0, len(word), _LONGEST_TOKEN)
    ]


ANALYZERS: Mapping[str, Analyzer] = MappingProxyType({"powershell": powershell_tokens, "standard": standard_tokens})


@cache
def text_fields() -> Mapping[str, str]:
    """Return the ``text`` fields of event logs with the names of their analyzers."""
    content = read_json(_FILE)
    fields = content.get("fields") if isinstance(content, dict) and content.get("format") == _FORMAT else None
    if not isinstance(fields, dict) or not set(fields.values()) <= set(ANALYZERS):
        raise EvtxscanError(f"schema/{_FILE} is not a table of fields and analyzers in format {_FORMAT!r}")
    return MappingProxyType(fields)


def analyzer_of(field: str) -> Analyzer:
    """Return the analyzer of a ``text`` field: ``standard`` unless the table names another."""
    return ANALYZERS[text_fields().get(field, "standard")]
