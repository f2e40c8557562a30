"""Fields that lineage adds to a process start: which of its columns each is made of, and how."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evtxscan.ecs import derive

_PARENT_PROGRAM = "process.parent.executable"
_PARENT_LINE = "process.parent.command_line"
# Lineage takes the parent's own record; its command line is split as Sysmon's is.
INFERRED: dict[str, tuple[str, Callable[..., tuple[Any, ...]]]] = {
    _PARENT_PROGRAM: (_PARENT_PROGRAM, derive.one(str)),
    "process.parent.name": (_PARENT_PROGRAM, derive.one(derive.base_name)),
    _PARENT_LINE: (_PARENT_LINE, derive.one(str)),
    "process.parent.args": (_PARENT_LINE, derive.function("sysmon_args")),
    "process.parent.args_count": (_PARENT_LINE, lambda line: derive.count(derive.function("sysmon_args")(line))),
}
# Where an inferred column's values come from.
ORIGIN = {_PARENT_PROGRAM: "process.executable", _PARENT_LINE: "process.command_line"}
