"""Where results go: standard output, or a file that is complete or not there at all."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from evtxscan.errors import EvtxscanError, UsageError


@contextmanager
def open_output(path: Path | None) -> Iterator[BinaryIO]:
    """Give the stream to write a result to.

    A file appears under its name only when all of it is written. Raises UsageError rather than replace evidence,
    EvtxscanError when the file cannot be written.
    """
    if path is None:
        if sys.stdout is None:
            raise EvtxscanError("standard output is closed; name a file with --output")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    refuse_evidence(path, "--output")
    try:
        if path.exists() and not path.is_file():  # a device or a pipe must not be replaced
            with path.open("wb") as device:
                yield device
            return
        path = path.resolve()  # a link stays, and what it points to is replaced
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            part = Path(file.name)
            try:
                yield file  # type: ignore[misc]
            except BaseException:
                file.close()
                part.unlink(missing_ok=True)
                raise
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise EvtxscanError(f"{path}: cannot be written: {error.strerror or error}") from error


def refuse_evidence(path: Path, option: str) -> None:
    """Raise UsageError where ``path`` is an event log, an archive or an image: nothing ever writes to one.

    What evtxscan exported may be exported again.
    """
    from evtxscan.evidence.recognise import Kind, kind_of  # noqa: PLC0415 - keeps --help fast

    try:
        kind = kind_of(path) if path.is_file() else None
    except OSError:
        return
    if kind and kind is not Kind.EXPORT:
        article = "an" if kind[0] in "Ee" else "a"
        raise UsageError(f"{path}: is {article} {kind} and will not be overwritten; name another file with {option}")


def _umask() -> int:
    import os  # noqa: PLC0415

    mask = os.umask(0)
    os.umask(mask)
    return mask


def say(message: str, *, quiet: bool) -> None:
    """Tell the user something on standard error. ``message`` has to be safe to print."""
    if not quiet:
        click.echo(message, err=True)
