"""Arranges logon sessions for the report: what an examiner quotes from a 4624, each gap named."""

from __future__ import annotations

from dataclasses import dataclass

from evtxscan.export.fields import Document, get, plain, readable_time, texts
from evtxscan.export.wording import account, explain_reason, logon_type


@dataclass(frozen=True, slots=True)
class CredentialRow:
    """A use of explicit credentials (4648) in a session."""

    time: str
    account: str
    target_server: str
    process: str
    event_id: str


@dataclass(frozen=True, slots=True)
class SessionView:
    """One logon session, every value as text; "" is what was not recorded. ``absent`` says why there is no session."""

    logon_id: str
    absent: str
    logon_type: str
    account: str
    sid: str
    address: str
    workstation: str
    package: str
    process: str
    elevated: str
    linked: str
    privileges: list[str]
    credentials: list[CredentialRow]
    start: str
    end: str
    end_reason: str
    event_id: str


def session_view(session: Document) -> SessionView:
    """Arrange one session document."""
    elevated = session.get("elevated")
    return SessionView(
        logon_id=plain(session.get("logon_id")),
        absent=explain_reason(session.get("reason")).title if session["status"] == "none" else "",
        logon_type=logon_type(session),
        account=account(session.get("user")),
        sid=plain(get(session, "user.id")),
        address=_address(session),
        workstation=plain(session.get("workstation")),
        package=plain(session.get("authentication_package")),
        process=plain(session.get("logon_process")),
        elevated="" if elevated is None else "yes" if elevated else "no",
        linked=plain(session.get("linked_logon_id")),
        privileges=texts(session.get("privileges")),
        credentials=[_credential_row(entry) for entry in session.get("explicit_credentials") or []],
        start=readable_time(session.get("start")),
        end=readable_time(session.get("end")),
        end_reason=explain_reason(session["end_reason"]).title if session.get("end_reason") else "",
        event_id=plain(session.get("event")),
    )


def sessions_by_start(sessions: list[Document] | None) -> list[SessionView]:
    """Arrange sessions in the order in which they began."""
    ordered = sorted(sessions or [], key=lambda session: (session.get("start") or "", plain(session.get("logon_id"))))
    return [session_view(session) for session in ordered]


def _address(session: Document) -> str:
    address, port = plain(get(session, "source.ip")), plain(get(session, "source.port"))
    return f"{address}, port {port}" if address and port and port != "0" else address


def _credential_row(entry: Document) -> CredentialRow:
    return CredentialRow(
        time=readable_time(entry.get("time")),
        account=account(entry.get("user")),
        target_server=plain(entry.get("target_server")),
        process=plain(entry.get("process")),
        event_id=plain(entry.get("event")),
    )
