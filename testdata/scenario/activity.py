"""What happens on a machine beside processes starting and ending: boots, logons, services, registry, network."""

from __future__ import annotations

import struct

from tests.evtxmaker import Value, filetime, from_filetime, template

from .machine import Machine, Process, Session, jitter, made_guid, utc_text

SYSTEM_LOG = "System.evtx"
_EVERY_PRIVILEGE = "\r\n\t\t\t".join(
    f"Se{name}Privilege"
    for name in ("Security", "TakeOwnership", "LoadDriver", "Backup", "Restore", "Debug", "SystemEnvironment")
)
_SYSTEM_PRIVILEGES = "\r\n\t\t\t".join(
    f"Se{name}Privilege" for name in ("AssignPrimaryToken", "Tcb", "Security", "TakeOwnership", "LoadDriver", "Debug")
)
_NO_GUID = "00000000-0000-0000-0000-000000000000"
_PROCESS_CREATION = "0cce922b-69ae-11d9-bed3-505054503030"


def booted(machine: Machine, kernel_at: str, log_service_at: str, uptime: int, *, unclean: str | None = None) -> None:
    """Begin a boot: Kernel-General 12, then the log service's 6009, 6005 and 6013; 6008 if the last boot broke off."""
    machine.restart(kernel_at)
    windows = machine.windows
    at = filetime(kernel_at)
    machine.record(
        SYSTEM_LOG,
        template("kernel-general", 12),
        at,
        4,
        machine.system.sid,
        MajorVersion=windows.major,
        MinorVersion=windows.minor,
        BuildVersion=windows.build,
        QfeVersion=windows.update,
        StartTime=at - 4_871_003,
    )
    at = filetime(log_service_at)
    version = f"{windows.major}.{windows.minor:02d}."
    _classic(machine, 6009, at, [version, str(windows.build), windows.service_pack, "Multiprocessor Free", "0"], b"")
    _classic(machine, 6005, at, None, _systemtime(at))
    if unclean:
        last = from_filetime(filetime(unclean))
        strings = [f"{last:%H:%M:%S}", f"{last:%d.%m.%Y}", "", "", "31207", "", ""]
        _classic(machine, 6008, at, strings, _systemtime(filetime(unclean)) * 2)
    _classic(machine, 6013, at, ["", "", "", "", str(uptime), "60", "0 Coordinated Universal Time"], b"")


def security_started(machine: Machine, at: str) -> None:
    """Write 4608 and the logon of the system itself."""
    machine.security(4608, filetime(at))
    session = machine.system
    logon(machine, at, session, 0, package="-", by="-", ip="-", port="-")


def shut_down(machine: Machine, at: str, log_service_at: str) -> None:
    """End a boot: Security 1100, System 6006, Kernel-General 13."""
    when = filetime(log_service_at)
    machine.record("Security.evtx", template("eventlog", 1100), when + 3_107, machine.eventlog_pid)
    _classic(machine, 6006, when, None, b"\1" + bytes(7))
    when = filetime(at)
    machine.record(SYSTEM_LOG, template("kernel-general", 13), when, 4, StopTime=when - 9)


def logon(
    machine: Machine,
    at: str,
    session: Session,
    kind: int,
    *,
    process: Process | None = None,
    package: str = "Negotiate",
    by: str = "User32 ",
    ip: str = "127.0.0.1",
    port: str = "0",
    workstation: str | None = None,
    linked: int = 0,
    elevated: bool = False,
) -> None:
    """Write 4624 and, for sessions with privileges, 4672; remote ones show no subject, local ones the machine."""
    when = filetime(at)
    remote = kind in (0, 3)
    subject = _NOBODY if remote else machine.subject(machine.system)
    target: dict[str, Value] = {
        "TargetUserSid": session.sid,
        "TargetUserName": session.user,
        "TargetDomainName": session.domain,
        "TargetLogonId": session.logon_id,
    }
    machine.security(
        4624,
        when,
        **subject,
        **target,
        LogonType=kind,
        LogonProcessName=by,
        AuthenticationPackageName=package,
        WorkstationName="-" if workstation is None else workstation,
        LogonGuid=made_guid(f"logon {session.logon_id}") if package == "Kerberos" else _NO_GUID,
        TransmittedServices="-",
        LmPackageName="NTLM V2" if package == "NTLM" else "-",
        KeyLength=128 if package == "NTLM" else 0,
        ProcessId=process.pid if process else (4 if kind == 0 else 0),
        ProcessName=process.image if process else ("" if kind == 0 else "-"),
        IpAddress=ip,
        IpPort=port,
        ImpersonationLevel="-" if kind == 0 else "%%1833",
        RestrictedAdminMode="-",
        TargetOutboundUserName="-",
        TargetOutboundDomainName="-",
        VirtualAccount="%%1843",
        TargetLinkedLogonId=linked,
        ElevatedToken="%%1842" if elevated or session.integrity == "System" else "%%1843",
    )
    if elevated or session.sid == machine.system.sid:
        privileges = _EVERY_PRIVILEGE if elevated else _SYSTEM_PRIVILEGES
        own = {name.replace("Target", "Subject"): value for name, value in target.items()}
        machine.security(4672, when + 211, **own, PrivilegeList=privileges)


