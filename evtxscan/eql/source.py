"""Where something stands in the text of a query."""

from evtxscan.errors import EqlError, EqlUnsupportedError


def place(text: str, offset: int) -> tuple[int, int]:
    """Return line and column of ``offset`` in ``text``, both from 1, lines as ``str.splitlines`` cuts them."""
    lines = (text[:offset] + "^").splitlines()
    return len(lines), len(lines[-1])


def error_at(text: str, offset: int, message: str) -> EqlError:
    """Make the error for a query that is wrong at ``offset``."""
    line, column = place(text, offset)
    return EqlError(message, text, line, column)


def unsupported_at(text: str, offset: int, message: str) -> EqlUnsupportedError:
    """Make the error for a construct at ``offset`` that the language has and evtxscan refuses."""
    line, column = place(text, offset)
    return EqlUnsupportedError(message, text, line, column)
