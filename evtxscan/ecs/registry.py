r"""registry.* of Sysmon 12 to 14: the parts of ``TargetObject`` and the meaning of ``Details``."""

from __future__ import annotations

import re

# Short names are what Sysmon writes; the long ones are those of the Registry API (winreg.h).
_HIVES = {
    "HKEY_CLASSES_ROOT": "HKCR",
    "HKEY_CURRENT_CONFIG": "HKCC",
    "HKEY_CURRENT_USER": "HKCU",
    "HKEY_DYN_DATA": "HKDD",
    "HKEY_LOCAL_MACHINE": "HKLM",
    "HKEY_PERFORMANCE_DATA": "HKPD",
    "HKEY_USERS": "HKU",
}
_HIVES |= {short: short for short in list(_HIVES.values())}
_DWORD = re.compile(r"DWORD \(0x([0-9A-F]{8})\)", re.ASCII | re.IGNORECASE)
_QWORD = re.compile(r"QWORD \(0x([0-9A-F]{8})-0x([0-9A-F]{8})\)", re.ASCII | re.IGNORECASE)


def hive(path: str) -> str | None:
    """Return the short name of the root key, or None for an unknown root."""
    return _HIVES.get(path.partition("\\")[0])


def key(path: str) -> str | None:
    """Return what follows a known root, the value's name included; backslashes at the end go (both as in Elastic)."""
    return path.rstrip("\\").partition("\\")[2] or None if hive(path) else None


def value(path: str) -> str | None:
    """Return the last part of the path: the value's name, or the key's where the event is about a key."""
    return path.rstrip("\\").rpartition("\\")[2] or None


def data_string(details: str) -> str:
    """Return registry.data.strings: numbers in decimal, all else as recorded.

    A QWORD is computed as Elastic computes it, ``(high << 8) + low``: right only where the high half is 0.
    """
    if found := _DWORD.fullmatch(details):
        return str(int(found[1], 16))
    if found := _QWORD.fullmatch(details):
        return str((int(found[1], 16) << 8) + int(found[2], 16))
    return details


def data_type(details: str) -> str:
    """Return registry.data.type with Elastic's names: SZ_DWORD, SZ_QWORD, REG_BINARY, REG_SZ."""
    if _DWORD.fullmatch(details):
        return "SZ_DWORD"
    if _QWORD.fullmatch(details):
        return "SZ_QWORD"
    return "REG_BINARY" if details == "Binary Data" else "REG_SZ"
