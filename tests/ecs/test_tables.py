"""The mapping tables as data: a slip in one is found when it is loaded, not in an investigation."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from evtxscan.ecs import base, columns, texts
from evtxscan.ecs.columns import PACKED, catalogue
from evtxscan.ecs.errors import MappingError
from evtxscan.ecs.kind import Kind
from evtxscan.ecs.mapping import compile_table, mapping_for, mappings
from evtxscan.ecs.resolve import Absent, Column, Constant, Data, Derived
from evtxscan.ecs.tables import read_table

TABLE: dict[str, Any] = {
    "format": "evtxscan-ecs-mapping/1",
    "name": "made",
    "channel": "Made",
    "sets": {"process": {"move": {"ProcessId": "process.pid decimal"}}},
    "providers": {
        "Made": {
            "events": {
                "1": {
                    "title": "Made event",
                    "use": ["process"],
                    "keep": ["LogonId"],
                    "pack": ["State"],
                    "derive": {"winlog.logon.id": "same(LogonId)"},
                }
            }
        }
    },
}


def event(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = content["providers"]["Made"]["events"]["1"]
    return found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.update(format="x"), "format has to be"),
        (lambda t: t.update(chanel="x"), "unknown key 'chanel'"),
        (lambda t: t["sets"]["process"].update(moves={}), "set 'process': unknown key 'moves'"),
        (lambda t: event(t).update(catgory=["x"]), "Made, event 1: unknown key 'catgory'"),
        (lambda t: event(t).update(use=["proces"]), "Made, event 1: there is no set 'proces'"),
        (lambda t: event(t).update(move={"A": "process.pid"}), "'text' does not fit the type 'long'"),
        (lambda t: event(t).update(move={"A": "process.executable hex"}), "'hex' does not fit the type 'keyword'"),
        (lambda t: event(t).update(move={"A": "process.nothing"}), "no column 'process.nothing'"),
        (lambda t: event(t).update(move={"A": "packed"}), "no column 'packed'"),
        (lambda t: event(t).update(move={"A": "user.name upper"}), "no conversion 'upper'"),
        (lambda t: event(t).update(move={"A": "user.name text else lose"}), "is not 'column"),
        (lambda t: event(t).update(hide=["LogonID"]), "'LogonID' is not stored by this event"),
        (lambda t: event(t).update(read=["Text"], derive={"a.b": "lower(Texts)"}), "'Texts' is neither a stored value"),
        (lambda t: event(t).update(keep=["Nothing"]), "no column 'winlog.event_data.Nothing'"),
        (lambda t: event(t).update(derive={"a.b": "nothing(LogonId)"}), "no function 'nothing'"),
        (lambda t: event(t).update(derive={"a.b": "lower(LogonId"}), "lacks a closing parenthesis"),
        (lambda t: event(t).update(derive={"a.b": "LogonId"}), "has to be a call"),
        (lambda t: event(t).update(derive={"a.b": "lower(Missing)"}), "'Missing' is neither a stored value"),
        (lambda t: event(t).update(derive={"a.b": "lower(file.path)"}), "'file.path' is neither a stored value"),
    ],
)
def test_errors_name_file_and_place(change: Callable[[dict[str, Any]], None], message: str) -> None:
    content = copy.deepcopy(TABLE)
    change(content)
    with pytest.raises(MappingError, match="made") as caught:
        for table in read_table(content, "ecs/made.json"):
            compile_table(table)
    assert message in str(caught.value)


@pytest.mark.parametrize("module", [base, columns, texts])
def test_other_files_are_checked_too(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401
    load = {base: base.base, columns: columns.catalogue, texts: texts.tables}[module]
    monkeypatch.setattr(module, "read_json", lambda _: {"format": "other"})
    with pytest.raises(MappingError, match="format has to be"):
        load.__wrapped__()


def test_shipped_tables_compile() -> None:
    assert len(mappings()) > 150
    assert {mapping.id for mapping in mappings().values()} >= {"base", "sysmon/1", "security/4688", "system/7045"}


def test_every_column_is_used_and_described() -> None:
    """A column that no event fills costs a byte in each of millions of rows."""
    core = {"@timestamp", "winlog.time_created", "winlog.record_id", "host.name", "winlog.process.pid",
            "winlog.process.thread.id", "winlog.user.identifier", "winlog.activity_id", PACKED}  # fmt: skip
    used = {rule.column for mapping in mappings().values() for rule in mapping.table.rules}
    assert set(catalogue()) == core | used
    assert all(info.description for info in catalogue().values())


def test_every_type_is_of_a_field_that_exists() -> None:
    """A misspelt name in base.json leaves a port a keyword, and every comparison with it is by text."""
    fields = {field for mapping in mappings().values() for field in mapping.fields} | {"winlog.version"}
    assert set(base.base().types) <= fields
    for name, info in catalogue().items():
        if info.type == "long" and name != "winlog.record_id":
            assert base.field_type(name) == "long", name


def test_every_table_of_texts_is_used() -> None:
    specs = {
        part
        for mapping in mappings().values()
        for term in mapping.table.derive.values()
        for part in term.spec.split(":")
    }
    read_by_code = {
        "dns_status",
        "dns_types",
        "domain_rids",
        "sddl_accounts",
        "sddl_masks",
        "sddl_rights",
        "sddl_types",
    }
    tasks = {"audit_subcategories"}
    assert set(texts.tables()) <= specs | read_by_code | tasks


SYSMON = "Microsoft-Windows-Sysmon"
SYSMON_1 = Kind(SYSMON, None, f"{SYSMON}/Operational", "1", 5, 4, 1, 0, "0x8000000000000000")
SECURITY_4688 = Kind("Microsoft-Windows-Security-Auditing", None, "Security", "4688", 2)


def test_mapping_is_chosen_by_provider_channel_and_id() -> None:
    assert mapping_for(SYSMON_1).id == "sysmon/1"
    assert mapping_for(SECURITY_4688).id == "security/4688"
    assert mapping_for(Kind("Microsoft-Windows-Eventlog", None, "Security", "1102")).id == "security/1102"
    assert mapping_for(Kind("Microsoft-Windows-Eventlog", None, "System", "104")).id == "system/104"
    assert mapping_for(Kind("Microsoft-Windows-Security-Auditing", None, "Security", "5058")).id == "security/*"
    assert mapping_for(Kind("Microsoft-Windows-Security-Auditing", None, "Application", "4688")).id == "base"
    assert mapping_for(Kind()).id == "base"


def test_resolutions_of_a_process_start() -> None:
    """What a query compiler relies on: an index on a column, one function per distinct value, or nothing at all."""
    sysmon, security = mapping_for(SYSMON_1), mapping_for(SECURITY_4688)
    assert sysmon.resolve(SYSMON_1, "event.category") == Constant(("process",))
    assert sysmon.resolve(SYSMON_1, "event.code") == Constant(("1",))
    assert sysmon.resolve(SYSMON_1, "process.executable") == Column("process.executable")
    assert sysmon.resolve(SYSMON_1, "process.pe.original_file_name") == Column("winlog.event_data.OriginalFileName")
    assert sysmon.resolve(SYSMON_1, "user.id") == Column("winlog.user.identifier")
    assert sysmon.resolve(SYSMON_1, "file.path") == Absent()
    assert sysmon.resolve(SYSMON_1, "winlog.event_data.Image") == Absent()
    assert sysmon.resolve(SYSMON_1, "winlog.event_data.User") == Data(("event_data", "User"))
    assert sysmon.resolve(SYSMON_1, "winlog.event_data.New.Field") == Data(("event_data", "New.Field"))
    assert security.resolve(SECURITY_4688, "winlog.event_data.SubjectUserName") == Column("user.name")
    assert security.resolve(SECURITY_4688, "process.parent.command_line") == Absent()
    args = sysmon.resolve(SYSMON_1, "process.args")
    assert isinstance(args, Derived)
    assert args.inputs == ("process.command_line",)
    assert args.fn('"a b" c') == ("a b", "c")
    assert args.fn(None) == ()
    creator = security.resolve(SECURITY_4688, "winlog.event_data.ProcessId")
    assert isinstance(creator, Derived)
    assert creator.inputs == ("process.parent.pid",)
    assert creator.override == ("event_data", "ProcessId")
    assert creator.fn(672) == ("0x2a0",)
