"""Why a Sigma rule does not run."""


class ConversionError(ValueError):
    """A rule has no equivalent in EQL over evtxscan's events; the message says what has none."""
