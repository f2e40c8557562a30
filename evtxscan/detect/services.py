"""Service hosts that do not say which service they run.

On machines with little memory, and before Windows 10 1703 on all, several services share one svchost.exe, whose command
line names only their group (``-k netsvcs``) and no service (``-s UsoSvc``). A test that asks for a service there is
answered *no*, and that proves nothing when the service belongs to that group.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache

from evtxscan import schema
from evtxscan.ecs.argv import sysmon_args
from evtxscan.eql.predicates import Leaf

_LINES = frozenset(
    {"process.args", "process.command_line", "process.parent.args", "process.parent.command_line"},
)


@cache
def _groups() -> dict[str, str]:
    content = schema.read_json("windows/service_groups.json")
    groups = content["groups"] if isinstance(content, dict) else {}
    return {service.lower(): group.lower() for service, group in groups.items()}


@lru_cache(maxsize=4096)
def shared_group(command_line: str) -> str | None:
    """Return the group of services (lower case) of a service host that names no service, or None for anything else."""
    if "svchost" not in command_line.lower():
        return None
    args = sysmon_args(command_line)
    if not args or args[0].lower().rpartition("\\")[2] not in ("svchost.exe", "svchost"):
        return None
    options = [arg.lower() for arg in args[1:]]
    if "-s" in options or "-k" not in options[:-1]:
        return None
    return options[options.index("-k") + 1]


def proves_nothing(leaf: Leaf) -> Callable[[str], bool] | None:
    """Return what tells of which command lines failing the test leaves open what it asks for; None: of none."""
    if len(leaf.fields) != 1 or leaf.fields[0] not in _LINES:
        return None
    groups = {_groups().get(pattern.strip("*").lower()) for pattern in leaf.globs} - {None}
    return (lambda command_line: shared_group(command_line) in groups) if groups else None
