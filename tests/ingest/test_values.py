"""Every text stands in the case once, whatever finds it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evtxscan.ingest import values
from evtxscan.ingest.values import ValueIds

TEXTS = st.lists(st.sampled_from([f"text {n}" for n in range(60)]), unique=True, max_size=20)


@pytest.fixture(params=["fingerprints", "index", "colliding fingerprints"])
def _finder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(values, "_GENERATION", 5)
    monkeypatch.setattr(values, "_FIRST_SLOTS", 8)
    if request.param == "index":
        monkeypatch.setattr(values, "_MOST_SLOTS", 16)
    if request.param == "colliding fingerprints":
        monkeypatch.setattr(values, "_HASH_MASK", 3)
    yield


def case(path: str | Path = ":memory:") -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("CREATE TABLE IF NOT EXISTS value(id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
    return db


@pytest.mark.usefixtures("_finder")
def test_one_id_a_text() -> None:
    """Through forgetting, growing, colliding, and the change to an index."""

    @given(st.lists(TEXTS, max_size=12))
    def check(batches: list[list[str]]) -> None:
        db = case()
        known: dict[str, int] = {}
        ids = ValueIds(db)
        for number, batch in enumerate(batches):
            if number == 6:
                ids = ValueIds(db)  # another ingest of the same case
            for text, found in zip(batch, ids.resolve(batch), strict=True):
                assert known.setdefault(text, found) == found
        assert dict(db.execute("SELECT text, id FROM value")) == known
        assert len(set(known.values())) == len(known)

    check()


def test_texts_that_another_program_adds_meanwhile(tmp_path: Path) -> None:
    """Two ingests take turns between their transactions; neither may give a text a second id."""
    path = tmp_path / "case.db"
    one, other = ValueIds(case(path)), ValueIds(case(path))
    assert one.resolve(["a"]) == [1]
    assert other.resolve(["b", "a"]) == [2, 1]
    assert one.resolve(["c", "b"]) == [3, 2]
