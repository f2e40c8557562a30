"""Finds and reads rule files: the built-in rule, single files, trees of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from evtxscan import schema
from evtxscan.errors import RuleError
from evtxscan.rules.rule import Rule, parse_rule, read_rule

BUILTIN = "builtin"


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules in the order of their ids, and the files that could not be read."""

    rules: list[Rule] = field(default_factory=list)
    errors: list[RuleError] = field(default_factory=list)


def load_rules(paths: tuple[str, ...]) -> RuleSet:
    """Read rule files and folders of them (``*.toml``, recursively); ``builtin`` or no path names the built-in rules.

    A file that cannot be read is an entry of ``errors`` and stops no other one. Of two files with one rule id the
    second is an error. Raises RuleError when a named path does not exist.
    """
    result = RuleSet()
    seen: dict[str, Rule] = {}
    for path in paths or (BUILTIN,):
        for rule in _read(path, result.errors):
            first = seen.setdefault(rule.id, rule)
            if first is rule:
                result.rules.append(rule)
            elif first.path != rule.path:
                result.errors.append(RuleError(rule.path, f"rule id {rule.id} is already that of {first.path}"))
    result.rules.sort(key=lambda rule: (rule.id, rule.path))
    return result


def _read(path: str, errors: list[RuleError]) -> list[Rule]:
    if path == BUILTIN:
        names = schema.names("rules", ".toml")
        return [parse_rule(schema.path(name).read_bytes(), f"{BUILTIN}:{Path(name).name}") for name in names]
    place = Path(path)
    if not place.exists():
        raise RuleError(path, "no such rule file or folder")
    files = sorted(file for file in place.rglob("*.toml") if file.is_file()) if place.is_dir() else [place]
    if not files:
        raise RuleError(path, "no rule files (*.toml) below this folder")
    rules: list[Rule] = []
    for file in files:
        try:
            rules.append(read_rule(file))
        except RuleError as error:
            errors.append(error)
    return rules
