"""The architecture of DESIGN: one direction, nothing loaded that a command does not need, no network."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import evtxscan

PACKAGE = Path(evtxscan.__file__).parent
LAYERS = (
    "errors", "schema", "evidence", "evtx", "ecs", "store", "ingest", "eql", "kql", "sigma", "rules", "context",
    "detect", "proof", "export", "casework", "selftest", "cli", "__main__", "docs",
)  # fmt: skip
"""Lowest first. A layer imports itself and what stands before it."""
# Slow to load, and nothing that --help shows needs them.
HEAVY = {"rich", "jinja2", "lxml", "evtx", "sqlite_utils", "Evtx", "orjson", "zstandard", "sqlite3", "multiprocessing"}
NETWORK = {"socket", "ssl", "urllib", "http", "ftplib", "smtplib", "requests", "httpx", "asyncio", "webbrowser"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Yield every module of the package with its syntax tree."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if not {"_schema", "_testdata"} & set(path.parts):
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            yield ".".join(parts).removesuffix(".__init__"), ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.Module) -> Iterator[str]:
    """Yield the names of what a module imports, at its top or in a function; relative imports are not used."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer(name: str) -> str | None:
    """Return the layer of a module of ours, None for the package itself and others."""
    parts = name.split(".")
    return parts[1] if parts[0] == "evtxscan" and len(parts) > 1 and parts[1] != "__version__" else None


def test_a_lower_layer_never_imports_a_higher_one() -> None:
    wrong = {
        f"{name} imports {found}"
        for name, tree in modules()
        if (own := layer(name))
        for found in imports(tree)
        if (other := layer(found)) and LAYERS.index(other) > LAYERS.index(own)
    }
    assert not wrong


def test_every_module_has_a_layer() -> None:
    """Catches a new folder that the order above does not know."""
    assert {found for name, _ in modules() if (found := layer(name))} == set(LAYERS)


def test_the_language_knows_nothing_of_the_case() -> None:
    """EQL over documents in memory is a library of its own; only evtxscan.eql.sql knows the case's tables."""
    wrong = {
        f"{name} imports {found}"
        for name, tree in modules()
        if layer(name) == "eql" and not name.startswith("evtxscan.eql.sql")
        for found in imports(tree)
        if layer(found) not in (None, "eql", "errors")
    }
    assert not wrong


def test_what_computes_never_prints() -> None:
    """Results are data until a renderer writes them; only the shell talks to the user."""
    wrong = [
        name
        for name, tree in modules()
        if layer(name) not in ("cli", "docs") and name != "evtxscan.ecs.docs"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "input")
    ]
    assert not wrong


def test_nothing_reaches_for_the_network() -> None:
    wrong = {
        f"{name} imports {found}" for name, tree in modules() for found in imports(tree) if _root(found) in NETWORK
    }
    assert not wrong


def test_no_test_tool_in_the_product() -> None:
    wrong = {
        f"{name} imports {found}" for name, tree in modules() for found in imports(tree) if _root(found) == "tests"
    }
    assert not wrong


def _root(name: str) -> str:
    return name.split(".", maxsplit=1)[0]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_loads_little(arguments: list[str]) -> None:
    """Catches an import at the top of a module that makes every start slow."""
    code = (
        "import sys\nfrom evtxscan.cli import main\nsys.argv = ['evtxscan', *sys.argv[1:]]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\nprint(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout
    loaded = set(done.stderr.split())
    assert "evtxscan.cli" in loaded
    assert not {_root(name) for name in loaded} & HEAVY
    assert not {name for name in loaded if name.startswith("evtxscan.")} - {"evtxscan.cli", "evtxscan.errors"}
