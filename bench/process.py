"""Runs a command and watches it: how long it takes, and what processor time and memory its processes take together."""

from __future__ import annotations

import resource
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

_INTERVAL = 0.2  # seconds between two samples


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that ended: wall and processor time in seconds, largest sum of proportional set sizes in bytes."""

    seconds: float
    cpu: float
    memory: int
    code: int
    output: str
    error: str


def run(command: list[str], *, folder: Path | None = None, watch: bool = True) -> Finished:
    """Run a command to its end; ``watch`` samples the memory meanwhile."""
    start, cpu = time.perf_counter(), _cpu()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    memory = _Memory(process.pid)
    if watch:
        memory.start()
    output, error = process.communicate()
    seconds = time.perf_counter() - start
    memory.stop()
    return Finished(seconds, _cpu() - cpu, memory.peak, process.returncode, output, error)


def _cpu() -> float:
    """Return the processor time of all children that ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class _Memory(threading.Thread):
    """Samples the sum of PSS over a process and its descendants: shared pages count once."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._pid = pid
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(_INTERVAL):
            self.peak = max(self.peak, sum(map(_pss, _tree(self._pid))))

    def stop(self) -> None:
        self._ended.set()
        if self.is_alive():
            self.join()


def _tree(pid: int) -> list[int]:
    """Return a process and its descendants; one that ends meanwhile is left out."""
    found = [pid]
    for process in found:
        try:
            for task in Path(f"/proc/{process}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return found


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
