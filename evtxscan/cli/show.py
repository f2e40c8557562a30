"""``evtxscan show``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from evtxscan.casework import logged, settled, show
from evtxscan.cli.options import case_option, output_options, talk_options
from evtxscan.cli.output import open_output
from evtxscan.export.show import render_event


@click.command("show")
@click.argument("event")
@case_option
@output_options("table", "json")
@talk_options
def command(*, event: str, case_path: Path, form: str, output: Path | None, quiet: bool, verbose: bool) -> int:
    """Show one event: its ECS document, place in the evidence, parents and children, logon session, and raw XML.

    EVENT is an event id as detect and query give it.

    \b
    Example:
      evtxscan show ed296c5bb07eebc1-1-5424 --case ws-fin-07.db
    """
    with settled(case_path) as case, logged(case, "show", sys.argv[1:]), open_output(output) as stream:
        render_event(show(case, event), form, stream)
    return 0
