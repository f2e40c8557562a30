"""One tree of exceptions: whatever a user or the evidence can cause ends in one of these."""


class EvtxscanError(Exception):
    """Anything evtxscan reports to its user as a message instead of a traceback."""


class CaseError(EvtxscanError):
    """The case file cannot be opened, read or written."""


class EvidenceError(EvtxscanError):
    """A named piece of evidence cannot be read."""


class RuleError(EvtxscanError):
    """A rule file cannot be read or its query cannot run. ``path`` is the file, ``message`` what is wrong with it.

    ``line`` and ``column`` are the place in the file where there is one, from 1, ``excerpt`` is that line.
    """

    def __init__(
        self, path: str, message: str, line: int | None = None, column: int | None = None, excerpt: str = ""
    ) -> None:
        place = "" if line is None else f", line {line}"
        super().__init__(f"{path}{place}: {message}")
        self.path = path
        self.message = message
        self.line = line
        self.column = column
        self.excerpt = excerpt


class UsageError(EvtxscanError):
    """The command line asks for something that does not make sense."""


class EqlError(EvtxscanError):
    """A query, in EQL or KQL, is not valid or asks for what is not supported.

    ``line`` and ``column`` count from 1 and point into ``source``; ``str()`` gives the message alone,
    ``explain()`` adds the source line with a caret under the place.
    """

    def __init__(self, message: str, source: str = "", line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.source = source
        self.line = line
        self.column = column

    @property
    def excerpt(self) -> str:
        """The line of ``source`` that the place is in."""
        lines = self.source.splitlines()
        return lines[self.line - 1] if 0 < self.line <= len(lines) else ""

    def explain(self) -> str:
        """Return the message with its place, the source line and a caret."""
        text = self.excerpt
        pad = "".join("\t" if c == "\t" else " " for c in text[: self.column - 1])
        return f"line {self.line}, column {self.column}: {self.message}\n  {text}\n  {pad}^"


class EqlUnsupportedError(EqlError):
    """The query is valid, but uses a construct that evtxscan does not run (named in the message)."""
