"""``evtxscan selftest``."""

from __future__ import annotations

from pathlib import Path

import click

from evtxscan.cli.options import output_options, talk_options
from evtxscan.cli.output import open_output
from evtxscan.cli.progress import task_progress
from evtxscan.export.selftest import FORMATS, render_selftest
from evtxscan.selftest.run import report, run_checks


@click.command("selftest")
@click.option("--examiner", metavar="NAME", help="Who tests; noted in the report.")
@output_options(*FORMATS)
@talk_options
def command(*, examiner: str | None, form: str, output: Path | None, quiet: bool, verbose: bool) -> int:
    """Check this installation against the numbered requirements of docs/validation.

    The logs of two made-up machines come with evtxscan. They are analysed in a temporary folder, damaged and changed,
    and what comes of it is compared with what must come of it. The table is made to be signed. The exit code is 1 where
    a requirement is not met.

    \b
    Example:
      evtxscan selftest --examiner "R. Vogt" --output selftest.txt
    """
    with task_progress(quiet=quiet) as progress:
        made = report(run_checks(progress), examiner)
    with open_output(output) as stream:
        render_selftest(made, form, stream)
    return 0 if made["passed"] else 1
