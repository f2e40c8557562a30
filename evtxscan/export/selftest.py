"""Writes the report of a self-test: a table to be signed, or JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

import orjson

from evtxscan.export.fields import readable_time
from evtxscan.export.text import visible

FORMATS = ("table", "json")
_LINE = "_" * 40


def render_selftest(report: dict[str, Any], form: str, stream: BinaryIO) -> None:
    """Write the report as ``table`` or ``json``."""
    if form == "json":
        stream.write(orjson.dumps(report, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2) + b"\n")
        return
    for line in _lines(report):
        stream.write(line.encode() + b"\n")


def _lines(report: dict[str, Any]) -> Iterator[str]:
    environment = report["environment"]
    versions = environment["versions"]
    yield f"Self-test of evtxscan {versions['evtxscan']}"
    yield ""
    yield f"made      {readable_time(report['made'])}"
    yield f"system    {visible(environment['system'])}"
    yield f"program   SHA-256 {environment['program_sha256']}"
    yield f"versions  {', '.join(f'{name} {version}' for name, version in sorted(versions.items()))}"
    yield ""
    for result in report["results"]:
        yield f"{result['id']}  {result['result']:<15}  {result['title']}"
        if result["result"] == "pass":
            yield f"{'':<11}{result['actual']}"
        elif result["result"] == "FAIL":
            yield f"{'':<11}expected: {visible(result['expected'])}"
            yield f"{'':<11}actual:   {visible(result['actual'])}"
        else:
            yield f"{'':<11}held by {', '.join(result['tests'])}"
    counts = Counter(result["result"] for result in report["results"])
    yield ""
    yield f"{counts['pass']} passed, {counts['FAIL']} failed, {counts['not tested here']} not tested on this machine"
    yield "Every requirement that is tested here is met." if report["passed"] else "NOT ALL REQUIREMENTS ARE MET."
    yield ""
    yield f"Tested by   {visible(report['examiner']) if report['examiner'] else _LINE}"
    yield f"Date        {_LINE}"
    yield f"Signature   {_LINE}"
