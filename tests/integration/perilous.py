"""The command line with a bulk parser that is as dangerous as native code can be.

It is shown the tables of names that evtxscan keeps from it, so that it follows a circle in them for ever, and it
crashes on a chunk with a certain text. A worker that is no fork of this process imports this module, too.
"""

from __future__ import annotations

import io
import os
import signal

from evtx import PyEvtxParser

from evtxscan.cli import main
from evtxscan.evtx import parse
from evtxscan.ingest import pool, run

CRASHES_ON = "dies here"
PANICS_ON = "panics here"


def _open(chunks: list[bytes]) -> PyEvtxParser:
    data = b"".join(chunks)
    if CRASHES_ON.encode("utf-16-le") in data:
        os.kill(os.getpid(), signal.SIGSEGV)
    if PANICS_ON.encode("utf-16-le") in data:
        raise BufferError("panicked")  # an exception that nobody expects of a parser
    return PyEvtxParser(io.BytesIO(parse.file_header(len(chunks)) + data))


parse._open = _open
pool._BATCH_LIMIT, pool._CHUNK_LIMIT = 1.0, 2.0

if __name__ == "__main__":
    run._SMALL_BYTES = 0
    main()
