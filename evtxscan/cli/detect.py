"""``evtxscan detect``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from evtxscan.casework import Filters, detect, logged, settled
from evtxscan.cli.options import (
    case_option,
    defend_option,
    filter_options,
    observed_option,
    output_options,
    rules_option,
    talk_options,
)
from evtxscan.cli.output import open_output, say
from evtxscan.export.render import RESULT_FORMATS, render
from evtxscan.export.result import explained
from evtxscan.export.text import visible


@click.command("detect")
@case_option
@rules_option
@filter_options
@observed_option
@defend_option
@click.option(
    "--suppress",
    "suppress",
    multiple=True,
    metavar="FILE",
    help="Set findings aside as this TOML file says (repeatable); they are counted and listed as suppressed.",
)
@click.option("--fail-on-match", is_flag=True, help="Exit with code 1 if there is a finding that is not suppressed.")
@output_options(*RESULT_FORMATS)
@talk_options
def command(
    *,
    case_path: Path,
    rule_paths: tuple[str, ...],
    start: str | None,
    end: str | None,
    hosts: tuple[str, ...],
    live_only: bool,
    observed_only: bool,
    defend_values: bool,
    suppress: tuple[str, ...],
    fail_on_match: bool,
    form: str,
    output: Path | None,
    quiet: bool,
    verbose: bool,
) -> int:
    """Run detection rules over a case.

    Findings are what Elasticsearch would return; the verdict for each rule and host says what the evidence could not
    decide. Findings are kept in the case, too.

    \b
    Example:
      evtxscan detect --case ws-fin-07.db --format html --output report.html
    """
    with settled(case_path) as case, logged(case, "detect", sys.argv[1:]) as run:
        filters = Filters(start, end, hosts, observed_only, defend_values, live_only)
        result = detect(case, run.number, rule_paths, filters, suppress=suppress)
        with open_output(output) as stream:
            render(result, form, stream)
        if form != "table" or output is not None:  # a table on the screen has just said so
            for reason in explained(result.refused):
                for number, line in enumerate(reason.splitlines()):
                    say(visible(line if number else f"evtxscan: not run: {line}"), quiet=False)
            for warning in result.warnings:
                say(visible(f"evtxscan: warning: {warning.explain()}"), quiet=quiet)
        if fail_on_match and len(result.findings):
            run.exit_code = 1
    return run.exit_code
