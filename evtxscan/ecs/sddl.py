"""The entries of a security descriptor (SDDL, MS-DTYP 2.5.1) as the texts that Elastic makes of them."""

from __future__ import annotations

import re
from functools import lru_cache

from evtxscan.ecs import texts
from evtxscan.ecs.convert import hexadecimal

_LIST = re.compile(r"([DS]):[A-Z_]*((?:\([^()]*\))+)", re.ASCII)
_ENTRY = re.compile(r"\(([^()]*)\)", re.ASCII)
# An entry's fields: type;flags;rights;object;inherited object;account
_TYPE, _RIGHTS, _ACCOUNT = 0, 2, 5


@lru_cache(maxsize=1024)
def entries(descriptor: str, kind: str) -> tuple[str, ...]:
    """Return the entries of the access (``D``) or audit (``S``) list: ``Everyone :System Audit ([Delete])``.

    What has no name here stays as it is written; an entry without an account, which is none, is left out.
    """
    lists = (found[2] for found in _LIST.finditer(descriptor) if found[1] == kind)
    fields = (found[1].split(";") for text in lists for found in _ENTRY.finditer(text))
    return tuple(_entry(entry) for entry in fields if len(entry) > _ACCOUNT)


def _entry(fields: list[str]) -> str:
    type_ = texts.lookup("sddl_types", fields[_TYPE]) or fields[_TYPE]
    return f"{account(fields[_ACCOUNT])} :{type_} ([{', '.join(_rights(fields[_RIGHTS]))}])"


def _rights(text: str) -> list[str]:
    if text[:2] in ("0x", "0X"):
        mask = hexadecimal(text) or 0
        return [name for bit, name in texts.bits("sddl_masks") if mask & bit] or [text]
    codes = [text[start : start + 2] for start in range(0, len(text), 2)]
    return [texts.lookup("sddl_rights", code) or code for code in codes]


def account(text: str) -> str:
    """Return the name of a well-known account, given as two letters or as a SID; any other one as it is written."""
    known = texts.lookup("sddl_accounts", text) or texts.lookup("well_known_sids", text)
    if known is None and text.startswith("S-1-5-21-"):
        known = texts.lookup("domain_rids", text.rpartition("-")[2])
    return known or text
