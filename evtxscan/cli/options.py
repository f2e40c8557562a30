"""Options that several commands share: spelt and explained once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def case_option(function: F) -> F:
    """``--case FILE``."""
    return click.option(
        "--case",
        "case_path",
        type=click.Path(path_type=Path, dir_okay=False, readable=False),
        default=Path("case.db"),
        envvar="EVTXSCAN_CASE",
        show_default=True,
        show_envvar=True,
        help="The case: one SQLite file.",
    )(function)


def rules_option(function: F) -> F:
    """``--rules PATH``."""
    return click.option(
        "--rules",
        "rule_paths",
        multiple=True,
        metavar="PATH",
        help="A rule file of Elastic's TOML layout, a Sigma rule (.yml), or a folder of either, instead of the built-in"
        " rules (repeatable; 'builtin' names those).",
    )(function)


def output_options(*formats: str) -> Callable[[F], F]:
    """``--format`` with the given choices, the first of them the default, and ``--output FILE``."""

    def decorate(function: F) -> F:
        function = click.option(
            "--output",
            type=click.Path(path_type=Path, dir_okay=False, readable=False),
            help="Write to this file instead of standard output.",
        )(function)
        return click.option(
            "--format",
            "form",
            type=click.Choice(formats),
            default=formats[0],
            show_default=True,
            help="How to write the result.",
        )(function)

    return decorate


def filter_options(function: F) -> F:
    """``--from``, ``--to``, ``--host``, ``--live-only``."""
    function = click.option(
        "--live-only",
        is_flag=True,
        help="Only live records: none that were deleted or left over (origin slack) or carved.",
    )(function)
    function = click.option(
        "--host", "hosts", multiple=True, metavar="NAME", help="Only this host, by full or short name (repeatable)."
    )(function)
    function = click.option(
        "--to", "end", metavar="TIME", help="Only events up to this time (ISO 8601; UTC unless it says otherwise)."
    )(function)
    return click.option(
        "--from",
        "start",
        metavar="TIME",
        help="Only events from this time on (ISO 8601; UTC unless it names an offset).",
    )(function)


def observed_option(function: F) -> F:
    """``--observed-only``."""
    return click.option(
        "--observed-only",
        is_flag=True,
        help="Use recorded fields only, none that were inferred: exactly what Elasticsearch would return.",
    )(function)


def defend_option(function: F) -> F:
    """``--no-defend-values``."""
    return click.option(
        "--defend-values/--no-defend-values",
        "defend_values",
        default=True,
        help="Let rules for Elastic Defend see its values (event.action start, creation ...) in the events of Windows"
        " logs that correspond.  [default: yes, but for --observed-only]",
    )(function)


def talk_options(function: F) -> F:
    """``--quiet`` and ``-v``."""
    function = click.option("-v", "--verbose", is_flag=True, help="Say more on standard error.")(function)
    return click.option("-q", "--quiet", is_flag=True, help="Say nothing on standard error but errors.")(function)
