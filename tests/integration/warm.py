"""Runs the command line again and again, each time in a new process: one that has imported everything, forked.

Reads one JSON object a line from standard input (arguments, working directory, files for the two outputs) and answers
with the exit code, or with the negative number of the signal that ended the command.
"""

from __future__ import annotations

import json
import os
import pkgutil
import sys
from importlib import import_module
from importlib.util import find_spec

import evtxscan
from evtxscan.cli import main

# Modules that need a package which only an extra installs.
OF_EXTRAS = {"evtxscan.evidence.containers.image_layer": "dfvfs"}


def import_all() -> None:
    """Import every module of the package, which a command would do when it gets there."""
    for module in pkgutil.walk_packages(evtxscan.__path__, "evtxscan."):
        needs = OF_EXTRAS.get(module.name)
        if not module.name.endswith("__main__") and (needs is None or find_spec(needs)):
            import_module(module.name)


def begin(order: dict[str, str | list[str]]) -> None:
    """Make of this process, a new one, that of the command."""
    os.chdir(str(order["cwd"]))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(str(order["out"]), os.O_WRONLY), 1)
    os.dup2(os.open(str(order["err"]), os.O_WRONLY), 2)
    sys.argv = ["evtxscan", *(os.fsdecode(word.encode("latin-1")) for word in order["arguments"])]


if __name__ == "__main__":
    import_all()
    for line in sys.stdin:
        if child := os.fork():
            _, status = os.waitpid(child, 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
        else:
            begin(json.loads(line))
            main()
