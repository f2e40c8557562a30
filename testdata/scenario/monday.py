"""Monday, 18 May 2020: an ordinary day on the workstation, a stolen account, and the first hijack.

The machine was started at 07:30, but its Security and Sysmon logs were full: what they still have begins at 08:10. So
the service host of the Update Orchestrator Service that was started at 07:33 (pid 5412) is in no record.
"""

from __future__ import annotations

from functools import partial

from tests.evtxmaker import filetime

from .activity import (
    booted,
    connected,
    explicit_logon,
    file_created,
    logoff,
    logon,
    logon_failed,
    name_resolved,
    registry_key,
    registry_value,
    security_started,
    service_installed,
    service_state,
    shut_down,
    sysmon_service,
)
from .cast import (
    BRANDT,
    CHROME,
    CMD,
    CONTROL_HOST,
    CONTROL_IP,
    DOMAIN_CONTROLLER,
    INTRUDER_HOST,
    INTRUDER_IP,
    KELLER,
    MONDAY,
    OFFICE,
    ORTIZ,
    OWN_IP,
    PROXY,
    SVCHOST,
    SYSTEM,
    SYSTEM32,
    at,
    start_desktop,
    start_windows,
    svchost,
    user,
)
from .machine import SYSMON_LOG, Machine, Process

_PIDS = {
    "smss": 368, "smss-0": 456, "csrss-0": 492, "smss-1": 560, "wininit": 572, "csrss-1": 580, "winlogon": 668,
    "services": 712, "lsass": 728, "dcom": 864, "rpc": 956, "eventlog": 1204, "schedule": 1316, "profiles": 1364,
    "users": 1412, "dns": 1688, "terminal": 1752, "time": 1808, "wmi": 1924, "bits": 2260, "shared": 2344,
    "spooler": 2512, "defender": 2876,
}  # fmt: skip

KELLER_MONDAY = user(*KELLER, 0x5A31C, "2020-05-18T07:34:11Z", terminal=1)
BRANDT_REMOTE = user(*BRANDT, 0x2F41D7, "2020-05-18T09:02:26Z", terminal=2)
BRANDT_NETWORK = user(*BRANDT, 0x2EE8A0, "2020-05-18T08:57:41Z", terminal=0)
ORTIZ_HIGH = user(*ORTIZ, 0x3B1F62, "2020-05-18T10:12:08Z", terminal=3, integrity="High")
ORTIZ_LOW = user(*ORTIZ, 0x3B1F9E, "2020-05-18T10:12:08Z", terminal=3)

UPDATE_SERVICE = "Update Orchestrator Service"
SCHEDULER_KEY = "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\WindowsUpdate\\Orchestrator\\UScheduler"


def tell(machine: Machine) -> None:
    """Tell all of Monday."""
    running = _before_the_logs_begin(machine)
    _morning(machine, running)
    _stolen_account(machine, running)
    _sysmon_is_updated(machine, running)
    _update_service_restarts(machine, running)
    _first_hijack(machine, running)
    _near_misses(machine, running)
    _evening(machine, running)


def _before_the_logs_begin(machine: Machine) -> dict[str, Process]:
    begins = filetime("2020-05-18T08:10:00Z")
    machine.begins = {"Security.evtx": begins, SYSMON_LOG: begins}
    booted(machine, at(MONDAY, "07:30:02"), at(MONDAY, "07:30:09"), 11, unclean="2020-05-15T16:12:40Z")
    machine.sysmon_pid = 2684
    running = start_windows(machine, MONDAY, "07:30", _PIDS)
    security_started(machine, at(MONDAY, "07:30:08"))
    running["usosvc"] = svchost(machine, at(MONDAY, "07:33:14"), 5412, "-k netsvcs -p -s UsoSvc", running["services"])
    running["explorer"] = start_desktop(machine, MONDAY, "07:34", running, session=KELLER_MONDAY, first_pid=4012)
    service_state(machine, at(MONDAY, "07:33:14"), "UsoSvc", UPDATE_SERVICE, running=True)
    return running


def _morning(machine: Machine, running: dict[str, Process]) -> None:
    explorer = running["explorer"]
    again = user(*KELLER, 0x1C07E3, at(MONDAY, "08:14:37"), terminal=1)
    explicit_logon(machine, at(MONDAY, "08:14:36"), again, running["winlogon"])
    logon(machine, at(MONDAY, "08:14:37"), again, 7, process=running["winlogon"], workstation="WS-FIN-07")
    logoff(machine, at(MONDAY, "08:14:38"), again, 7)

    outlook = machine.start(
        at(MONDAY, "08:15:20"), 6108, OFFICE + "OUTLOOK.EXE", f'"{OFFICE}OUTLOOK.EXE"', parent=explorer
    )
    name_resolved(machine, at(MONDAY, "08:15:22"), outlook, "mail.corp.example", "192.0.2.25")
    connected(machine, at(MONDAY, "08:15:22"), outlook, "192.0.2.25", 443, own_ip=OWN_IP, host="mail.corp.example")
    browser = machine.start(at(MONDAY, "08:21:02"), 6480, CHROME, f'"{CHROME}"', parent=explorer)
    for place, pid in enumerate((6532, 6560, 6604)):
        kind = ("gpu-process", "utility", "renderer")[place]
        command_line = f'"{CHROME}" --type={kind} --field-trial-handle=1616,7712054,131072 --lang=de'
        machine.start(at(MONDAY, f"08:21:0{3 + place}"), pid, CHROME, command_line, parent=browser)
    name_resolved(machine, at(MONDAY, "08:21:05"), browser, "www.example.org", "203.0.113.80")
    connected(machine, at(MONDAY, "08:21:05"), browser, PROXY, 3128, own_ip=OWN_IP, host="proxy.corp.example")
    sheet = "C:\\Users\\a.keller\\Documents\\Übersicht Mai - Löhne & Gehälter.xlsx"
    excel = machine.start(
        at(MONDAY, "08:40:51"), 6716, OFFICE + "EXCEL.EXE", f'"{OFFICE}EXCEL.EXE" "{sheet}"', parent=outlook
    )
    file_created(machine, at(MONDAY, "08:41:30"), excel, sheet.replace("Übersicht", "~$ersicht"))
    machine.end(excel, at(MONDAY, "09:55:18"))
    running["outlook"] = outlook


