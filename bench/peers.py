"""Named tools of the field, run over the same logs where they are installed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from bench.process import run

# What each does with its own rules; none keeps the records, so their times stand for a whole analysis.
COMMANDS = {
    "hayabusa": ["hayabusa", "csv-timeline", "--directory", "{logs}", "--output", "{out}", "--no-wizard", "--quiet"],
    "chainsaw": ["chainsaw", "dump", "--jsonl", "--output", "{out}", "{logs}"],
    "zircolite": ["zircolite.py", "--quiet", "--evtx", "{logs}", "--outfile", "{out}"],
}


def measure(logs: Path, extra: dict[str, list[str]]) -> dict[str, dict[str, object]]:
    """Return per tool its seconds and memory, or why there are none."""
    return {name: _one(command, logs) for name, command in (COMMANDS | extra).items()}


def _one(command: list[str], logs: Path) -> dict[str, object]:
    if shutil.which(command[0]) is None:
        return {"skipped": f"{command[0]} is not installed"}
    with tempfile.TemporaryDirectory() as folder:
        filled = [part.format(logs=logs, out=Path(folder) / "out") for part in command]
        finished = run(filled)
    if finished.code:
        return {"skipped": f"exit code {finished.code}: {finished.error.strip()[-200:]}"}
    return {"seconds": round(finished.seconds, 2), "memory_mb": round(finished.memory / 1e6)}
