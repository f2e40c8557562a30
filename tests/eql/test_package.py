"""The package itself: light to import, and complete."""

import subprocess
import sys

import pytest

import evtxscan.eql


def test_import_loads_nothing_else() -> None:
    """Catches an import at the top that every command line would pay for."""
    code = "import sys, evtxscan.eql; print(sorted(name for name in sys.modules if name.startswith('evtxscan.eql.')))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_all_names_can_be_loaded() -> None:
    """Catches a name that is promised and has no home."""
    for name in evtxscan.eql.__all__:
        assert getattr(evtxscan.eql, name)
    with pytest.raises(AttributeError):
        evtxscan.eql.nothing  # noqa: B018
