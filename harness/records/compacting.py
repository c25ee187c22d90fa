"""Compact a store: what queries read of its records, side by side in a few Parquet files.

The form is that of `harness.records.compact_generation`.

A compaction reads only the records that the newest generation does not have, and takes over that one's segments as hard
links. A process that dies in here leaves a folder that no reader looks at; the next compaction removes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from harness.errors import StoreError
from harness.records.compact_columns import Irregular, index_row, table_columns
from harness.records.compact_folders import make_visible, new_folder, remove_abandoned, remove_old, sync, take_over
from harness.records.compact_generation import (
    COMPACT_FOLDER,
    COMPACT_VERSION,
    COMPACTION_FILE,
    INDEX_FILE,
    Generation,
    index_sha256,
)
from harness.records.compact_reading import Block, TableReader
from harness.records.compact_segments import IndexWriter, SegmentWriter
from harness.records.locking import store_lock
from harness.records.manifest import MANIFEST_FILE
from harness.records.record import Record
from harness.records.running import remove_tree
from harness.records.schema import SCHEMA_VERSION, TABLES
from harness.records.store import Store
from harness.records.summary_keys import SUMMARY_KEYS

LOCK_NAME = ".compact"
"""Name of the lock of a compaction: no study can have it."""
MOST_SEGMENTS = 64
"""Segments of one table from which on everything is written anew."""
LARGEST_DEAD_SHARE = 0.25
"""Share of the compacted records that may be gone or changed before everything is written anew."""
_AT_ONCE = 256

Progress = Callable[[int, int], None]
_Waiting = tuple[dict[Path, dict[str, Any]], "Future[dict[str, list[Block]]]"]


@dataclass(frozen=True)
class LeftOut:
    """A record that is read from its folder as before, and why."""

    path: Path
    why: str


@dataclass(frozen=True)
class Compaction:
    """What a compaction did.

    Attributes:
        folder: the newest generation; None where the store has no record.
        records: how many records it has.
        added: of these, read from their folders now.
        dropped: records of the generation before that are gone or have changed.
        left_out: records that could not be taken in.
        is_new: False where the generation before had everything already.
    """

    folder: Path | None
    records: int
    added: int
    dropped: int
    left_out: tuple[LeftOut, ...]
    is_new: bool


def compact(
    store: Store | Path | str,
    *,
    again: bool = False,
    on_wait: Callable[[str], None] = lambda _: None,
    on_progress: Progress = lambda _done, _of: None,
) -> Compaction:
    """Compact a store. Records are only read; runs and queries may go on meanwhile.

    Args:
        store: the store or its folder.
        again: read every record anew, in place of only those that are new or have changed.
        on_wait: is told who compacts the store already, before waiting for its end.
        on_progress: is told how many records were read, and of how many.

    Raises:
        StoreError: there is no such store, or it cannot be written.
    """
    opened = store if isinstance(store, Store) else Store(store)
    with store_lock(opened.path, LOCK_NAME, "compacts this store", on_wait):
        try:
            return _compact(opened, again, on_progress)
        except OSError as error:
            raise StoreError(
                f"the store cannot be compacted: {error}",
                where=str(opened.path / COMPACT_FOLDER),
                hint="free space or get the permission; the records are as they were",
            ) from error


def _compact(store: Store, again: bool, on_progress: Progress) -> Compaction:
    home = store.path / COMPACT_FOLDER
    remove_abandoned(home)
    work = _planned(store, again)
    if not work.folders and not work.base:
        return Compaction(None, 0, 0, 0, (), False)
    if work.base and not work.fresh and not work.dropped:
        return Compaction(work.base.folder, len(work.kept), 0, 0, (), False)
    building = new_folder(home)
    try:
        written = _Writing(building, work)
        written.add(work.fresh, on_progress)
        added = written.finish()
        if work.base and not added and not work.dropped:  # nothing but records that cannot be taken in
            return Compaction(work.base.folder, len(work.kept), 0, 0, tuple(written.left_out), False)
        folder = make_visible(building, home)
    finally:
        remove_tree(building)
    remove_old(store.path)
    return Compaction(folder, len(work.kept) + added, added, work.dropped, tuple(written.left_out), True)


@dataclass
class _Work:
    """What a compaction has to do.

    Attributes:
        folders: all record folders of the store.
        base: the generation whose segments are taken over; None where everything is read.
        kept: rows of it that still tell the truth.
        fresh: folders to read.
        dropped: rows of the newest generation that do not.
    """

    folders: list[Path]
    base: Generation | None
    kept: list[int] = field(default_factory=list)
    fresh: list[Path] = field(default_factory=list)
    dropped: int = 0


def _planned(store: Store, again: bool) -> _Work:
    folders = store.folders()
    newest = None if again else store.compacted.current()
    if newest is None:
        return _Work(folders, None, fresh=folders)
    work = _Work(folders, newest)
    for path in folders:
        row = newest.row(path)
        if row is not None and all(_unchanged(newest, row, table, path) for table in TABLES):
            work.kept.append(row)
        else:
            work.fresh.append(path)
    work.dropped = newest.index.rows - len(work.kept)
    segments = max((len(newest.segments(table)) for table in TABLES), default=0)
    if work.dropped > LARGEST_DEAD_SHARE * max(1, newest.index.rows) or (work.fresh and segments >= MOST_SEGMENTS):
        return _Work(folders, None, fresh=folders, dropped=work.dropped)
    return work


def _unchanged(generation: Generation, row: int, table: str, folder: Path) -> bool:
    """Whether a table is as it was: compacted and unchanged, or still not there to be compacted."""
    if generation.index.plain(table_columns(table)[0])[row] is None:
        return True
    return generation.rows(row, table, folder) is not None


class _Writing:
    """The files of a new generation while they are written."""

    def __init__(self, folder: Path, work: _Work) -> None:
        self.left_out: list[LeftOut] = []
        self._folder = folder
        self._base = work.base
        old = work.base
        self._old_segments = {table: take_over(old.segments(table), folder) if old else [] for table in TABLES}
        self._next = int(old.content["next_record"]) if old else 0
        self._segments = {
            table: SegmentWriter(folder, table, old.number if old else 0, len(self._old_segments[table]))
            for table in TABLES
        }
        self._index = IndexWriter(folder / INDEX_FILE)
        if old:
            self._index.take_over(old.folder / INDEX_FILE, work.kept)

    def add(self, folders: Sequence[Path], on_progress: Progress) -> None:
        """Read records and add them, in this order: tables of some are read while the next manifests are."""
        reader, done = TableReader(), 0
        with ThreadPoolExecutor(1) as beside:
            waiting: _Waiting | None = None
            for some in _batches(folders, _AT_ONCE):
                rows = self._index_rows(some)
                tables = beside.submit(_tables, reader, list(rows))
                if waiting is not None:
                    done += self._append(*waiting)
                    on_progress(done, len(folders))
                waiting = (rows, tables)
            if waiting is not None:
                self._append(*waiting)
        on_progress(len(folders), len(folders))

    def _index_rows(self, folders: Sequence[Path]) -> dict[Path, dict[str, Any]]:
        found = {}
        for path in folders:
            row = _index_row(path)
            if isinstance(row, str):
                self.left_out.append(LeftOut(path, row))
            else:
                found[path] = row
        return found

    def _append(self, found: dict[Path, dict[str, Any]], tables: Future[dict[str, list[Block]]]) -> int:
        rows = list(found.values())
        for number, (path, row) in enumerate(found.items(), start=self._next):
            row |= {"record": number, "study_folder": path.parent.name, "folder": path.name}
        for table, blocks in tables.result().items():
            for block in blocks:
                numbers = [self._next + place for place in block.places]
                segment, offsets = self._segments[table].append(block.rows, numbers, block.counts)
                for place, offset, count, file in zip(block.places, offsets, block.counts, block.found, strict=True):
                    values = (segment, offset, count, file.st_mtime_ns, file.st_size)
                    rows[place] |= dict(zip(table_columns(table), values, strict=True))
        for row in rows:
            self._index.append(row)
        self._next += len(rows)
        return len(rows)

    def finish(self) -> int:
        """Write what is left and the description; returns how many records were added."""
        segments = {
            table: [*self._old_segments[table], *(path.name for path in self._segments[table].close())]
            for table in TABLES
        }
        records, added = self._index.close()
        content = {
            "compact_version": COMPACT_VERSION,
            "schema_version": SCHEMA_VERSION,
            "summary_keys": list(SUMMARY_KEYS),
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "records": records,
            "next_record": self._next,
            "index_sha256": index_sha256(self._folder),
            "segments": segments,
        }
        (self._folder / COMPACTION_FILE).write_text(json.dumps(content, indent=1) + "\n")
        for path in self._folder.iterdir():
            sync(path)
        return added


def _index_row(folder: Path) -> dict[str, Any] | str:
    """A record's row of the index, or why it is left out."""
    try:
        before = (folder / MANIFEST_FILE).stat()
        row = index_row(Record.read(folder).manifest)
    except (StoreError, Irregular) as error:
        return str(error)
    except (OSError, KeyError, AttributeError, TypeError) as error:
        return f"{type(error).__name__}: {error}"
    return row | {"mtime_ns": before.st_mtime_ns, "bytes": before.st_size}


def _tables(reader: TableReader, folders: Sequence[Path]) -> dict[str, list[Block]]:
    return {table: reader.read(folders, table) for table in TABLES}


def _batches(items: Sequence[Path], size: int) -> Iterator[list[Path]]:
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some
