"""Runs the real command line in a process of its own."""

from __future__ import annotations

import atexit
import ctypes
import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TESTDATA = ROOT / "testdata"
EVIDENCE = TESTDATA / "evidence"
_TIMEOUT = 120
_PR_CAPBSET_DROP = 24
_AGAINST_PERMISSIONS = (1, 2, 3)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER
_OURS = ("EVTXSCAN_CASE", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERM")


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left: exit code and the bytes of its two outputs."""

    code: int
    out: bytes
    err: bytes

    @property
    def message(self) -> str:
        """Standard error as text."""
        return self.err.decode(errors="backslashreplace")

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Standard output as NDJSON."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever the command printed
        """Standard output as one JSON value."""
        return json.loads(self.out)


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without what would change an output, and with ``changes``."""
    return {key: value for key, value in os.environ.items() if key not in _OURS} | dict(changes or {})


def without_privileges() -> None:
    """Give up, before a program is started, what root may do against a file's permissions (Linux; others: nothing)."""
    if sys.platform.startswith("linux") and os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in _AGAINST_PERMISSIONS:
            if libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "prctl")


def evtxscan(
    *args: str | Path | bytes,
    code: int | None = 0,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    prepare: Callable[[], None] | None = None,
    program: Sequence[str] | None = None,
) -> Done:
    """Run a command to its end, in a process of its own, and return what it left.

    ``env``: changes to the environment; ``prepare``: runs in the new process before it (POSIX); ``program``: what to
    run in place of the command line itself. Fails where it shows a traceback, or leaves with another exit code than
    ``code`` (None: any of the documented).
    """
    if _Warm.possible and env is None and prepare is None and program is None:
        done = _Warm.run(args, cwd or Path.cwd())
    else:
        ended = subprocess.run(
            [sys.executable, *(program or ("-m", "evtxscan")), *args],
            capture_output=True,
            check=False,
            env=environment(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT,
            preexec_fn=prepare,
        )
        done = Done(ended.returncode, ended.stdout, ended.stderr)
    assert "Traceback" not in done.message, done.message
    assert done.code in ({0, 1, 2, 3, 130} if code is None else {code}), (done.code, done.message, done.out[-2000:])
    return done


class _Warm:
    """One process that has imported everything and forks for each command: a tenth of the time of a cold start."""

    possible = sys.platform.startswith("linux")
    _process: subprocess.Popen[bytes] | None = None

    @classmethod
    def run(cls, args: Sequence[str | Path | bytes], cwd: Path) -> Done:
        """Run a command to its end."""
        if cls._process is None:
            cls._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("warm.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment({"PYTHONPATH": str(ROOT)}),
            )
            atexit.register(cls._process.terminate)
        with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
            words = [os.fsencode(word).decode("latin-1") for word in args]
            order = {"arguments": words, "cwd": str(cwd), "out": out.name, "err": err.name}
            assert cls._process.stdin
            assert cls._process.stdout
            cls._process.stdin.write(json.dumps(order).encode() + b"\n")
            cls._process.stdin.flush()
            assert select.select([cls._process.stdout], [], [], _TIMEOUT)[0], f"{args} does not end"
            code = int(cls._process.stdout.readline())
            return Done(code, out.read(), err.read())
