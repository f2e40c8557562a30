"""``evtxscan query``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from evtxscan.casework import Filters, logged, query, settled, unknown_in_query
from evtxscan.cli.options import case_option, filter_options, observed_option, output_options, talk_options
from evtxscan.cli.output import open_output, say
from evtxscan.export.render import EVENT_FORMATS, render_events
from evtxscan.export.text import visible


@click.command("query")
@click.argument("eql")
@case_option
@filter_options
@observed_option
@output_options(*EVENT_FORMATS)
@talk_options
def command(
    *,
    eql: str,
    case_path: Path,
    start: str | None,
    end: str | None,
    hosts: tuple[str, ...],
    live_only: bool,
    observed_only: bool,
    form: str,
    output: Path | None,
    quiet: bool,
    verbose: bool,
) -> int:
    """Find events of a case, or sequences of events, with EQL.

    The result is what Elasticsearch would return for the query over the same events, and with inferred fields (a
    parent's command line) unless --observed-only is given.

    \b
    Example:
      evtxscan query 'process where process.name : "cmd.exe" and user.name : "*$"'
      evtxscan query 'sequence by process.entity_id with maxspan=1m
          [process where process.name : "mshta.exe"] [network where true] | head 10'
    """
    with settled(case_path) as case, logged(case, "query", sys.argv[1:]):
        for unknown in unknown_in_query(case, eql):
            place = f"line {unknown.line}, column {unknown.column}: " if unknown.line else ""
            say(visible(f"evtxscan: warning: {place}{unknown.message}"), quiet=quiet)
        documents = query(case, eql, Filters(start, end, hosts, observed_only, live_only=live_only))
        with open_output(output) as stream:
            render_events(documents, form, stream)
    return 0
