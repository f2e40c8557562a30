"""The fields that are computed when they are read: functions from stored values to the values of a field.

A mapping table names them, with an argument behind a colon where they take one (``hash:md5``, ``lookup:logon_types``).
Each gets one value (or None) per input and returns the field's values as a tuple: none, one or many. Those in
:data:`COLLECT` get each input as a tuple instead. None of them raises, whatever the log holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, Final

from evtxscan.ecs import argv, domain, network, powershell, registry, sddl, texts
from evtxscan.ecs.convert import account_domain, account_name, before_at, decimal, hexadecimal
from evtxscan.ecs.errors import MappingError

Values = tuple[Any, ...]
"""Every field counts as an array: no value, one or many, of type str, int, bool (or objects, as in dns.answers)."""

Function = Callable[..., Values]

_CODE = re.compile(r"%%[0-9]+", re.ASCII)
_RDN = re.compile(r"(?<!\\),")


def one(function: Callable[[str], Any]) -> Function:
    """Make a function of one text: no value gives none, a list gives many."""

    def apply(value: object) -> Values:
        if value is None:
            return ()
        result = function(str(value))
        if isinstance(result, list):
            return tuple(result)
        return () if result is None else (result,)

    return apply


def base_name(path: str) -> str | None:
    r"""Return the text after the last backslash; a path without one has no name (Sysmon)."""
    return path.rpartition("\\")[2] or None if "\\" in path else None


def last_part(path: str) -> str | None:
    r"""Return the text after the last backslash, or all of it (Security)."""
    return path.rpartition("\\")[2] or None


def directory(path: str) -> str | None:
    r"""Return the text before the last backslash."""
    return path.rpartition("\\")[0] or None


def extension(path: str) -> str | None:
    """Return the text after the last dot of the whole path, as Elastic does."""
    return path.rpartition(".")[2] or None if "." in path else None


@lru_cache(maxsize=4096)
def parse_hashes(text: str) -> tuple[tuple[str, str], ...]:
    """Return ``(algorithm, hash)`` pairs of Sysmon's ``ALG=HEX,...`` in lower case, without the all-zero ones."""
    pairs = (part.split("=", 1) for part in text.lower().split(",") if "=" in part)
    return tuple((name.strip(), value.strip()) for name, value in pairs if value.strip("0 \t"))


def hash_of(algorithm: str) -> Function:
    """Make the function that picks one algorithm's hash."""
    return one(lambda text: dict(parse_hashes(text)).get(algorithm))


def look_up(table: str) -> Function:
    """Make the function that turns a code into its name; a code without a name has no value."""
    texts.names(table)
    return one(lambda code: texts.lookup(table, code))


def flags(table: str) -> Function:
    """Make the function that names the bits of a hex number."""
    masks = texts.bits(table)

    def names(text: str) -> list[str]:
        number = hexadecimal(text) or 0
        return [name for mask, name in masks if number & mask]

    return one(names)


def codes(table: str) -> Function:
    """Make the function that names the ``%%nnnn`` codes of a text; a code without a name is its number."""
    texts.names(table)
    return one(lambda text: [texts.lookup(table, code) or code.removeprefix("%%") for code in _CODE.findall(text)])


def code(table: str) -> Function:
    """Make the function that names one ``%%nnnn`` code; what has no name stays as it is but for the ``%%``."""
    texts.names(table)
    return one(lambda text: texts.lookup(table, text) or text.replace("%%", "") or None)


def sid_names(text: str) -> list[str]:
    """Return the names of the ``%{SID}`` in a text, the SID where it is not well known."""
    return [sddl.account(sid.removeprefix("%{").removesuffix("}")) for sid in text.split()]


def descriptor_entry(argument: str) -> Function:
    """Make the function that returns one entry of a descriptor's list: ``D0`` is the first of its access list."""
    kind, place = argument[:1], int(argument[1:])

    def entry(text: str) -> str | None:
        found = sddl.entries(text, kind)
        return found[place] if place < len(found) else None

    return one(entry)


def descriptor_head(letter: str) -> Function:
    """Make the function that returns how a descriptor begins where it names its owner (``O``) or group in two letters.

    Elastic means to name the account and keeps ``O:BA`` instead.
    """
    return one(lambda text: found[0] if (found := re.match(rf"{letter}:[A-Z]{{2}}", text)) else None)


def bare_guid(text: str) -> str:
    """Return a GUID in upper case without braces."""
    return text.replace("{", "").replace("}", "").upper()


def flag(text: str) -> bool | None:
    """Return the boolean of ``true`` and ``false``."""
    return {"true": True, "false": False}.get(text.lower())


def not_flag(text: str) -> str | None:
    """Return a text that is no boolean: it was meant to be one and cannot be mapped."""
    return text if flag(text) is None else None


