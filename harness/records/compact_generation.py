"""The compacted part of a store: which generation is the newest, and which records it still tells the truth about.

`<store>/.compact/<number>/` is one generation: `compaction.json`, `index.parquet` and the segments of every table. It
is made out of sight and becomes visible by one rename; the newest one counts. Records stay where they are and remain
the truth: a record whose manifest.json or table has another time or size than when it was compacted is read from its
folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.records.compact_columns import table_columns
from harness.records.compact_index import CompactManifest, Index
from harness.records.manifest import MANIFEST_FILE
from harness.records.schema import SCHEMA_VERSION
from harness.records.summary_keys import SUMMARY_KEYS

if TYPE_CHECKING:
    import pyarrow as pa

COMPACT_FOLDER = ".compact"
COMPACTION_FILE = "compaction.json"
INDEX_FILE = "index.parquet"
COMPACT_VERSION = 1
"""Version of the compacted form; another version is as good as none."""

RECORD_COLUMN = "_record"
"""Column of a segment that says which record a row is of: `record` of the index."""

_TRIES = 3
_ONE_IN = 50
"""Of a store with more than this many times the wanted records the index takes longer to open than their manifests."""


class DamagedCompactionWarning(UserWarning):
    """The compacted part of a store cannot be read; the records are read from their folders."""


@dataclass(frozen=True)
class Rows:
    """Where the rows of one record's table are: segment, first row, number of rows."""

    segment: int
    offset: int
    count: int


class Generation:
    """One generation of a store's compacted part, open for reading.

    Args:
        folder: `<store>/.compact/<number>`.

    Raises:
        OSError, ValueError, KeyError, pyarrow.ArrowException: it cannot be read.

    Attributes:
        folder: its folder.
        content: its compaction.json.
        index: the rows of its records.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.content: dict[str, Any] = json.loads((folder / COMPACTION_FILE).read_bytes())
        # Columns are read when they are wanted, too late to pass the generation over: so all of it is checked now.
        if index_sha256(folder) != self.content["index_sha256"]:
            raise ValueError(f"{INDEX_FILE} has another SHA-256 than {COMPACTION_FILE} says")
        self.index = Index(folder / INDEX_FILE)
        names = zip(self.index.plain("study_folder"), self.index.plain("folder"), strict=True)
        self._row_of = {name: row for row, name in enumerate(names)}
        self._readable: dict[tuple[str, int], bool] = {}
        self._mtime_ns, self._bytes = self.index.plain("mtime_ns"), self.index.plain("bytes")

    @property
    def number(self) -> int:
        """The higher, the newer."""
        return int(self.folder.name)

    @property
    def is_readable(self) -> bool:
        """Whether this version of dlgauge would compact the same things the same way."""
        return is_current(self.content)

    def segments(self, table: str) -> list[Path]:
        """The Parquet files with a table's rows."""
        return [self.folder / name for name in self.content["segments"].get(table, [])]

    def manifest(self, folder: Path) -> CompactManifest | None:
        """The manifest of a record; None where it was not compacted, or has changed since."""
        row = self.row(folder)
        return None if row is None else CompactManifest(self, row, folder)

    def row(self, folder: Path) -> int | None:
        """The row of a record; None where it was not compacted, or its manifest has changed since."""
        row = self._row_of.get((folder.parent.name, folder.name))
        if row is None:
            return None
        try:
            found = os.stat(f"{folder}/{MANIFEST_FILE}")  # noqa: PTH116
        except OSError:
            return None
        same = found.st_mtime_ns == self._mtime_ns[row] and found.st_size == self._bytes[row]
        return row if same else None

    def has_readable(self, table: str, segment: int) -> bool:
        """Whether a segment can be opened; where not, that is told once."""
        if (table, segment) not in self._readable:
            import pyarrow as pa
            import pyarrow.parquet as parquet

            path = self.segments(table)[segment]
            try:
                parquet.read_metadata(path)
                self._readable[table, segment] = True
            except (OSError, ValueError, pa.ArrowException) as error:
                warn_of_damage(path, error)
                self._readable[table, segment] = False
        return self._readable[table, segment]

    def rows(self, row: int, table: str, folder: Path) -> Rows | None:
        """Where a record's table is; None where it was not compacted, or its file has changed since."""
        segment, offset, count, mtime_ns, size = (self.index.plain(name)[row] for name in table_columns(table))
        if segment is None:
            return None
        try:
            found = os.stat(f"{folder}/{table}.parquet")  # noqa: PTH116
        except OSError:
            return None
        if found.st_mtime_ns != mtime_ns or found.st_size != size:
            return None
        return Rows(segment, offset, count)

    def read(self, table: str, wanted: Sequence[Rows]) -> list[pa.Table]:
        """The tables of some records, each as it stands in its file, in the order asked for.

        Each row group is read once. Of one that holds little of what is wanted the rest is not kept.

        Raises:
            OSError, ValueError, pyarrow.ArrowException: a segment cannot be read.
        """
        import pyarrow as pa

        segments = {number: _Segment(self.segments(table)[number]) for number in {rows.segment for rows in wanted}}
        pieces: dict[tuple[int, int], list[_Piece]] = {}
        for place, rows in enumerate(wanted):
            for group, begin, count in segments[rows.segment].groups(rows.offset, rows.count):
                pieces.setdefault((rows.segment, group), []).append(_Piece(place, begin, count))
        parts: list[list[pa.Table]] = [[] for _ in wanted]
        for (number, group), own in sorted(pieces.items()):
            for piece, part in zip(own, segments[number].read(group, own), strict=True):
                parts[piece.place].append(part)
        return [
            pa.concat_tables(some) if some else segments[rows.segment].empty()
            for some, rows in zip(parts, wanted, strict=True)
        ]