def _stolen_account(machine: Machine, running: dict[str, Process]) -> None:
    """Failed guesses, a network logon, a remote desktop, and the program that hands work to the Orchestrator."""
    for clock, name, wrong_name in (("08:52:03", "tbrandt", True), ("08:52:19", "t.brandt", False)):
        port = f"{49_800 + int(clock[-2:])}"
        logon_failed(
            machine,
            at(MONDAY, clock),
            name,
            ip=INTRUDER_IP,
            port=port,
            workstation=INTRUDER_HOST,
            wrong_name=wrong_name,
        )
    logon(
        machine,
        at(MONDAY, "08:57:41"),
        BRANDT_NETWORK,
        3,
        package="NTLM",
        by="NtLmSsp ",
        ip=INTRUDER_IP,
        port="49833",
        workstation=INTRUDER_HOST,
    )
    logoff(machine, at(MONDAY, "08:57:52"), BRANDT_NETWORK, 3)

    explicit_logon(machine, at(MONDAY, "09:02:25"), BRANDT_REMOTE, running["terminal"], INTRUDER_IP)
    logon(
        machine,
        at(MONDAY, "09:02:26"),
        BRANDT_REMOTE,
        10,
        process=running["terminal"],
        ip=INTRUDER_IP,
        workstation="WS-FIN-07",
    )
    explorer = start_desktop(machine, MONDAY, "09:03", running, session=BRANDT_REMOTE, first_pid=7216)
    command_line = "rdpclip"
    terminal = running["terminal"]
    machine.start(
        at(MONDAY, "09:03:02"),
        7188,
        SYSTEM32 + "rdpclip.exe",
        command_line,
        parent=terminal,
        session=BRANDT_REMOTE,
    )
    running["remote-explorer"] = explorer
    shell = machine.start(
        at(MONDAY, "09:08:40"), 7748, CMD, f'"{CMD}"', parent=explorer, folder="C:\\Users\\t.brandt\\"
    )
    machine.start(
        at(MONDAY, "09:08:40.9000117"),
        7756,
        SYSTEM32 + "conhost.exe",
        "\\??\\C:\\Windows\\system32\\conhost.exe 0xffffffff -ForceV1",
        parent=shell,
    )
    tool = "C:\\Users\\t.brandt\\AppData\\Local\\Temp\\uso\\schedwork.exe"
    file_created(machine, at(MONDAY, "09:07:55"), explorer, tool)
    work = f'{CMD} /c \\"whoami /all > C:\\ProgramData\\Intel\\id.txt\\"'
    folder = "C:\\Users\\t.brandt\\AppData\\Local\\Temp\\uso\\"
    scheduler = machine.start(
        at(MONDAY, "09:10:12"), 7820, tool, f'schedwork.exe --cmd "{work}"', parent=shell, folder=folder
    )
    entry = f"{SCHEDULER_KEY}\\56A4F6E1-0B52-4F0C-9C3E-A2D4B7C31E90"
    orchestrator = running["usosvc"]
    registry_key(machine, at(MONDAY, "09:10:12.8003301"), orchestrator, entry)
    for place, (name, details) in enumerate(
        (
            ("cmdLine", CMD),
            ("startArg", "/c whoami /all > C:\\ProgramData\\Intel\\id.txt & net user"),
            ("pauseArg", "(Empty)"),
            ("status", "DWORD (0x00000001)"),
        )
    ):
        clock = f"09:10:12.80{41 + place}127"
        registry_value(machine, at(MONDAY, clock), orchestrator, f"{entry}\\{name}", details)
    machine.end(scheduler, at(MONDAY, "09:10:13.4"))
    running["remote-shell"] = shell


def _sysmon_is_updated(machine: Machine, running: dict[str, Process]) -> None:
    """IT installs a new Sysmon configuration; for six minutes only Security sees what starts."""
    pair = partial(logon, process=running["terminal"], ip="192.0.2.31", workstation="WS-FIN-07")
    pair(machine, at(MONDAY, "10:12:08.1100007"), ORTIZ_HIGH, 10, linked=0x3B1F9E, elevated=True)
    pair(machine, at(MONDAY, "10:12:08.1100231"), ORTIZ_LOW, 10, linked=0x3B1F62)
    explorer = start_desktop(machine, MONDAY, "10:13", running, session=ORTIZ_LOW, first_pid=8004)
    powershell = machine.start(
        at(MONDAY, "10:14:31"),
        8460,
        SYSTEM32 + "WindowsPowerShell\\v1.0\\powershell.exe",
        f'"{SYSTEM32}WindowsPowerShell\\v1.0\\powershell.exe"',
        parent=explorer,
        session=ORTIZ_HIGH,
    )
    sysmon_service(machine, at(MONDAY, "10:15:58"), None)
    # Its parent, pid 5412, was started before the logs begin: nothing says what that service host was for.
    hidden = machine.start(
        at(MONDAY, "10:17:43"),
        8624,
        CMD,
        f"{CMD} /c hostname > C:\\ProgramData\\Intel\\h.txt",
        parent=running["usosvc"],
    )
    conhost = "\\??\\C:\\Windows\\system32\\conhost.exe 0xffffffff -ForceV1"
    machine.start(at(MONDAY, "10:17:43.9"), 8632, SYSTEM32 + "conhost.exe", conhost, parent=hidden)
    machine.end(hidden, at(MONDAY, "10:17:44.6"))
    machine.start(
        at(MONDAY, "10:21:50"),
        8708,
        "C:\\Windows\\Sysmon64.exe",
        "C:\\Windows\\Sysmon64.exe",
        parent=running["services"],
    )
    sysmon_service(machine, at(MONDAY, "10:21:52"), 8708)
    machine.end(powershell, at(MONDAY, "10:24:10"))
    logoff(machine, at(MONDAY, "10:26:03"), ORTIZ_LOW, 10, by_user=True)
    logoff(machine, at(MONDAY, "10:26:04"), ORTIZ_HIGH, 10)


