"""``evtxscan rules``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from evtxscan.casework import Filters, logged, rule, rules, settled
from evtxscan.cli.options import (
    defend_option,
    filter_options,
    observed_option,
    output_options,
    rules_option,
    talk_options,
)
from evtxscan.cli.output import open_output
from evtxscan.export.one_rule import SHOW_FORMATS, write_rule
from evtxscan.export.rulebook import RuleBook
from evtxscan.export.rules import CHECK_FORMATS, LIST_FORMATS, write_check, write_list

F = TypeVar("F", bound=Callable[..., Any])


def _case_to_ask(function: F) -> F:
    """``--case FILE`` where a case is not needed, and what limits the part of it to look at."""
    function = filter_options(observed_option(defend_option(function)))
    return click.option(
        "--case",
        "case_path",
        type=click.Path(path_type=Path, dir_okay=False, readable=False),
        help="Say as well what this case can decide: which events and fields it has, which logs would have to exist.",
    )(function)


@contextmanager
def _book(
    name: str, rule_paths: tuple[str, ...], case_path: Path | None, filters: Filters
) -> Iterator[tuple[RuleBook, Callable[[int], None]]]:
    """Give the rules, and a function that notes the exit code in the case's log."""
    if case_path is None:
        yield rules(rule_paths, None, filters), lambda code: None
        return
    with settled(case_path) as case, logged(case, f"rules {name}", sys.argv[1:]) as run:

        def note(code: int) -> None:
            run.exit_code = code

        yield rules(rule_paths, case, filters), note


@click.group("rules")
def command() -> None:
    """Show rules: which of them run, why others do not, and what a case can decide.

    \b
    Example:
      evtxscan rules list --rules rules/windows
    """


@command.command("list")
@rules_option
@_case_to_ask
@output_options(*LIST_FORMATS)
@talk_options
def list_command(
    *,
    rule_paths: tuple[str, ...],
    case_path: Path | None,
    start: str | None,
    end: str | None,
    hosts: tuple[str, ...],
    live_only: bool,
    observed_only: bool,
    defend_values: bool,
    form: str,
    output: Path | None,
    quiet: bool,
    verbose: bool,
) -> int:
    """Show one line a rule, with its state.

    A rule runs; or it runs, but some fields that it names are never in event logs; or it is not supported.

    \b
    Example:
      evtxscan rules list --rules rules/windows --case ws-fin-07.db
    """
    filters = Filters(start, end, hosts, observed_only, defend_values, live_only)
    with _book("list", rule_paths, case_path, filters) as (book, _), open_output(output) as stream:
        write_list(book, form, stream)
    return 0


@command.command("check")
@rules_option
@_case_to_ask
@output_options(*CHECK_FORMATS)
@talk_options
def check_command(
    *,
    rule_paths: tuple[str, ...],
    case_path: Path | None,
    start: str | None,
    end: str | None,
    hosts: tuple[str, ...],
    live_only: bool,
    observed_only: bool,
    defend_values: bool,
    form: str,
    output: Path | None,
    quiet: bool,
    verbose: bool,
) -> int:
    """Check rule files: what is wrong, with line and column, and what does not run.

    Exits with code 1 if a file or its query is broken; rules that evtxscan does not support are listed, and no error.

    \b
    Example:
      evtxscan rules check --rules my-rule.toml
    """
    filters = Filters(start, end, hosts, observed_only, defend_values, live_only)
    with _book("check", rule_paths, case_path, filters) as (book, note):
        with open_output(output) as stream:
            write_check(book, form, stream)
        code = 1 if any(state.is_broken for state in book.states) else 0
        note(code)
    return code


@command.command("show")
@click.argument("wanted", metavar="RULE")
@rules_option
@_case_to_ask
@output_options(*SHOW_FORMATS)
@talk_options
def show_command(
    *,
    wanted: str,
    rule_paths: tuple[str, ...],
    case_path: Path | None,
    start: str | None,
    end: str | None,
    hosts: tuple[str, ...],
    live_only: bool,
    observed_only: bool,
    defend_values: bool,
    form: str,
    output: Path | None,
    quiet: bool,
    verbose: bool,
) -> int:
    """Show one rule: text, severity, ATT&CK, false positives, investigation guide, hash, fields, state.

    RULE is an id, a name or the name of a file.

    \b
    Example:
      evtxscan rules show 265db8f5-fc73-4d0d-b434-6483b56372e2
    """
    filters = Filters(start, end, hosts, observed_only, defend_values, live_only)
    with _book("show", rule_paths, case_path, filters) as (book, _), open_output(output) as stream:
        write_rule(book, rule(book, wanted), form, stream)
    return 0
