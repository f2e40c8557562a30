"""Finds and reads rule files: the built-in rule, single files, trees of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evtxscan import schema
from evtxscan.errors import RuleError
from evtxscan.rules.rule import Rule, parse_rule, read_bytes, read_rule
from evtxscan.sigma.recognise import EXTRA, SUFFIXES, is_available, is_sigma

BUILTIN = "builtin"


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules in the order of their ids, and the files that could not be read."""

    rules: list[Rule] = field(default_factory=list)
    errors: list[RuleError] = field(default_factory=list)


def load_rules(paths: tuple[str, ...]) -> RuleSet:
    """Read rule files and folders of them, recursively; ``builtin`` or no path names the built-in rules.

    Rules are Elastic's TOML files and, in the same trees, Sigma's YAML files; other YAML in a folder is passed over.
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
    if not place.is_dir():
        return _read_file(place, errors, is_sigma=place.suffix.lower() in SUFFIXES)
    files = sorted(file for file in place.rglob("*.toml") if file.is_file())
    sigma = sorted(
        file for suffix in SUFFIXES for file in place.rglob(f"*{suffix}") if file.is_file() and _is_sigma(file)
    )
    if not files and not sigma:
        raise RuleError(path, "no rule files (*.toml, Sigma's *.yml) below this folder")
    if sigma and not is_available():
        errors.append(RuleError(path, f"{len(sigma)} Sigma rules are not run; they need an extra: {EXTRA}"))
        sigma = []
    read = [_read_file(file, errors, is_sigma=False) for file in files]
    read += [_read_file(file, errors, is_sigma=True) for file in sigma]
    return [rule for rules in read for rule in rules]


def _read_file(file: Path, errors: list[RuleError], *, is_sigma: bool) -> list[Rule]:
    """Return the rules of one file; what cannot be read is an entry of ``errors``."""
    try:
        found = _read_sigma(file) if is_sigma else [read_rule(file)]
    except RuleError as error:
        found = [error]
    errors += [entry for entry in found if isinstance(entry, RuleError)]
    return [entry for entry in found if isinstance(entry, Rule)]


def _is_sigma(file: Path) -> bool:
    """Tell whether a file holds Sigma rules; one that cannot be read counts, so that it is listed."""
    try:
        return is_sigma(file.read_bytes())
    except OSError:
        return True


def _read_sigma(file: Path) -> Sequence[Rule | RuleError]:
    raw = read_bytes(file)
    if not is_sigma(raw):
        raise RuleError(str(file), "no Sigma rule: it lacks a title or a detection")
    if not is_available():
        raise RuleError(str(file), f"Sigma rules need an extra: {EXTRA}")
    from evtxscan.rules.sigma import parse_sigma  # noqa: PLC0415 - what it imports is not part of the base install

    return parse_sigma(raw, str(file))
