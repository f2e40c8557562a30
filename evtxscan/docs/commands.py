"""Makes the command reference from what ``--help`` prints."""

from __future__ import annotations

import click

from evtxscan.cli import COMMANDS, cli

_WIDTH = 100
_HEAD = """\
# Commands

What `evtxscan --help` and `evtxscan COMMAND --help` print. Written by `python -m evtxscan.docs`.
"""


def render() -> str:
    """Return the page."""
    parts = [_HEAD, _block(help_of("evtxscan", cli))]
    for name in COMMANDS:
        found = command(name)
        parts += [f"\n## {name}\n", _block(help_of(f"evtxscan {name}", found))]
        for part, inner in (found.commands if isinstance(found, click.Group) else {}).items():
            parts += [f"\n### {name} {part}\n", _block(help_of(f"evtxscan {name} {part}", inner))]
    return "\n".join(parts)


def command(name: str) -> click.Command:
    """Return the command of this name."""
    found = cli.get_command(click.Context(cli), name)
    if found is None:
        raise KeyError(name)
    return found


def help_of(path: str, found: click.Command) -> str:
    """Return the help of a command as a terminal of 100 columns shows it."""
    context = click.Context(
        found, info_name=path, help_option_names=["-h", "--help"], terminal_width=_WIDTH, max_content_width=_WIDTH
    )
    return found.get_help(context).rstrip()


def _block(text: str) -> str:
    return f"```text\n{text}\n```\n"