_NOBODY: dict[str, Value] = {
    "SubjectUserSid": "S-1-0-0",
    "SubjectUserName": "-",
    "SubjectDomainName": "-",
    "SubjectLogonId": 0,
}


def logon_failed(
    machine: Machine, at: str, user: str, *, ip: str, port: str, workstation: str, wrong_name: bool
) -> None:
    """Write a 4625 of a network logon: unknown name or wrong password."""
    machine.security(
        4625,
        filetime(at),
        **_NOBODY,
        TargetUserSid="S-1-0-0",
        TargetUserName=user,
        TargetDomainName="CORP",
        Status=0xC000006D,
        FailureReason="%%2313",
        SubStatus=0xC0000064 if wrong_name else 0xC000006A,
        LogonType=3,
        LogonProcessName="NtLmSsp ",
        AuthenticationPackageName="NTLM",
        WorkstationName=workstation,
        TransmittedServices="-",
        LmPackageName="-",
        ProcessName="-",
        IpAddress=ip,
        IpPort=port,
    )


def explicit_logon(machine: Machine, at: str, session: Session, process: Process, ip: str = "127.0.0.1") -> None:
    """Write 4648: a process of the system presents the credentials of `session`."""
    machine.security(
        4648,
        filetime(at),
        **machine.subject(machine.system),
        LogonGuid=_NO_GUID,
        TargetUserName=session.user,
        TargetDomainName=session.domain,
        TargetLogonGuid=_NO_GUID,
        TargetServerName="localhost",
        TargetInfo="localhost",
        ProcessId=process.pid,
        ProcessName=process.image,
        IpAddress=ip,
        IpPort="0",
    )


def logoff(machine: Machine, at: str, session: Session, kind: int, *, by_user: bool = False) -> None:
    """Write 4634, and 4647 before it if the user asked for it."""
    target: dict[str, Value] = {
        "TargetUserSid": session.sid,
        "TargetUserName": session.user,
        "TargetDomainName": session.domain,
        "TargetLogonId": session.logon_id,
    }
    when = filetime(at)
    if by_user:
        machine.security(4647, when - 2_113_407, **target)
    machine.security(4634, when, **target, LogonType=kind)


def service_state(machine: Machine, at: str, name: str, display_name: str, *, running: bool) -> None:
    """Write the Service Control Manager's 7036."""
    binary = f"{name}/{4 if running else 1}\0".encode("utf-16-le")
    machine.record(
        SYSTEM_LOG,
        template("scm", 7036),
        filetime(at),
        machine.services_pid,
        param1=display_name,
        param2="running" if running else "stopped",
        Binary=binary,
    )


def service_installed(machine: Machine, at: str, name: str, path: str, by: Session, *, automatic: bool = False) -> None:
    """Write System 7045 and Security 4697."""
    when = filetime(at)
    machine.record(
        SYSTEM_LOG,
        template("scm", 7045),
        when,
        machine.services_pid,
        by.sid,
        ServiceName=name,
        ImagePath=path,
        ServiceType="user mode service",
        StartType="auto start" if automatic else "demand start",
        AccountName="LocalSystem",
    )
    machine.security(
        4697,
        when + 1_872,
        **machine.subject(by),
        ServiceName=name,
        ServiceFileName=path,
        ServiceType=0x10,
        ServiceStartType=2 if automatic else 3,
        ServiceAccount="LocalSystem",
    )


