"""What ties a result to its evidence: hashes of sources, rules, mapping, program and result, and who made it with what.

Each hash is the SHA-256 of bytes that can be made without evtxscan's help (docs/verify.md says how). The result's
hashes depend on evidence, rules and evtxscan alone: not on the clock, the arguments, the machine or its folders.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

import evtxscan
from evtxscan import schema
from evtxscan.errors import EvtxscanError
from evtxscan.store.case import Case, explained, now, versions
from evtxscan.store.describe import container_documents, source_documents

FORMAT = 1
# What two manifests are compared by, in the order of the chain; only the last one is what a case says.
PARTS = ("evidence", "containers", "rules", "mapping", "program", "findings", "verdicts", "result")
_ESSENTIAL = frozenset({"evidence", "result"})
_SOURCE_MEMBERS = ("path", "sha256", "size", "found", "stored", "lost", "filtered", "error")


def make_manifest(case: Case) -> dict[str, Any]:
    """Return the manifest of what a case holds, as JSON values. Raises CaseError."""
    with explained(case.path):
        findings, finding_count = _hash(_findings(case))
        verdicts, verdict_count = _hash(_verdicts(case))
        sources = [{name: source[name] for name in _SOURCE_MEMBERS} for source in source_documents(case)]
        containers = container_documents(case)
        rules = _rows(case, "SELECT id, name, sha256, run FROM rule ORDER BY id")
        runs = _rows(case, "SELECT id, command, arguments, started, ended, exit_code, versions FROM run ORDER BY id")
    result = hashlib.sha256(f"{findings}  findings\n{verdicts}  verdicts\n".encode()).hexdigest()
    return {
        "manifest": FORMAT,
        "made": now(),
        "label": case.info(),
        "hashes": {
            "result": result,
            "findings": findings,
            "verdicts": verdicts,
            "evidence": _listing((source["sha256"], source["path"]) for source in sources),
            "containers": _listing((found["sha256"], found["path"]) for found in containers if found["sha256"]),
            "rules": _listing((rule["sha256"], rule["id"]) for rule in rules),
            "mapping": tree_hash(schema.ROOT / "ecs"),
            "program": program_hash(),
        },
        "counts": {"findings": finding_count, "verdicts": verdict_count},
        "sources": sources,
        "containers": containers,
        "rules": rules,
        "versions": versions(),
        "runs": [
            {**run, "arguments": json.loads(run["arguments"]), "versions": json.loads(run["versions"])} for run in runs
        ],
    }


def program_hash() -> str:
    """Return the hash of evtxscan's own code and data, as installed."""
    package = Path(evtxscan.__file__).parent
    code = _files(package, lambda path: path.suffix == ".py")
    return _listing([*code, *((digest, f"schema/{name}") for digest, name in _files(schema.ROOT))])


def tree_hash(folder: Path) -> str:
    """Return the hash of the files of a folder by name and content, line ends aside."""
    return _listing(_files(folder))


def compare(own: dict[str, Any], other: dict[str, Any]) -> list[tuple[str, bool, bool]]:
    """Return for each part of two manifests: its name, whether it is the same, and whether it has to be.

    Raises EvtxscanError where ``other`` is no manifest that this version knows.
    """
    hashes = other.get("hashes")
    if other.get("manifest") != FORMAT or not isinstance(hashes, dict):
        raise EvtxscanError(f"no manifest of format {FORMAT}: make one with evtxscan manifest --format json")
    return [(part, hashes.get(part) == own["hashes"][part], part in _ESSENTIAL) for part in PARTS]


def read_manifest(path: Path) -> dict[str, Any]:
    """Read a manifest that was written as JSON. Raises EvtxscanError."""
    try:
        content = orjson.loads(path.read_bytes())
    except OSError as error:
        raise EvtxscanError(f"{path}: {error.strerror or error}") from error
    except orjson.JSONDecodeError as error:
        raise EvtxscanError(f"{path}: no JSON ({error}); make a manifest with --format json") from error
    if not isinstance(content, dict):
        raise EvtxscanError(f"{path}: no manifest; make one with evtxscan manifest --format json")
    return content


def _findings(case: Case) -> Iterator[bytes]:
    """Yield the lines of ``detect --format ndjson``, for all rules that the case has results of."""
    for (text,) in case.db.execute("SELECT document FROM finding ORDER BY time, rule, id"):
        yield orjson.dumps(orjson.loads(text), option=orjson.OPT_SORT_KEYS)


def _verdicts(case: Case) -> Iterator[bytes]:
    rows = case.db.execute('SELECT rule, host, verdict, events, missing, "window" FROM verdict ORDER BY rule, host')
    for rule, host, verdict, events, missing, window in rows:
        told = {"rule": rule, "host": host, "verdict": verdict, "events": events, "missing": orjson.loads(missing)}
        if window is not None:  # of a case that an earlier version made
            told["window"] = orjson.loads(window)
        yield orjson.dumps(told, option=orjson.OPT_SORT_KEYS)


def _hash(lines: Iterable[bytes]) -> tuple[str, int]:
    total, count = hashlib.sha256(), 0
    for line in lines:
        total.update(line + b"\n")
        count += 1
    return total.hexdigest(), count


def _listing(entries: Iterable[tuple[str, str]]) -> str:
    """Return the hash of lines as sha256sum writes them, sorted by name."""
    lines = (f"{digest}  {name}" for digest, name in sorted(entries, key=lambda entry: (entry[1], entry[0])))
    return _hash(line.encode() for line in lines)[0]


def _files(folder: Path, wanted: Callable[[Path], bool] = lambda _: True) -> Iterator[tuple[str, str]]:
    for path in folder.rglob("*"):
        # The same whether installed from a checkout with other line ends, a wheel or an archive.
        if path.is_file() and not path.name.startswith(".") and "__pycache__" not in path.parts and wanted(path):
            content = path.read_bytes().replace(b"\r\n", b"\n")
            yield hashlib.sha256(content).hexdigest(), path.relative_to(folder).as_posix()


def _rows(case: Case, sql: str) -> list[dict[str, Any]]:
    cursor = case.db.execute(sql)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]
