"""Builds the evidence in testdata/evidence: `python -m testdata.scenario.build [FOLDER]`, from the top of the source tree.

Every build gives the same bytes. What is in the logs, and what evtxscan must make of it, is in testdata/EXPECTED.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

from . import monday, old_server, tuesday
from .cast import SYSTEM
from .machine import SYSMON_LOG, Machine, Windows


def build(folder: Path) -> None:
    """Write the logs of both machines under `folder`."""
    workstation = Machine(
        "WS-FIN-07",
        system=SYSTEM,
        sysmon_id="7a3c91e4",
        windows=Windows(10, 0, 18363, "", 836),
        first_ids={"Security.evtx": 184_213, "System.evtx": 5_127, SYSMON_LOG: 902_611},
    )
    monday.tell(workstation)
    tuesday.tell(workstation)
    workstation.save(folder)

    server = Machine(
        "SRV-OLD-02",
        system=SYSTEM,
        sysmon_id="",
        windows=Windows(6, 1, 7601, "Service Pack 1", 24545),
        first_ids={"Security.evtx": 3_308_114, "System.evtx": 77_032},
    )
    old_server.tell(server)
    server.save(folder)


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "evidence")
