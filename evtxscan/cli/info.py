"""``evtxscan info``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from evtxscan.casework import info, logged, settled
from evtxscan.cli.options import case_option, output_options, talk_options
from evtxscan.cli.output import open_output
from evtxscan.export.info import render_info


@click.command("info")
@case_option
@output_options("table", "json")
@talk_options
def command(*, case_path: Path, form: str, output: Path | None, quiet: bool, verbose: bool) -> int:
    """Describe a case: sources, hosts, time ranges, counts, losses, commands.

    \b
    Example:
      evtxscan info --case ws-fin-07.db
    """
    with settled(case_path) as case, logged(case, "info", sys.argv[1:]), open_output(output) as stream:
        render_info(info(case), form, stream, verbose=verbose)
    return 0
