"""The questions about processes: chains of parents, trees of children, and why they end."""

from __future__ import annotations

from pathlib import Path

from evtxscan.context.model import ProcessInfo
from evtxscan.context.read import Context
from evtxscan.store.case import Case
from tests.context.machine import CMD, HOUR, MINUTE, SECOND, START, SVCHOST, USOSVC, Machine, case_of


def process(case: Case, pid: int) -> ProcessInfo:
    """Return the last process with a process id."""
    (event,) = case.db.execute(
        "SELECT coalesce(sysmon_event, security_event) FROM process WHERE pid = ? ORDER BY id DESC LIMIT 1", (pid,)
    ).fetchone()
    found = Context(case).process_of(event)
    assert found is not None
    return found


def test_chain_of_parents_says_how_each_is_known_and_why_it_ends(tmp_path: Path) -> None:
    # Catches: inferred links told as observed, the parent that only its child's record names left out, a silent end.
    machine = Machine()
    machine.start(START, 900, SVCHOST, USOSVC, parent=600, ParentProcessName="C:\\Windows\\System32\\services.exe")
    machine.sysmon_start(START + HOUR, 4000, 1, CMD, "cmd 1", ParentProcessId=900, ParentImage=SVCHOST)
    machine.sysmon_start(START + 2 * HOUR, 4004, 2, CMD, "cmd 2", parent_guid=1, ParentProcessId=4000)
    with case_of(tmp_path, machine) as case:
        parents = Context(case).parents(process(case, 4004))
        svchost = process(case, 900)
    told = [(a.process.pid, a.process.executable, a.process.command_line, a.how, a.method) for a in parents.ancestors]
    assert told == [
        (4000, CMD, "cmd 1", "observed", "sysmon_guid"),
        (900, SVCHOST, USOSVC, "inferred", "pid_time"),
        (600, "C:\\Windows\\System32\\services.exe", None, "observed", "child_record"),
    ]
    assert parents.end == "parent_record_missing"
    assert [ancestor.event for ancestor in parents.ancestors[1:]] == [svchost.event, svchost.event]


def test_times_have_the_digits_of_their_log(tmp_path: Path) -> None:
    # Catches: milliseconds shown with four zeros that nobody recorded.
    machine = Machine()
    machine.sysmon_start(START, 4000, 1)
    machine.start(START + HOUR, 4004)
    with case_of(tmp_path, machine) as case:
        assert process(case, 4000).start_digits == 3
        assert (process(case, 4004).start_digits, process(case, 4004).started) == (7, START + HOUR)


def test_tree_of_children_is_bounded_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    # Catches: children in the wrong order, a tree without an end, and children left out in silence.
    machine = Machine()
    machine.start(START, 900, SVCHOST, USOSVC)
    for number in range(5):
        machine.start(START + MINUTE + number, 4000 + 4 * number, parent=900)
        machine.start(START + HOUR + number, 5000 + 4 * number, parent=4000)
    with case_of(tmp_path, machine) as case:
        context, root = Context(case), process(case, 900)
        tree = context.children(root)
        assert [child.process.pid for child in tree.children] == [4000, 4004, 4008, 4012, 4016]
        assert [child.process.pid for child in tree.children[0].children] == [5000, 5004, 5008, 5012, 5016]
        assert (tree.left_out, tree.children[0].children[0].left_out) == (0, 0)
        flat = context.children(root, depth=1)
        assert (flat.left_out, flat.children[0].children, flat.children[0].left_out) == (0, (), 5)
        assert context.children(root, most=3).left_out == 2
        few = context.children(root, most=7)
        assert (few.left_out, len(few.children[0].children), few.children[0].left_out) == (0, 2, 3)


def test_forged_parents_in_a_ring_end(tmp_path: Path) -> None:
    # Catches: a chain that never ends: two records that name each other as parents.
    machine = Machine()
    machine.sysmon_start(START, 4000, 1, parent_guid=2, ParentProcessId=4004)
    machine.sysmon_start(START + SECOND, 4004, 2, parent_guid=1, ParentProcessId=4000)
    machine.sysmon_start(START + SECOND, 4008, 3, parent_guid=3, ParentProcessId=4008)
    with case_of(tmp_path, machine) as case:
        context = Context(case)
        assert context.parents(process(case, 4000)).end == "loop"
        assert [a.process.pid for a in context.parents(process(case, 4000)).ancestors] == [4004]
        assert context.parents(process(case, 4008)).ancestors[0].method == "child_record"
        assert context.children(process(case, 4000), depth=9).children[0].process.pid == 4004


def test_events_of_a_process_lead_to_it(tmp_path: Path) -> None:
    # Catches: only starts understood: an examiner comes from a network connection or from an end.
    machine = Machine()
    machine.sysmon_start(START, 4000, 1)
    machine.sysmon_end(START + HOUR, 4000, 1)
    machine.start(START, 4004)
    machine.end(START + HOUR, 4004)
    machine.log(4697, START + HOUR, ServiceName="x")
    with case_of(tmp_path, machine) as case:
        context = Context(case)
        by_mapping = dict(case.db.execute("SELECT mapping, event.id FROM event JOIN kind ON kind.id = kind"))
        pids = {name: found.pid for name, event in by_mapping.items() if (found := context.process_of(event))}
    assert pids == {"sysmon/1": 4000, "sysmon/5": 4000, "security/4688": 4004, "security/4689": 4004}
