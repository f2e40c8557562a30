"""The server SRV-OLD-02: Windows Server 2008 R2, without Sysmon and without command lines in its auditing.

Until Monday night its 4688 is version 0, which has no field for a command line. An update and a restart make it
version 1, which has one; the policy that fills it is off. Neither version names the parent, only the parent's pid.
The machine was running when its log begins.
"""

from __future__ import annotations

from functools import partial

from .activity import booted, logoff, logon, security_started, service_state, shut_down
from .cast import CMD, LOCAL_SERVICE, MONDAY, ORTIZ, SVCHOST, SYSTEM, SYSTEM32, TUESDAY, at, user
from .machine import Machine, Process

ORTIZ_MONDAY = user(*ORTIZ, 0x91C40E, "2020-05-18T09:15:02Z", terminal=2, integrity="High")


def tell(machine: Machine) -> None:
    """Tell both days."""
    machine.audits_command_lines = False
    _monday(machine)
    _restart(machine)
    _tuesday(machine)


def _monday(machine: Machine) -> None:
    machine.creation_version = 0
    machine.lsass_pid, machine.services_pid, machine.eventlog_pid = 528, 512, 812
    services, manager = _unrecorded(machine, 512, "services.exe"), _unrecorded(machine, 264, "smss.exe")
    start = machine.start

    host = start(at(MONDAY, "02:00:00"), 1844, SVCHOST, parent=services)
    update = start(at(MONDAY, "02:00:05"), 1916, SYSTEM32 + "wuauclt.exe", parent=host)
    machine.end(update, at(MONDAY, "02:04:50"))
    machine.end(host, at(MONDAY, "02:10:31"))

    logon(machine, at(MONDAY, "09:15:02"), ORTIZ_MONDAY, 10, ip="192.0.2.31", workstation="SRV-OLD-02", elevated=True)
    session_manager = start(at(MONDAY, "09:14:58.1"), 2700, SYSTEM32 + "smss.exe", parent=manager)
    start(at(MONDAY, "09:14:58.5"), 2716, SYSTEM32 + "csrss.exe", parent=session_manager)
    winlogon = start(at(MONDAY, "09:14:58.8"), 2744, SYSTEM32 + "winlogon.exe", parent=session_manager)
    userinit = start(at(MONDAY, "09:15:04"), 2904, SYSTEM32 + "userinit.exe", parent=winlogon, session=ORTIZ_MONDAY)
    explorer = start(at(MONDAY, "09:15:05"), 2960, "C:\\Windows\\explorer.exe", parent=userinit)
    machine.end(userinit, at(MONDAY, "09:15:31"))
    console = start(at(MONDAY, "09:17:40"), 3020, SYSTEM32 + "mmc.exe", parent=explorer)
    machine.end(console, at(MONDAY, "09:31:12"))
    logoff(machine, at(MONDAY, "09:32:00"), ORTIZ_MONDAY, 10, by_user=True)


def _restart(machine: Machine) -> None:
    shut_down(machine, at(MONDAY, "22:00:41"), at(MONDAY, "22:00:37"))
    booted(machine, at(MONDAY, "22:03:10"), at(MONDAY, "22:03:24"), 16)
    machine.creation_version = 1
    machine.lsass_pid, machine.services_pid, machine.eventlog_pid = 512, 496, 796
    security_started(machine, at(MONDAY, "22:03:19"))
    service = partial(logon, machine, by="Advapi  ", ip="-", port="-")
    service(at(MONDAY, "22:03:20"), LOCAL_SERVICE, 5)
    service(at(MONDAY, "22:03:21"), SYSTEM, 5)


def _tuesday(machine: Machine) -> None:
    services = _unrecorded(machine, 496, "services.exe")
    start = machine.start
    host = start(at(TUESDAY, "03:10:00"), 1012, SVCHOST, parent=services)
    service_state(machine, at(TUESDAY, "03:10:00"), "wuauserv", "Windows Update", running=True)
    start(at(TUESDAY, "03:10:02"), 1608, SYSTEM32 + "taskeng.exe", parent=host)
    shell = start(at(TUESDAY, "03:12:44"), 1660, CMD, parent=host)
    whoami = start(at(TUESDAY, "03:12:45.2"), 1676, SYSTEM32 + "whoami.exe", parent=shell)
    machine.end(whoami, at(TUESDAY, "03:12:45.8"))
    machine.end(shell, at(TUESDAY, "03:12:46"))
    report = start(at(TUESDAY, "03:20:09"), 1720, SYSTEM32 + "WerFault.exe", parent=host)
    machine.end(report, at(TUESDAY, "03:20:30"))


def _unrecorded(machine: Machine, pid: int, name: str) -> Process:
    """Return a process that was started before anything was recorded."""
    return Process(pid, SYSTEM32 + name, "", machine.system, 0, "", None)
