"""``evtxscan ingest``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from evtxscan.casework import Label, categories, ingest_evidence
from evtxscan.cli.options import case_option, output_options, talk_options
from evtxscan.cli.output import open_output, refuse_evidence, say
from evtxscan.cli.progress import ingest_progress
from evtxscan.export.ingest import render_summary
from evtxscan.export.text import visible
from evtxscan.ingest.run import Options


@click.command("ingest")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, readable=False), metavar="PATH...")
@case_option
@click.option("--jobs", type=click.IntRange(1, 256), help="Worker processes.  [default: one per processor]")
@click.option(
    "--only",
    metavar="CATEGORY,...",
    help="Store events of these ECS categories only (process, authentication ...) and count the rest;"
    " an ingest without it completes the case later.",
)
@click.option(
    "--no-slack",
    is_flag=True,
    help="Leave stale records (deleted, or left over behind a chunk's live data) alone; a later ingest reads them.",
)
@click.option("--exhibit", metavar="ID", help="The exhibit that these files are, noted with each source.")
@click.option(
    "--expect-sha256",
    metavar="HEX",
    help="The acquisition hash to compare with: that of the one event log, or of the one archive or image.",
)
@click.option(
    "--hash-images",
    is_flag=True,
    help="Hash disk images, too, reading all of each; archives are always hashed.",
)
@click.option("--case-number", metavar="TEXT", help="Noted in the case.")
@click.option("--examiner", metavar="NAME", help="Noted in the case.")
@click.option("--notes", metavar="TEXT", help="Noted in the case.")
@output_options("table", "json")
@talk_options
def command(
    *,
    paths: tuple[Path, ...],
    case_path: Path,
    jobs: int | None,
    only: str | None,
    no_slack: bool,
    exhibit: str | None,
    expect_sha256: str | None,
    hash_images: bool,
    case_number: str | None,
    examiner: str | None,
    notes: str | None,
    form: str,
    output: Path | None,
    quiet: bool,
    verbose: bool,
) -> int:
    """Read event logs, and documents made of events, into a case.

    PATH is an event log, a file of event documents (NDJSON: Winlogbeat's, or ECS documents of Elastic, one a line), an
    archive (zip, tar, 7z, gz, xz, zst, bz2), a disk image (E01, raw, VMDK, VHD, VHDX, QCOW2; needs the extra
    evtxscan[image]), or a folder, which is searched with all folders below it. Logs and documents are known by their
    content, whatever they are called. The evidence is only ever read, and hashed before and after. Reading the same
    again adds nothing; an ingest that was interrupted is completed by running it again.

    \b
    Example:
      evtxscan ingest C/Windows/System32/winevt/Logs --case ws-fin-07.db --examiner "R. Vogt"
    """
    refuse_evidence(case_path, "--case")
    options = Options(jobs, _categories(only), exhibit, expect_sha256, slack=not no_slack, hash_images=hash_images)
    label = Label(case_number, examiner, notes)
    with ingest_progress(quiet=quiet) as progress:
        summary = ingest_evidence(
            case_path, list(paths), options, label=label, progress=progress, arguments=sys.argv[1:]
        )
    for error in summary.errors:
        say(f"evtxscan: {visible(str(error))}", quiet=False)
    with open_output(output) as stream:
        render_summary(summary, form, stream, verbose=verbose)
    return 0 if summary.is_complete else 3


def _categories(text: str | None) -> frozenset[str] | None:
    if text is None:
        return None
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    unknown = sorted(names - categories())
    if unknown or not names:
        known = ", ".join(sorted(categories()))
        raise click.BadParameter(
            f"{', '.join(unknown) or 'nothing named'}; the categories are {known}", param_hint="--only"
        )
    return names
