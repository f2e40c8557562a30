"""How far back a log goes without a break: what a rule that asks for new values can know of the time before."""

from __future__ import annotations

from dataclasses import dataclass, field

from evtxscan.eql.sql.run import CaseQueries
from evtxscan.evtx.filetime import to_milliseconds


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The events that one chunk adds to a log: numbers of the first and last record, and the earliest time (ticks)."""

    first: int
    last: int
    is_whole: bool
    begins: int


@dataclass(slots=True)
class _Log:
    """The stretches of a channel on a host, by chunk and by last number; hosts of one name may share a number."""

    by_chunk: dict[int, _Stretch] = field(default_factory=dict)
    by_last: dict[int, list[_Stretch]] = field(default_factory=dict)
    begins: dict[_Stretch, int] = field(default_factory=dict)

    def begin(self, stretch: _Stretch) -> int:
        """Return the earliest time of the stretches that lead to this one without a break."""
        chain = [stretch]
        while chain[-1] not in self.begins:
            before = [
                other
                for other in self.by_last.get(chain[-1].first - 1, ())
                if other.is_whole and other.begins <= chain[-1].begins
            ]
            if not before:
                break
            chain.append(max(before, key=lambda other: other.begins))
        begin = self.begins.get(chain[-1], chain[-1].begins)
        self.begins.update(dict.fromkeys(chain, begin))
        return begin


class Histories:
    """Tells for events of one case since when their log has every record.

    Windows numbers the records of a log without gaps. Where a number is missing, in exported logs, after a loss or
    between two acquisitions, what happened before is not known.
    """

    def __init__(self, queries: CaseQueries) -> None:
        self._db = queries.case.db
        self._channels = {row: kind.channel for row, (kind, _) in queries.events.kinds.items()}
        self._logs: dict[tuple[str | None, int | None], _Log] = {}

    def begins(self, event: int) -> int | None:
        """Return the time (milliseconds since 1970) since which the log has every record up to this event."""
        kind, host, chunk, ticks, is_stale = self._db.execute(
            'SELECT kind, "host.name", chunk, "@timestamp", EXISTS (SELECT 1 FROM stale_record r'
            ' WHERE r.chunk = e.chunk AND r."offset" = e."offset") FROM event e WHERE id = ?',
            (event,),
        ).fetchone()
        if ticks is None:
            return None
        log = self._log(self._channels[kind], host)
        stretch = log.by_chunk.get(chunk)
        if is_stale or stretch is None or not stretch.is_whole:
            return to_milliseconds(ticks)
        return to_milliseconds(min(ticks, log.begin(stretch)))

    def _log(self, channel: str | None, host: int | None) -> _Log:
        if (channel, host) not in self._logs:
            listed = ", ".join(str(row) for row, name in self._channels.items() if name == channel)
            rows = self._db.execute(
                'SELECT chunk, min("winlog.record_id"), max("winlog.record_id"), count(DISTINCT "winlog.record_id"),'
                f' min("@timestamp") FROM event WHERE kind IN ({listed}) AND "host.name" IS ?'
                ' AND "winlog.record_id" IS NOT NULL AND "@timestamp" IS NOT NULL'
                " AND id NOT IN (SELECT event FROM stale_record WHERE state = 'event') GROUP BY chunk",
                (host,),
            )
            log = self._logs[channel, host] = _Log()
            for chunk, first, last, records, begins in rows:
                stretch = _Stretch(first, last, records == last - first + 1, begins)
                log.by_chunk[chunk] = stretch
                log.by_last.setdefault(last, []).append(stretch)
        return self._logs[channel, host]
