"""The summaries of many records as columns: of compacted records straight from the index, without a summary of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.records.compact_index import CompactManifest
from harness.records.summary_keys import SUMMARY_KEYS

if TYPE_CHECKING:
    from harness.records.compact_index import Index
    from harness.records.record import Record

_NOTHING: Mapping[str, Any] = {}


def summary_names(records: Iterable[Record]) -> tuple[str, ...]:
    """The keys that at least one of these records' summaries has, in the order of their first appearance."""
    found: dict[str, None] = {}
    seen_in_columns = False
    for record in records:
        if _place(record) is None:
            found.update(dict.fromkeys(record.manifest["summary"]))
        elif not seen_in_columns:
            seen_in_columns = True
            found.update(dict.fromkeys(SUMMARY_KEYS))
    return tuple(found)


def summary_columns(records: Sequence[Record], keys: Iterable[str] = tuple(SUMMARY_KEYS)) -> dict[str, list[Any]]:
    """The values of the records' summaries: key -> one value a record, in their order; None where it has none."""
    index: Index | None = None
    rows: list[int] = []
    summaries: list[Mapping[str, Any]] = []
    apart = False
    for record in records:
        place = _place(record)
        if place is not None and (index is None or place[0] is index):
            index, row = place
            rows.append(row)
            summaries.append(_NOTHING)
        else:
            apart = True
            rows.append(-1)
            summaries.append(record.manifest["summary"])
    columns: dict[str, list[Any]] = {}
    for key in keys:
        if index is None or key not in SUMMARY_KEYS:
            columns[key] = [summary.get(key) for summary in summaries]
            continue
        values = index.numbers(key)
        if apart:
            both = zip(rows, summaries, strict=True)
            columns[key] = [summary.get(key) if row < 0 else values[row] for row, summary in both]
        else:
            columns[key] = [values[row] for row in rows]
    return columns


def _place(record: Record) -> tuple[Index, int] | None:
    """Where the index has the whole summary of a record; None where it has not."""
    return record.manifest.summary_place if isinstance(record.manifest, CompactManifest) else None
