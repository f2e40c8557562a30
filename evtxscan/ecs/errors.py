"""The error of the ecs layer: log content never raises one, only the tables that come with evtxscan can."""

from evtxscan.errors import EvtxscanError


class MappingError(EvtxscanError):
    """A mapping table in ``schema/ecs`` is not valid; the message names the file and the place in it."""
