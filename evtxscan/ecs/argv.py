r"""Command line to arguments, in the two ways that Elastic's pipelines do it.

:func:`sysmon_args` follows the rules of the Microsoft C runtime before 2008 (as Go's runtime does);
:func:`security_args` only cuts at white space outside of quotes and keeps the quotes. The same command line gives
different ``process.args`` in Sysmon 1 and in Security 4688; rules are written with that in mind.
"""

from __future__ import annotations

import re
from functools import lru_cache

# Backslashes with a quote behind them, a run of separators, or plain text (backslashes without a quote belong to it).
_SYSMON = re.compile(r'(?P<slashes>\\*)"|(?P<gap>[ \t]+)|(?:[^ \t"\\]|\\+(?![\\"]))+')
# java.lang.Character.isWhitespace: no no-break spaces (00A0, 2007, 202F), no 0085.
_JAVA_SPACE = "\t-\r\x1c-\x20\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000"
_SECURITY = re.compile(f'"[^"]*"?|[{_JAVA_SPACE}]')


def sysmon_args(command_line: str) -> list[str]:
    r"""Split as Sysmon events are split: quotes group and vanish.

    Outside quotes, runs of space and tab separate. ``2n`` backslashes before a quote are n backslashes and the quote
    toggles; ``2n+1`` are n backslashes and a literal quote. Inside quotes ``""`` is one quote and ends quoting. ``""``
    alone is an empty argument. The first argument follows the same rules.
    """
    return list(_sysmon_args(command_line))


# A rule set asks for the arguments, their number, and a parent's: of the same lines, one field after the other.
@lru_cache(maxsize=8192)
def _sysmon_args(command_line: str) -> tuple[str, ...]:
    if '""' in command_line or '\\"' in command_line:
        return tuple(_with_escapes(command_line))
    # Backslashes mean something before quotes only: every second piece between quotes stands in quotes.
    arguments: list[str] = []
    current: str | None = None
    for place, piece in enumerate(command_line.split('"')):
        if place % 2:
            current = (current or "") + piece
            continue
        first, *further = piece.replace("\t", " ").split(" ")
        if first:
            current = (current or "") + first
        if further:
            if current is not None:
                arguments.append(current)
            *between, last = further
            arguments += filter(None, between)
            current = last or None
    if current is not None:
        arguments.append(current)
    return tuple(arguments)


def _with_escapes(command_line: str) -> list[str]:
    arguments: list[str] = []
    current: list[str] | None = None
    quoted = False
    place = 0
    while found := _SYSMON.match(command_line, place):
        place = found.end()
        if found["gap"]:
            if quoted and current is not None:
                current.append(found[0])
            elif current is not None:
                arguments.append("".join(current))
                current = None
            continue
        current = [] if current is None else current
        slashes = found["slashes"]
        if slashes is None:
            current.append(found[0])
            continue
        current.append("\\" * (len(slashes) // 2))
        if len(slashes) % 2:
            current.append('"')
            continue
        if quoted and command_line[place : place + 1] == '"':
            current.append('"')
            place += 1
        quoted = not quoted
    if current is not None:
        arguments.append("".join(current))
    return arguments


def security_args(command_line: str) -> list[str]:
    """Split as Security 4688 is split: each white space outside quotes ends an argument, also an empty one.

    Quotes stay in the arguments and backslashes mean nothing.
    """
    arguments: list[str] = []
    start = 0
    for found in _SECURITY.finditer(command_line):
        if not found[0].startswith('"'):
            arguments.append(command_line[start : found.start()])
            start = found.end()
    arguments.append(command_line[start:])
    return arguments
