"""``evtxscan verify``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from evtxscan.casework import logged, settled, verify
from evtxscan.cli.options import case_option, output_options, talk_options
from evtxscan.cli.output import open_output
from evtxscan.cli.progress import task_progress
from evtxscan.export.verify import FORMATS, render_verification
from evtxscan.proof.verify import Options

_EXIT_CODES = {"confirmed": 0, "contradicted": 1, "incomplete": 3}


@click.command("verify")
@case_option
@click.option(
    "--evidence",
    multiple=True,
    type=click.Path(path_type=Path, readable=False),
    metavar="PATH",
    help="Where the evidence lies now: a file or a folder (repeatable).  [default: where ingest found it]",
)
@click.option("--all", "every_record", is_flag=True, help="Check every record of the case, not its findings alone.")
@click.option("--jobs", type=click.IntRange(1, 256), help="Worker processes of --all.  [default: one per processor]")
@output_options(*FORMATS)
@talk_options
def command(
    *,
    case_path: Path,
    evidence: tuple[Path, ...],
    every_record: bool,
    jobs: int | None,
    form: str,
    output: Path | None,
    quiet: bool,
    verbose: bool,
) -> int:
    """Check a case against its evidence with a second parser.

    Every source is hashed again. Each record that a finding rests on is read from the evidence at its offset, rendered
    by python-evtx, and compared with what the first parser gave and with what the case says of it. Where the evidence
    is not at hand, the copy of its chunk in the case is checked instead, and the result says so.

    Exit codes: 0 everything was checked and agrees; 1 a source has changed, or a record differs or is gone; 3 nothing
    contradicts the case, but something could not be checked.

    \b
    Example:
      evtxscan verify --case ws-fin-07.db --evidence /mnt/copy/Logs
    """
    with (
        settled(case_path) as case,
        logged(case, "verify", sys.argv[1:]) as run,
        task_progress(quiet=quiet) as progress,
    ):
        verification = verify(case, Options(evidence, every_record, jobs), progress)
        with open_output(output) as stream:
            render_verification(verification, form, stream)
        run.exit_code = _EXIT_CODES[verification.conclusion]
    return run.exit_code