def audit_process_creation(machine: Machine, at: str, by: Session, *, on: bool) -> None:
    """Switch the auditing of process creation and write 4719."""
    machine.security(
        4719,
        filetime(at),
        **machine.subject(by),
        CategoryId="%%8276",
        SubcategoryId="%%13312",
        SubcategoryGuid=_PROCESS_CREATION,
        AuditPolicyChanges="%%8449" if on else "%%8448",
    )
    machine.auditing = on


def sysmon_service(machine: Machine, at: str, pid: int | None) -> None:
    """Start Sysmon as process `pid`, or stop it, and write its event 4."""
    when = filetime(at)
    if pid is not None:
        machine.sysmon_pid = pid
    machine.sysmon(4, when, State="Stopped" if pid is None else "Started", Version="11.0", SchemaVersion="4.30")
    if pid is None:
        machine.sysmon_pid = None


def registry_value(machine: Machine, at: str, process: Process, target: str, details: str) -> None:
    """Write Sysmon 13."""
    when = filetime(at)
    machine.sysmon(13, when, EventType="SetValue", **machine.actor(process), TargetObject=target, Details=details)


def registry_key(machine: Machine, at: str, process: Process, target: str, kind: str = "CreateKey") -> None:
    """Write Sysmon 12."""
    machine.sysmon(12, filetime(at), EventType=kind, **machine.actor(process), TargetObject=target)


def file_created(machine: Machine, at: str, process: Process, path: str) -> None:
    """Write Sysmon 11."""
    when = filetime(at)
    machine.sysmon(11, when, **machine.actor(process), TargetFilename=path, CreationUtcTime=utc_text(when))


def name_resolved(machine: Machine, at: str, process: Process, name: str, *addresses: str, status: int = 0) -> None:
    """Write Sysmon 22."""
    results = "".join(f"::ffff:{address};" for address in addresses) or "-"
    query: dict[str, Value] = {"QueryName": name, "QueryStatus": str(status), "QueryResults": results}
    machine.sysmon(22, filetime(at), **machine.actor(process), **query)


def connected(machine: Machine, at: str, process: Process, ip: str, port: int, *, own_ip: str, host: str = "-") -> None:
    """Write Sysmon 3, which comes about a second after the connection that it is about."""
    happened = filetime(at)
    written = happened + 8_000_000 + jitter(f"connection{at}", 9_000_000)
    machine.sysmon(
        3,
        written,
        happened,
        **machine.actor(process),
        User=process.session.account,
        Protocol="tcp",
        Initiated=1,
        SourceIp=own_ip,
        SourceHostname=machine.computer,
        SourcePort=49_700 + jitter(f"port{at}", 12_000),
        SourcePortName="-",
        DestinationIp=ip,
        DestinationHostname=host,
        DestinationPort=port,
        DestinationPortName={80: "http", 443: "https"}.get(port, "-"),
    )


def clock_set(machine: Machine, at: str, old: str, by: Process) -> None:
    """Write Kernel-General 1 and Security 4616."""
    new = filetime(at)
    machine.record(
        SYSTEM_LOG,
        template("kernel-general", 1),
        new,
        by.pid,
        by.session.sid,
        NewTime=new,
        OldTime=filetime(old),
        Reason=1,
    )
    times: dict[str, Value] = {"PreviousTime": filetime(old), "NewTime": new}
    process: dict[str, Value] = {"ProcessId": by.pid, "ProcessName": by.image}
    machine.security(4616, new + 904, 4, **machine.subject(by.session), **times, **process)


def _classic(machine: Machine, event_id: int, at: int, strings: list[str] | None, binary: bytes) -> None:
    """Write an event of the log service's own source, which counts whole seconds and names no process."""
    whole = at // 10_000_000 * 10_000_000
    machine.record(SYSTEM_LOG, template("classic", event_id), whole, Data=strings, Binary=binary or None)


def _systemtime(at: int) -> bytes:
    """Return a SYSTEMTIME (eight 16-bit numbers) and eight bytes of padding, as these events carry it."""
    time = from_filetime(at)
    fields = (time.year, time.month, time.isoweekday() % 7, time.day, time.hour, time.minute, time.second, 0)
    return struct.pack("<8H8x", *fields)
