"""The hosts of a case: which of them a rule can be decided on, from how many events, and what of them was lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from functools import cached_property

from evtxscan.ecs.mapping import mappings
from evtxscan.eql.sql.run import CaseQueries
from evtxscan.store.scope import LIVE

_ROWS_AT_ONCE = 500


# A lost line of documents may be one of any log.
_ANY = "*"


class Hosts:
    """Hosts are known by their names in lower case; ``names`` are those in the scope, sorted."""

    def __init__(self, queries: CaseQueries) -> None:
        self._db = queries.case.db
        self._queries = queries
        self._texts = {
            row: text.lower()
            for row, text in self._db.execute(
                "SELECT id, text FROM value WHERE id IN (SELECT value FROM column_value WHERE column = 'host.name')"
            )
        }
        self.names = sorted({self._texts[row] for row in queries.host_ids()})

    def of(self, rows: Iterable[int]) -> set[str]:
        """Return the hosts of these events."""
        return set(self.counts(rows))

    def counts(self, rows: Iterable[int]) -> Counter[str]:
        """Return host -> how many of these events it has."""
        found: Counter[str] = Counter()
        remaining = list(rows)
        for start in range(0, len(remaining), _ROWS_AT_ONCE):
            group = remaining[start : start + _ROWS_AT_ONCE]
            marks = ",".join("?" * len(group))
            sql = f'SELECT "host.name", count(*) FROM event WHERE id IN ({marks}) GROUP BY 1'
            for cell, events in self._db.execute(sql, group):
                found[self._texts.get(cell, "")] += events
        return found

    def events(self, kinds: Collection[int]) -> dict[str, int]:
        """Return host -> how many events of these kinds there are in the scope."""
        if not kinds:
            return {}
        marks = ", ".join(map(str, kinds))
        scope = self._queries.scope
        if scope.start is None and scope.end is None:
            sql = f"SELECT host, sum(events) FROM event_count WHERE kind IN ({marks}) GROUP BY host"
        else:
            # Live records only, as event_count has them.
            where = f"e.kind IN ({marks}){self._queries.filter} AND {LIVE}"
            sql = f'SELECT e."host.name", count(*) FROM event e WHERE {where} GROUP BY 1'
        counts: Counter[str] = Counter()
        for cell, count in self._db.execute(sql):
            counts[self._texts.get(cell, "")] += count
        return counts

    def name(self, cell: int | None) -> str:
        """Return the host with this id of a name."""
        return "" if cell is None else self._texts.get(cell, "")

    def lost(self, *categories: str | None) -> dict[str, int]:
        """Return host -> records lost from sources that may hold events of one of these categories (None: any).

        What a lost record was cannot be told, so a source's losses count for every host that its records name, if its
        log is one that has such events.
        """
        counts: Counter[str] = Counter()
        for host, channels, lost in self._losses:
            if any(category is None or channels & {_ANY, *_channels_of(category)} for category in categories):
                counts[host] += lost
        return counts

    @cached_property
    def _losses(self) -> list[tuple[str, frozenset[str], int]]:
        """Each lossy source once for every host in it: host, channels, lost records."""
        lossy = self._db.execute(
            "SELECT source, sum(lost) FROM source_chunk JOIN chunk ON chunk.id = source_chunk.chunk"
            " GROUP BY source HAVING sum(lost) > 0"
        ).fetchall()
        found: list[tuple[str, frozenset[str], int]] = []
        for source, lost in lossy:
            rows = self._db.execute(
                'SELECT DISTINCT event."host.name", iif(document_block.chunk IS NULL, kind.channel, ?2)'
                " FROM source_chunk"
                " JOIN event ON event.chunk = source_chunk.chunk JOIN kind ON kind.id = event.kind"
                " LEFT JOIN document_block ON document_block.chunk = event.chunk WHERE source_chunk.source = ?1",
                (source, _ANY),
            ).fetchall()
            channels = frozenset(channel for _, channel in rows if channel)
            hosts = {self._texts[cell] for cell, _ in rows if cell is not None}
            found += [(host, channels, lost) for host in sorted(hosts)]
        return found


def _channels_of(category: str) -> frozenset[str]:
    """Return the channels of the logs that have events of an ECS category."""
    return frozenset(
        mapping.table.channel
        for mapping in mappings().values()
        if mapping.table.channel and category in mapping.table.constants.get("event.category", ())
    )
