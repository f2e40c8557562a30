"""Writes the generated pages; with ``--check`` only says which are out of date, and leaves with 1 if any is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from evtxscan import schema
from evtxscan.docs import case_schema, commands, defend_values, sigma_mapping, validation
from evtxscan.ecs import docs as ecs_mapping

PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands.render,
    "case-schema.md": case_schema.render,
    "defend-values.md": defend_values.render,
    "ecs-mapping.md": ecs_mapping.render,
    "sigma/mapping.md": sigma_mapping.render,
    "validation/requirements.md": validation.render,
}


def folder() -> Path:
    """Return the docs folder of the source tree."""
    return schema.ROOT.parent / "docs"


def outdated() -> dict[Path, str]:
    """Return path -> text of the pages that are not what they would be now."""
    texts = {folder() / name: render() for name, render in PAGES.items()}
    return {path: text for path, text in texts.items() if not path.exists() or path.read_text("utf-8") != text}


def main(arguments: list[str]) -> int:
    """Write or check the pages and return the exit code."""
    pages = outdated()
    check = arguments == ["--check"]
    for path, text in pages.items():
        if not check:
            path.write_text(text, encoding="utf-8", newline="\n")
        name = path.relative_to(folder()).as_posix()
        print(f"docs/{name}: {'out of date; run: python -m evtxscan.docs' if check else 'written'}")
    return 1 if check and pages else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
