"""``evtxscan coverage``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from evtxscan.casework import coverage, logged, settled
from evtxscan.cli.options import case_option, output_options, talk_options
from evtxscan.cli.output import open_output
from evtxscan.export.coverage import FORMATS, render_coverage


@click.command("coverage")
@case_option
@click.option(
    "--host", "hosts", multiple=True, metavar="NAME", help="Only this host, by full or short name (repeatable)."
)
@output_options(*FORMATS)
@talk_options
def command(
    *, case_path: Path, hosts: tuple[str, ...], form: str, output: Path | None, quiet: bool, verbose: bool
) -> int:
    """Describe what the logs of a case cover and what they do not.

    For each host and log: time range, missing record ids and why they are missing; boots and clock changes; whether
    command lines, parents' names and Sysmon's events are recorded; times in which something was not logged.

    \b
    Example:
      evtxscan coverage --case ws-fin-07.db --host WS-FIN-07
    """
    with settled(case_path) as case, logged(case, "coverage", sys.argv[1:]), open_output(output) as stream:
        render_coverage(coverage(case, hosts), form, stream, verbose=verbose)
    return 0
