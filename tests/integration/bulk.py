"""A folder of evidence that is large enough for worker processes, and has all that makes an order matter."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.evtxmaker import damage
from tests.integration import logs
from tests.integration.command import EVIDENCE

_CHUNKS = 70
_PER_CHUNK = 5


def make(folder: Path) -> Path:
    """Write the evidence: logs on two hosts, a copy, a grown copy, damage, and the scenario; return the folder."""
    count = _CHUNKS * _PER_CHUNK
    first = folder / "Büro" / "a.evtx"
    logs.write(first, logs.mixed(count), per_chunk=_PER_CHUNK)
    logs.write(folder / "b.evtx", logs.mixed(count, 2 * count), first_record_id=50_000, per_chunk=_PER_CHUNK)
    broken = folder / "b.evtx"
    damage.break_record_body(broken, 50_012)
    damage.overwrite_chunk_magic(broken, 9)
    damage.cut_mid_chunk(broken, _CHUNKS - 1)
    damage.break_record_size(broken, 50_031)
    shutil.copyfile(first, folder / "copy of a.evtx")
    logs.write(folder / "grown" / "early.evtx", logs.mixed(90, 9 * count), first_record_id=9_000)
    logs.write(folder / "grown" / "late.evtx", logs.mixed(400, 9 * count), first_record_id=9_000)
    logs.write(folder / "d.evtx", logs.mixed(count, 4 * count), first_record_id=70_000, per_chunk=_PER_CHUNK)
    # Several records of one moment, within a log and in several: their order has to come from where they stand.
    for name in ("tie-2", "tie-1"):
        ties = [logs.process_start(number, seconds=number // 4, CommandLine=name) for number in range(60)]
        logs.write(folder / f"{name}.evtx", ties)
    shutil.copytree(EVIDENCE, folder / "scenario")
    return folder
