"""``evtxscan slack``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from evtxscan.casework import logged, settled, stale
from evtxscan.cli.options import case_option, output_options, talk_options
from evtxscan.cli.output import open_output
from evtxscan.export.slack import render_stale


@click.command("slack")
@case_option
@click.option("--all", "everything", is_flag=True, help="List those that are events of the case or copies of one, too.")
@output_options("table", "ndjson")
@talk_options
def command(*, case_path: Path, everything: bool, form: str, output: Path | None, quiet: bool, verbose: bool) -> int:
    """Show stale records that could not be made events: what their bytes say, and why.

    Stale records are left over in the slack of chunks: deleted, overwritten in part, or hidden. Those that can be
    rebuilt with certainty are events of the case, labelled with their origin. The others are listed here: with their
    System values where only the names of their data are lost, else with the strings among their bytes.

    \b
    Example:
      evtxscan slack --case ws-fin-07.db --format ndjson --output stale.ndjson
    """
    with settled(case_path) as case, logged(case, "slack", sys.argv[1:]), open_output(output) as stream:
        render_stale(stale(case, everything=everything), form, stream, verbose=verbose)
    return 0
