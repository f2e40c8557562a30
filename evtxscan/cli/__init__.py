"""The command line: a thin shell over evtxscan.casework. Commands are loaded when they are called."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from typing import Any

import click

from evtxscan import __version__
from evtxscan.errors import EqlError, EvtxscanError, UsageError

COMMANDS = {
    "ingest": "Read event logs into a case.",
    "detect": "Run detection rules over a case.",
    "query": "Find events of a case with EQL.",
    "show": "Show one event: document, XML, place, parents, session.",
    "coverage": "Describe what the logs of a case cover and what they do not.",
    "verify": "Check a case against its evidence with a second parser.",
    "manifest": "Write what ties the result in a case to its evidence.",
    "selftest": "Check this installation against its requirements.",
    "carve": "Find records of event logs in images, memory and other files.",
    "slack": "Show stale records that could not be made events.",
    "rules": "Show rules: which run, why others do not, what a case can decide.",
    "info": "Describe a case: sources, hosts, counts, losses.",
}
# Commands hold millions of objects that are no garbage: looking for cycles among them as often as Python does by
# default takes up to a third of a command's time.
_COLLECT = (100_000, 20, 20)
EXIT_FAILED, EXIT_USAGE, EXIT_PARTIAL, EXIT_INTERRUPTED = 1, 2, 3, 130


class _ReaderGoneError(Exception):
    """Nobody reads our output any more (`| head`)."""


class _Commands(click.Group):
    """Knows the commands' names and one-line helps without importing them: ``--help`` has to be quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"evtxscan.cli.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - what a command returns
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _ReaderGoneError from error  # of the error itself click would make exit code 1

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 complete; 1 failed; 2 wrong usage; 3 done, but evidence was lost or could not be read;"
    " 130 interrupted.",
)
@click.version_option(__version__, prog_name="evtxscan")
def cli() -> None:
    """Run Elastic's detection rules over the event logs of a dead Windows machine.

    \b
      evtxscan ingest EVIDENCE...     evidence -> one case file
      evtxscan detect                 rules -> findings, with the logon context of each
    """


def main() -> None:
    """Run the command line and leave with the documented exit code; no traceback for what a user can cause."""
    gc.set_threshold(*_COLLECT)
    try:
        code = cli.main(standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):  # click makes the one of the other
        _leave("interrupted; what was stored is complete, run the same command again to go on", EXIT_INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except _ReaderGoneError:
        _discard_output()
        sys.exit(0)
    except OSError as error:
        _discard_output()
        _leave(f"{error.filename or 'output'}: {error.strerror or error}", EXIT_FAILED)
    except UsageError as error:
        _leave(str(error), EXIT_USAGE)
    except EqlError as error:
        _leave(error.explain(), EXIT_USAGE)
    except EvtxscanError as error:
        _leave(str(error), EXIT_FAILED)
    except MemoryError:
        _leave("not enough memory", EXIT_FAILED)
    sys.exit(code if isinstance(code, int) else 0)


def _discard_output() -> None:
    """Keep Python from failing once more, and complaining, when it flushes standard output at exit."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _leave(message: str, code: int) -> None:
    from evtxscan.export.text import visible  # noqa: PLC0415 - only a failing command needs it

    lines = [visible(line) for line in message.splitlines()]
    click.echo("\n".join(["evtxscan: " + lines[0], *lines[1:]] if lines else "evtxscan: failed"), err=True)
    sys.exit(code)
