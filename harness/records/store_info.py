"""What a store holds, and how much of it is compacted."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.records.compact_columns import table_columns
from harness.records.compact_generation import COMPACT_FOLDER, Generation
from harness.records.record import Record
from harness.records.store import Store

_BLOCK_BYTES = 512
"""Unit of `st_blocks`, whatever the file system's own blocks are (`man 2 stat`)."""


@dataclass(frozen=True)
class StoreInfo:
    """What a store holds.

    Attributes:
        path: its folder.
        studies: study -> number of records, every repetition counted.
        terminations: how the trials of these records ended -> number of records.
        damaged: folders that hold no readable record.
        samples: rows of the table `samples` of all records.
        samples_unknown: records whose table of samples is missing or damaged.
        compacted: records that the compacted part tells the truth about.
        generation: number of the newest generation; None without one that this version can read.
        made_at: when it was made, ISO 8601 UTC; None without one.
        record_bytes: disk space of the records' folders (allocated blocks, a file with several names counted once).
        compacted_bytes: disk space of the compacted part, all generations.
    """

    path: Path
    studies: Mapping[str, int]
    terminations: Mapping[str, int]
    damaged: int
    samples: int
    samples_unknown: int
    compacted: int
    generation: int | None
    made_at: str | None
    record_bytes: int
    compacted_bytes: int

    @property
    def records(self) -> int:
        """All records, every repetition counted."""
        return sum(self.studies.values())

    @property
    def compacted_share(self) -> float | None:
        """Part of the records that is compacted; None without records."""
        return self.compacted / self.records if self.records else None


def store_info(store: Store) -> StoreInfo:
    """Look through a store. Damaged records are counted, with a `DamagedRecordWarning` each."""
    folders, generation = store.folders(), store.compacted.current()
    records = store.records(latest=False)
    samples = unknown = compacted = 0
    for record in records:
        row = generation.row(record.path) if generation else None
        compacted += row is not None
        rows = _samples(record, generation, row)
        samples, unknown = samples + (rows or 0), unknown + (rows is None)
    return StoreInfo(
        path=store.path,
        studies=dict(sorted(Counter(record.study for record in records).items())),
        terminations=dict(Counter(record.termination for record in records).most_common()),
        damaged=len(folders) - len(records),
        samples=samples,
        samples_unknown=unknown,
        compacted=compacted,
        generation=generation.number if generation else None,
        made_at=str(generation.content["made_at"]) if generation else None,
        record_bytes=disk_bytes(*_studies(store.path)),
        compacted_bytes=disk_bytes(store.path / COMPACT_FOLDER),
    )


def disk_bytes(*folders: Path) -> int:
    """Disk space of everything in these folders: allocated blocks, as `du` counts them; 0 where there is no folder."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for one in (one for folder in folders for one in _entries(folder)):
        try:
            found = one.stat(follow_symlinks=False)
        except FileNotFoundError:  # removed this moment, as by the end of a compaction
            continue
        if found.st_nlink > 1 and not one.is_dir(follow_symlinks=False):
            if (found.st_dev, found.st_ino) in seen:
                continue
            seen.add((found.st_dev, found.st_ino))
        total += found.st_blocks * _BLOCK_BYTES
    return total


def _samples(record: Record, generation: Generation | None, row: int | None) -> int | None:
    """Rows of the record's samples; None where they cannot be read."""
    if generation is not None and row is not None and generation.rows(row, "samples", record.path) is not None:
        return int(generation.index.plain(table_columns("samples")[2])[row])
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        return int(parquet.read_metadata(record.path / "samples.parquet").num_rows)
    except (OSError, pa.ArrowException):
        return None


def _studies(store: Path) -> list[Path]:
    return [path for path in store.iterdir() if path.is_dir() and not path.name.startswith(".")]


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            for one in found:
                yield one
                if one.is_dir(follow_symlinks=False):
                    yield from _entries(Path(one.path))
    except FileNotFoundError:  # removed this moment
        return
