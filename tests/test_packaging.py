"""A wheel is the whole tool: the data of schema/ lies inside it, where the accessor finds it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The contents of a wheel built from this tree, without network."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ["-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps", "--no-index", "-w", str(folder)]
    subprocess.run([sys.executable, *build, str(ROOT)], check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def files(folder: Path) -> dict[str, bytes]:
    """Return relative name -> content of all files below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_wheel_has_all_of_schema(unpacked: Path) -> None:
    source = {name: content for name, content in files(ROOT / "schema").items() if not name.startswith(".")}
    packed = files(unpacked / "evtxscan" / "_schema")
    assert {name: packed.get(name) for name in source} == source


def test_wheel_has_nothing_else(unpacked: Path) -> None:
    """Catches tests, evidence or a stray folder that would land at the top of everyone's site-packages."""
    assert {path.name for path in unpacked.iterdir() if not path.name.endswith(".dist-info")} == {"evtxscan"}
    assert (unpacked / "evtxscan" / "py.typed").exists()


def test_tool_works_from_the_wheel(unpacked: Path, tmp_path: Path) -> None:
    """Its own schema is used, not that of a source tree that happens to be near."""
    code = (
        "import runpy, sys\nfrom pathlib import Path\n"
        f"sys.path.insert(0, {str(unpacked)!r})\n"
        "from evtxscan import schema\n"
        f"assert schema.ROOT.is_relative_to(Path({str(unpacked)!r})), schema.ROOT\n"
        "from evtxscan.rules.load import load_rules\nassert load_rules(()).rules\n"
        "sys.argv = ['evtxscan', *sys.argv[1:]]\nrunpy.run_module('evtxscan', run_name='__main__')\n"
    )
    case = tmp_path / "case.db"
    evidence = ROOT / "testdata" / "evidence" / "SRV-OLD-02"
    for arguments in (["ingest", str(evidence), "--jobs", "1"], ["detect", "--format", "html"]):
        command = [sys.executable, "-c", code, *arguments, "--case", str(case)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout
