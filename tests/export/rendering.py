"""Renders to bytes, for tests."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

from evtxscan.export.render import render, render_events
from evtxscan.export.result import Result


class Terminal(io.BytesIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def rendered(result: Result, form: str) -> bytes:
    """Return what a result looks like in a format."""
    stream = io.BytesIO()
    render(result, form, stream)
    return stream.getvalue()


def rendered_events(events: Iterable[dict[str, Any]], form: str) -> bytes:
    """Return what events look like in a format."""
    stream = io.BytesIO()
    render_events(events, form, stream)
    return stream.getvalue()