@dataclass(frozen=True)
class _Piece:
    """Rows of one row group that belong to one of the records asked for: its place, first row, number of rows."""

    place: int
    begin: int
    count: int


class _Segment:
    """One Parquet file with rows of many records."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as parquet

        self._file = parquet.ParquetFile(path, page_checksum_verification=True)
        metadata = self._file.metadata
        sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        self._ends = list(accumulate(sizes))

    def groups(self, offset: int, count: int) -> Iterator[tuple[int, int, int]]:
        """(row group, first row in it, number of rows) of some rows of the file."""
        end = offset + count
        while offset < end:
            group = bisect_right(self._ends, offset)
            begin = self._ends[group - 1] if group else 0
            taken = min(end, self._ends[group]) - offset
            yield group, offset - begin, taken
            offset += taken

    def read(self, group: int, pieces: Sequence[_Piece]) -> list[pa.Table]:
        """The pieces of one row group."""
        import numpy as np

        whole = self._file.read_row_group(group).drop_columns([RECORD_COLUMN])
        begins = [piece.begin for piece in pieces]
        if 2 * sum(piece.count for piece in pieces) < whole.num_rows:
            whole = whole.take(np.concatenate([np.arange(one.begin, one.begin + one.count) for one in pieces]))
            begins = [0, *accumulate(piece.count for piece in pieces)][:-1]
        return [whole.slice(begin, piece.count) for begin, piece in zip(begins, pieces, strict=True)]

    def empty(self) -> pa.Table:
        """No rows, with the columns of a record's table."""
        names = [name for name in self._file.schema_arrow.names if name != RECORD_COLUMN]
        return self._file.schema_arrow.empty_table().select(names)


class CompactedPart:
    """The compacted part of one store, opened at its first use and again whenever there is a newer generation."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._open: Generation | None = None

    def current(self, wanted: int | None = None) -> Generation | None:
        """The newest generation; None where there is none that can be read, or reading the records is less work.

        Args:
            wanted: number of records that are wanted; None for all.
        """
        for _ in range(_TRIES):
            newest = newest_folder(self._store)
            if newest is None or (self._open is not None and self._open.folder == newest):
                return self._open if newest else None
            try:
                return self._opened(newest, wanted)
            except FileNotFoundError:
                continue  # a newer one has taken its place this moment
        return None

    def _opened(self, newest: Path, wanted: int | None) -> Generation | None:
        try:
            content = json.loads((newest / COMPACTION_FILE).read_bytes())
            if not is_current(content) or (wanted is not None and wanted * _ONE_IN < int(content["records"])):
                return None
        except FileNotFoundError:
            raise
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            warn_of_damage(newest, error)
            return None
        from pyarrow import ArrowException

        try:
            self._open = Generation(newest)
        except FileNotFoundError:
            raise
        except (OSError, ValueError, LookupError, TypeError, ArrowException) as error:
            warn_of_damage(newest, error)
            return None
        return self._open


def index_sha256(folder: Path) -> str:
    """SHA-256 of a generation's index."""
    with (folder / INDEX_FILE).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_current(content: Mapping[str, Any]) -> bool:
    """Whether a compaction.json is of this version's form, schema and summary keys."""
    return (
        content.get("compact_version") == COMPACT_VERSION
        and content.get("schema_version") == SCHEMA_VERSION
        and content.get("summary_keys") == list(SUMMARY_KEYS)
    )


def generations(store: Path) -> list[Path]:
    """The folders of a store's generations, oldest first."""
    try:
        names = [path.name for path in (store / COMPACT_FOLDER).iterdir()]
    except OSError:
        return []
    return [store / COMPACT_FOLDER / str(number) for number in sorted(int(name) for name in names if name.isdecimal())]


def newest_folder(store: Path) -> Path | None:
    """The folder of the newest generation."""
    found = generations(store)
    return found[-1] if found else None


def warn_of_damage(path: Path, error: Exception) -> None:
    """Say that a part of a generation cannot be read, and how to have it whole again."""
    warnings.warn(
        f"the compacted part {path} cannot be read, so the records are: {error}; make it anew: "
        "dlgauge store compact STORE --again",
        DamagedCompactionWarning,
        stacklevel=4,
    )
