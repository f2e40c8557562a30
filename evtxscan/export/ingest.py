"""Writes what an ingest did: for people as a table of what needs attention, for programs as JSON."""

from __future__ import annotations

from typing import Any, BinaryIO

from evtxscan.export import json
from evtxscan.export.text import visible
from evtxscan.export.wording import count
from evtxscan.ingest.summary import ContainerSummary, Loss, SourceSummary, Summary
from evtxscan.store.stale import StaleCounts

_LOSSES_SHOWN = 10
_CONTAINERS_SHOWN = 20


def document(summary: Summary) -> dict[str, Any]:
    """Return the summary as schema/export/ingest.schema.json describes it."""
    return {
        "sources": [_source(source) for source in summary.sources],
        "containers": [_container(container) for container in summary.containers],
        "skipped": [{"path": skipped.path, "reason": skipped.reason} for skipped in summary.skipped],
        "errors": [str(error) for error in summary.errors],
        "totals": _counts(summary),
        "slack": summary.stale.document(),
    }


def _source(source: SourceSummary) -> dict[str, Any]:
    return {
        "path": source.path,
        "sha256": source.sha256,
        "size": source.size,
        **_counts(source),
        "losses": [_loss(loss) for loss in source.losses],
        "error": source.error,
        "slack": source.stale.document(),
    }


def _container(container: ContainerSummary) -> dict[str, Any]:
    return {
        "path": container.path,
        "first": container.first,
        "kind": container.kind,
        "sha256": container.sha256,
        "size": container.size,
        "error": container.error,
    }


def _counts(of: SourceSummary | Summary) -> dict[str, int]:
    counts = of.counts if isinstance(of, SourceSummary) else of.totals
    return {
        "found": counts.found,
        "stored": counts.stored,
        "known": counts.known,
        "lost": counts.lost,
        "filtered": counts.filtered,
    }


def _loss(loss: Loss) -> dict[str, Any]:
    return {
        "chunk": loss.chunk,
        "offset": loss.offset,
        "record_id": loss.record_id,
        "reason": loss.reason,
        "detail": loss.detail,
        **({} if loss.line is None else {"line": loss.line, "byte": loss.byte}),
    }


def render_summary(summary: Summary, form: str, stream: BinaryIO, *, verbose: bool = False) -> None:
    """Write the summary as ``table`` or ``json``. ``verbose`` lists every source, file and loss."""
    if form == "json":
        stream.write(json.dumps(document(summary)) + b"\n")
        return
    for line in _lines(summary, verbose=verbose):
        stream.write(line.encode() + b"\n")


def _lines(summary: Summary, *, verbose: bool) -> list[str]:
    lines = [f"{'found':>12} {'stored':>12} {'known':>12} {'lost':>9}  source"]
    shown = [s for s in summary.sources if verbose or s.counts.lost or s.error or len(summary.sources) <= 20]
    for source in shown:
        counts = source.counts
        lines.append(
            f"{counts.found:>12,} {counts.stored:>12,} {counts.known:>12,} {counts.lost:>9,}  {visible(source.path)}"
        )
        if source.error:
            lines.append(f"{'':>50}{visible(source.error)}")
        lines += _loss_lines(source.losses, verbose=verbose)
    hidden = len(summary.sources) - len(shown)
    if hidden:
        lines.append(f"{'':>50}and {hidden:,} more without losses (-v lists them)")
    total = summary.totals
    lines.append(f"{total.found:>12,} {total.stored:>12,} {total.known:>12,} {total.lost:>9,}  in all")
    if total.filtered:
        lines.append(f"{total.filtered:,} records counted and not stored, as --only asked")
    lines += stale_lines(summary.stale)
    lines += _container_lines(summary.containers, verbose=verbose)
    if summary.skipped:
        files = count(len(summary.skipped), "file")
        lines.append(f"{files} skipped: no event logs" + ("" if verbose else " (-v lists them)"))
        lines += [f"  {visible(s.path)}: {visible(s.reason)}" for s in summary.skipped if verbose]
    return lines


def stale_lines(counts: StaleCounts) -> list[str]:
    """Say in a line what became of the stale records, of which none is in any other count."""
    if not counts.found:
        return []
    more = " (evtxscan slack lists them)" if counts.unnamed or counts.refused else ""
    return [f"{counts.found:,} stale records besides, in the slack of chunks: {stale_parts(counts)}{more}"]


def stale_parts(counts: StaleCounts) -> str:
    """Say how many records became what."""
    parts = {
        "new as events": counts.events,
        "copies of events": counts.copies,
        "without the names of their data": counts.unnamed,
        "refused": counts.refused,
        "left out by --only": counts.filtered,
        "left alone by --no-slack": counts.unread,
    }
    return ", ".join(f"{count:,} {what}" for what, count in parts.items() if count)


def _container_lines(containers: list[ContainerSummary], *, verbose: bool) -> list[str]:
    """Name the containers with their hashes; of many, those with an error."""
    shown = [c for c in containers if verbose or c.error or len(containers) <= _CONTAINERS_SHOWN]
    lines = []
    for container in shown:
        digest = container.sha256 or ("not hashed" if container.error else "not hashed; --hash-images does it")
        lines.append(f"{container.kind} {visible(container.path)}: SHA-256 {digest}")
        if container.error:
            lines.append(f"  {visible(container.error)}")
    if hidden := len(containers) - len(shown):
        lines.append(f"and {hidden:,} more archives and images (-v lists their hashes)")
    return lines


def _loss_lines(losses: list[Loss], *, verbose: bool) -> list[str]:
    """Name places and reasons of losses; runs of ids that only a header claims are one line."""
    if any(loss.line for loss in losses):
        return _cut_short([_lost_line(loss) for loss in losses], verbose=verbose)
    groups: dict[tuple[int, str, str], list[Loss]] = {}
    for loss in losses:
        place = "" if loss.offset is None else f"{loss.offset}"
        groups.setdefault((loss.chunk, loss.reason, place), []).append(loss)
    lines: list[str] = []
    for (chunk, reason, offset), group in groups.items():
        ids = [loss.record_id for loss in group if loss.record_id is not None]
        where = f"chunk {chunk}" + (f", offset {offset}" if offset else "")
        which = f"record {ids[0]}" if len(ids) == 1 else f"{len(ids)} records between {min(ids)} and {max(ids)}"
        lines.append(f"{'':>50}lost: {where}, {which}: {reason.replace('_', ' ')}; {visible(group[0].detail, 160)}")
    return _cut_short(lines, verbose=verbose)


def _lost_line(loss: Loss) -> str:
    reason = loss.reason.replace("_", " ")
    return f"{'':>50}lost: line {loss.line:,} (byte {loss.byte:,}): {reason}; {visible(loss.detail, 160)}"


def _cut_short(lines: list[str], *, verbose: bool) -> list[str]:
    if len(lines) <= _LOSSES_SHOWN or verbose:
        return lines
    rest = len(lines) - _LOSSES_SHOWN
    return [*lines[:_LOSSES_SHOWN], f"{'':>50}and {rest} more places (-v lists them)"]