def equals(expected: str) -> Function:
    """Make the function that is true for one text and has no value else (Elastic never says false there)."""
    return one(lambda text: True if text == expected else None)


def some_name(text: str) -> str | None:
    """Return an account's name or domain; ``-`` says that there is none."""
    return None if text == "-" else text


def rdn(argument: str) -> Function:
    """Make the function that returns the n-th (from 1) part of a distinguished name without its ``CN=`` or ``DC=``.

    The argument is ``n:PREFIX``. A comma behind a backslash is part of a name; the backslash stays. Elastic takes the
    prefix out wherever it stands, in upper or lower case.
    """
    number, _, prefix = argument.partition(":")
    place = int(number) - 1

    def part(name: str) -> str | None:
        parts = _RDN.split(name)
        if place >= len(parts):
            return None
        return parts[place].replace(prefix, "").replace(prefix.lower(), "") or None

    return one(part)


def share_path(first: object, second: object) -> Values:
    r"""Join directory or share and name. Elastic's template doubles each backslash of both, but not the one between."""
    if first is None or second is None:
        return ()
    return ("\\".join(str(part).replace("\\", "\\\\") for part in (first, second)),)


def connection(*ends: object) -> Values:
    """Return the Community ID of (source.ip, source.port, destination.ip, destination.port, network.transport)."""
    if None in ends:
        return ()
    found = network.community_id(*ends)  # type: ignore[arg-type]
    return (found,) if found else ()


def unique(*values: Values) -> Values:
    """Return all values of all inputs once, in the order of their first appearance."""
    return tuple(dict.fromkeys(value for group in values for value in group))


def count(values: Values) -> Values:
    """Return the number of values, or none where there are none."""
    return (len(values),) if values else ()


def same(values: Values) -> Values:
    """Return the values of another field."""
    return values


def first(*values: Values) -> Values:
    """Return the values of the first input that has any."""
    return next(filter(None, values), ())


def given(condition: Values, values: Values) -> Values:
    """Return the values of the second input where the first has any."""
    return values if condition else ()


def context_entry(name: str) -> Function:
    """Make the function that returns one entry of a PowerShell context."""
    return one(lambda text: powershell.entry(name, text))


def part_of(name: str) -> Function:
    """Make the function that picks one property of objects."""
    return lambda values: tuple(value[name] for value in values if name in value)


_PLAIN: Final[dict[str, Function]] = {
    "account": one(some_name),
    "account_domain": one(account_domain),
    "account_name": one(account_name),
    "bare_guid": one(bare_guid),
    "base_name": one(base_name),
    "before_at": one(before_at),
    "community_id": connection,
    "decimal": one(decimal),
    "directory": one(directory),
    "dns_addresses": one(network.addresses),
    "dns_answers": one(network.answers),
    "dns_hosts": one(network.hosts),
    "domain_registered": one(domain.registered),
    "domain_sub": one(domain.subdomain),
    "domain_top_level": one(domain.top_level),
    "extension": one(extension),
    "flag": one(flag),
    "hashes": one(lambda text: [value for _, value in parse_hashes(text)]),
    "last_part": one(last_part),
    "lower": one(str.lower),
    "not_flag": one(not_flag),
    "powershell_details": one(powershell.details),
    "registry_data_string": one(registry.data_string),
    "registry_data_type": one(registry.data_type),
    "registry_hive": one(registry.hive),
    "registry_key": one(registry.key),
    "registry_value": one(registry.value),
    "sid_names": one(sid_names),
    "security_args": one(argv.security_args),
    "share_path": share_path,
    "sysmon_args": one(argv.sysmon_args),
    "unread_context": one(powershell.unread),
    "words": one(str.split),
}
_MADE: Final[dict[str, Callable[[str], Function]]] = {
    "code": code,
    "codes": codes,
    "context": context_entry,
    "equals": equals,
    "flags": flags,
    "hash": hash_of,
    "lookup": look_up,
    "part": part_of,
    "rdn": rdn,
    "sddl": descriptor_entry,
    "sddl_head": descriptor_head,
}
COLLECT: Final = frozenset({"count", "first", "given", "part", "same", "unique"})
_COLLECTING: Final[dict[str, Function]] = {
    "count": count,
    "first": first,
    "given": given,
    "same": same,
    "unique": unique,
}


@cache
def function(spec: str) -> Function:
    """Return the function that a table names as ``name`` or ``name:argument``. Raises MappingError if there is none."""
    name, colon, argument = spec.partition(":")
    if colon and name in _MADE:
        return _MADE[name](argument)
    found = None if colon else _PLAIN.get(name) or _COLLECTING.get(name)
    if found is None:
        raise MappingError(f"there is no function {spec!r} for derived fields")
    return found