def _update_service_restarts(machine: Machine, running: dict[str, Process]) -> None:
    """The service ends for want of work and comes back; then it starts what it always starts."""
    machine.end(running["usosvc"], at(MONDAY, "11:40:07"))
    service_state(machine, at(MONDAY, "11:40:07"), "UsoSvc", UPDATE_SERVICE, running=False)
    client = machine.start(
        at(MONDAY, "11:55:00"),
        6988,
        SYSTEM32 + "UsoClient.exe",
        "C:\\Windows\\system32\\usoclient.exe StartScan",
        parent=running["schedule"],
    )
    orchestrator = svchost(machine, at(MONDAY, "11:55:01"), 7024, "-k netsvcs -p -s UsoSvc", running["services"])
    service_state(machine, at(MONDAY, "11:55:01"), "UsoSvc", UPDATE_SERVICE, running=True)
    machine.end(client, at(MONDAY, "11:55:02"))
    running["usosvc"] = orchestrator
    ordinary = (
        ("11:55:09", 7040, SYSTEM32 + "MoUsoCoreWorker.exe", "C:\\Windows\\System32\\mousocoreworker.exe -Embedding"),
        ("11:56:30", 7064, SYSTEM32 + "MusNotification.exe", "C:\\Windows\\system32\\MusNotification.exe"),
        ("11:56:31", 7072, SYSTEM32 + "MusNotificationUx.exe", "MusNotificationUx.exe ClearActiveNotifications"),
        ("11:58:12", 7080, SYSTEM32 + "WerFault.exe", "C:\\Windows\\system32\\WerFault.exe -u -p 7024 -s 1312"),
        ("11:58:20", 7092, SYSTEM32 + "wermgr.exe", "C:\\Windows\\system32\\wermgr.exe -upload"),
        ("12:05:44", 7140, "c:\\windows\\system32\\USOCLIENT.EXE", "USOCLIENT.EXE RefreshSettings"),
    )  # fmt: skip
    for clock, pid, image, command_line in ordinary:
        child = machine.start(at(MONDAY, clock), pid, image, command_line, parent=orchestrator)
        machine.end(child, at(MONDAY, f"{clock[:-2]}5{clock[-1]}"))
    icon = SYSTEM32 + "MusNotifyIcon.exe"
    machine.start(
        at(MONDAY, "11:57:03"),
        7076,
        icon,
        "%systemroot%\\system32\\MusNotifyIcon.exe NotifyTrayIcon 13",
        parent=orchestrator,
        session=KELLER_MONDAY,
    )
    office = "C:\\Program Files\\Common Files\\microsoft shared\\ClickToRun\\OfficeC2RClient.exe"
    update = f'"{office}" /frequentupdate SCHEDULEDTASK displaylevel=False'
    machine.start(at(MONDAY, "12:10:00"), 7160, office, update, parent=orchestrator)


def _first_hijack(machine: Machine, running: dict[str, Process]) -> None:
    """The Orchestrator starts cmd.exe as SYSTEM: seen by both logs."""
    line = f"{CMD} /c whoami /all > C:\\ProgramData\\Intel\\id.txt & net user"
    shell = machine.start(at(MONDAY, "13:20:05"), 9012, CMD, line, parent=running["usosvc"])
    conhost = "\\??\\C:\\Windows\\system32\\conhost.exe 0xffffffff -ForceV1"
    machine.start(at(MONDAY, "13:20:05.9"), 9020, SYSTEM32 + "conhost.exe", conhost, parent=shell)
    file_created(machine, at(MONDAY, "13:20:06.1"), shell, "C:\\ProgramData\\Intel\\id.txt")
    whoami = machine.start(at(MONDAY, "13:20:06.2"), 9044, SYSTEM32 + "whoami.exe", "whoami  /all", parent=shell)
    machine.end(whoami, at(MONDAY, "13:20:06.4"))
    net = machine.start(at(MONDAY, "13:20:06.5"), 9060, SYSTEM32 + "net.exe", "net  user", parent=shell)
    line = "C:\\Windows\\system32\\net1 user"
    net1 = machine.start(at(MONDAY, "13:20:06.6"), 9068, SYSTEM32 + "net1.exe", line, parent=net)
    for process, clock in ((net1, "13:20:06.8"), (net, "13:20:06.9"), (shell, "13:20:07.1")):
        machine.end(process, at(MONDAY, clock))


