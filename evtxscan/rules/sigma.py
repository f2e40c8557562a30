"""Makes rules of Sigma files, for the engine that runs Elastic's."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from evtxscan.errors import RuleError
from evtxscan.rules.rule import Rule, SigmaFacts
from evtxscan.sigma.read import NotConverted, SigmaText, read_sigma
from evtxscan.sigma.tables import tactics

# Severity and risk score that pySigma's Elastic backend gives a level; a rule without one counts as low.
_LEVELS = {
    "informational": ("low", 1),
    "low": ("low", 21),
    "medium": ("medium", 47),
    "high": ("high", 73),
    "critical": ("critical", 99),
}
_NO_LICENSE = "not stated in the rule; SigmaHQ's rules are under the Detection Rule License 1.1"
_TECHNIQUE = re.compile(r"attack\.(t\d{4})(\.\d{3})?", re.IGNORECASE)
_SITE = "https://attack.mitre.org"


def parse_sigma(raw: bytes, path: str) -> list[Rule | RuleError]:
    """Return the rules of a Sigma file and, in place of those that do not run, why."""
    digest = hashlib.sha256(raw).hexdigest()
    return [
        _error(entry, path) if isinstance(entry, NotConverted) else _rule(entry, digest, path)
        for entry in read_sigma(raw)
    ]


def _error(entry: NotConverted, path: str) -> RuleError:
    return RuleError(path, f"{entry.title}: {entry.reason}" if entry.title else entry.reason)


def _rule(text: SigmaText, digest: str, path: str) -> Rule:
    severity, score = _LEVELS[text.level or "low"]
    return Rule(
        path=path,
        sha256=digest,
        id=text.id,
        name=text.title,
        version=text.modified or text.date,
        type="eql",
        language="eql",
        query=text.query,
        query_line=text.line,
        severity=severity,
        risk_score=score,
        description=text.description,
        author=(text.author,) if text.author else (),
        license=text.license or _NO_LICENSE,
        references=text.references,
        false_positives=text.false_positives,
        note="",
        tags=text.tags,
        index=(),
        threat=tuple(_threats(text.tags)),
        sigma=SigmaFacts(text.level, text.status, text.logsource, text.date, text.modified),
    )


def _threats(tags: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return Elastic's structure for the tags of ATT&CK.

    Tags have ids without names, and do not say which technique serves which tactic: each tactic has them all.
    """
    techniques: dict[str, list[str]] = {}
    for tag in tags:
        if found := _TECHNIQUE.fullmatch(tag):
            subs = techniques.setdefault(found[1].upper(), [])
            if found[2]:
                subs.append(f"{found[1].upper()}{found[2]}")
    listed = [
        {
            "id": technique,
            "name": "",
            "reference": f"{_SITE}/techniques/{technique}/",
            "subtechnique": [
                {"id": sub, "name": "", "reference": f"{_SITE}/techniques/{sub.replace('.', '/')}/"} for sub in subs
            ],
        }
        for technique, subs in techniques.items()
    ]
    named = [tactics()[name] for tag in tags if (name := _tactic(tag)) in tactics()]
    if not named and listed:
        named = [{"id": "", "name": ""}]
    return [
        {
            "framework": "MITRE ATT&CK",
            "tactic": {**tactic, "reference": f"{_SITE}/tactics/{tactic['id']}/" if tactic["id"] else ""},
            "technique": listed,
        }
        for tactic in named
    ]


def _tactic(tag: str) -> str:
    return tag.lower().removeprefix("attack.").replace("_", "-")
