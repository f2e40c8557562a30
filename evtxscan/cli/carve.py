"""``evtxscan carve``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from evtxscan.casework import carve_evidence, list_carved
from evtxscan.cli.options import case_option, output_options, talk_options
from evtxscan.cli.output import open_output, refuse_evidence
from evtxscan.cli.progress import ingest_progress
from evtxscan.export.carve import render_carved, render_list


@click.command("carve")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, readable=False), metavar="FILE...")
@case_option
@click.option("--list", "only_list", is_flag=True, help="List what is found and where; no case is made or changed.")
@output_options("table", "json")
@talk_options
def command(
    *,
    paths: tuple[Path, ...],
    case_path: Path,
    only_list: bool,
    form: str,
    output: Path | None,
    quiet: bool,
    verbose: bool,
) -> int:
    """Find chunks and records of event logs in files that are none: images, unallocated space, memory.

    FILE is searched byte by byte, whatever its format, so compressed images have to be made raw first. Records become
    events with the origin carved, with templates from all of the case; those that are live in it are copies. Chunks
    that the case holds as they are, because the log itself lies in the image, are counted as known.

    \b
    Example:
      evtxscan carve memory.raw unallocated.bin --case ws-fin-07.db
    """
    if only_list:
        with open_output(output) as stream:
            render_list(list_carved(list(paths)), form, stream)
        return 0
    refuse_evidence(case_path, "--case")
    with ingest_progress(quiet=quiet) as progress:
        summary = carve_evidence(case_path, list(paths), progress=progress, arguments=sys.argv[1:])
    with open_output(output) as stream:
        render_carved(summary.sources, summary.records, form, stream)
    return 0