def _near_misses(machine: Machine, running: dict[str, Process]) -> None:
    """Starts that look like the hijack to a careless reader."""
    start, explorer = machine.start, running["explorer"]
    line = f"{CMD} /c C:\\Scripts\\inventory.cmd"
    task = start(at(MONDAY, "14:00:00"), 9204, CMD, line, parent=running["schedule"])
    machine.end(task, at(MONDAY, "14:00:03"))
    notify = f"{CMD} /c echo done"
    job = start(at(MONDAY, "14:05:11"), 9248, CMD, notify, parent=running["bits"])
    machine.end(job, at(MONDAY, "14:05:12"))

    path = f'{SVCHOST} -k netsvcs -p -s "UsoSvc backup"'
    service_installed(machine, at(MONDAY, "14:09:40"), "UsoSvc backup", path, ORTIZ_HIGH)
    backup = svchost(machine, at(MONDAY, "14:10:02"), 9304, '-k netsvcs -p -s "UsoSvc backup"', running["services"])
    copy = start(at(MONDAY, "14:10:20"), 9312, CMD, f"{CMD} /c copy C:\\Data D:\\", parent=backup)
    machine.end(copy, at(MONDAY, "14:10:31"))
    machine.end(backup, at(MONDAY, "14:10:33"))

    asking = start(at(MONDAY, "14:22:08"), 9408, CMD, f"{CMD} /c sc query UsoSvc", parent=explorer)
    query = start(at(MONDAY, "14:22:08.9"), 9424, SYSTEM32 + "sc.exe", "sc  query UsoSvc", parent=asking)
    machine.end(query, at(MONDAY, "14:22:09.1"))
    machine.end(asking, at(MONDAY, "14:22:09.2"))

    image = "C:\\Users\\t.brandt\\AppData\\Local\\Temp\\svchost.exe"
    false_host = start(
        at(MONDAY, "14:31:50"), 9520, image, f"{image} -k netsvcs -p -s UsoSvc", parent=running["remote-shell"]
    )
    name_resolved(machine, at(MONDAY, "14:31:53"), false_host, CONTROL_HOST, CONTROL_IP)
    connected(machine, at(MONDAY, "14:31:53"), false_host, CONTROL_IP, 443, own_ip=OWN_IP, host=CONTROL_HOST)
    child = start(at(MONDAY, "14:32:01"), 9536, CMD, f"{CMD} /c ipconfig /all", parent=false_host)
    machine.end(child, at(MONDAY, "14:32:02"))
    machine.end(false_host, at(MONDAY, "14:33:30"))


def _evening(machine: Machine, running: dict[str, Process]) -> None:
    """Everybody logs off and the machine is shut down; the Orchestrator's host (pid 7024) runs to the last."""
    connected(
        machine,
        at(MONDAY, "15:02:44"),
        running["outlook"],
        DOMAIN_CONTROLLER,
        389,
        own_ip=OWN_IP,
        host="dc01.corp.example",
    )
    logoff(machine, at(MONDAY, "16:40:12"), BRANDT_REMOTE, 10)
    machine.end(running["outlook"], at(MONDAY, "17:57:31"))
    machine.end(running["explorer"], at(MONDAY, "17:58:09"))
    logoff(machine, at(MONDAY, "17:58:12"), KELLER_MONDAY, 2, by_user=True)
    logon(machine, at(MONDAY, "17:58:14"), SYSTEM, 5, process=running["services"], by="Advapi  ", ip="-", port="-")
    shut_down(machine, at(MONDAY, "18:05:20"), at(MONDAY, "18:05:17"))
    machine.sysmon_pid = None
