"""``evtxscan manifest``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from evtxscan.casework import check_manifest, logged, manifest, settled
from evtxscan.cli.options import case_option, output_options, talk_options
from evtxscan.cli.output import open_output
from evtxscan.export.manifest import FORMATS, render_comparison, render_manifest


@click.command("manifest")
@case_option
@click.option(
    "--check",
    "other",
    type=click.Path(path_type=Path, dir_okay=False, readable=False),
    metavar="FILE",
    help="Compare with this manifest (JSON) instead of writing one.",
)
@output_options(*FORMATS)
@talk_options
def command(*, case_path: Path, other: Path | None, form: str, output: Path | None, quiet: bool, verbose: bool) -> int:
    """Write what ties the result in a case to its evidence: hashes, versions, arguments.

    The same evidence, rules and version of evtxscan give the same result hash on any machine. With --check the exit
    code is 1 where evidence or result are not those of another manifest.

    \b
    Example:
      evtxscan manifest --case ws-fin-07.db --format json --output manifest.json
    """
    with settled(case_path) as case, logged(case, "manifest", sys.argv[1:]) as run, open_output(output) as stream:
        if other is None:
            render_manifest(manifest(case), form, stream)
        else:
            parts = check_manifest(case, other)
            render_comparison(parts, stream)
            run.exit_code = int(not all(is_same for _, is_same, is_essential in parts if is_essential))
    return run.exit_code
