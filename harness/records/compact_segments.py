"""Write a generation's Parquet files: the index, and for every table segments of records one behind the other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.records.compact_columns import index_schema
from harness.records.compact_generation import RECORD_COLUMN

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_AT_ONCE = 65_536
"""Rows of a table in one row group, about: what is read at once."""
_RECORDS_AT_ONCE = 8_192


class SegmentWriter:
    """Segments of one table: one for each set of columns, so that a record comes back with the columns it had.

    Args:
        folder: of the new generation.
        table: name of the table.
        after: number of the generation before: names of segments are unique among those that share them.
        first: number of the first segment.
    """

    def __init__(self, folder: Path, table: str, after: int, first: int) -> None:
        self._folder = folder
        self._table = table
        self._after = after
        self._first = first
        self._open: list[_Segment] = []

    def append(self, rows: pa.Table, records: Sequence[int], counts: Sequence[int]) -> tuple[int, list[int]]:
        """Add rows of records, so many of each; returns the segment's number and those of their first rows in it."""
        for number, segment in enumerate(self._open):
            if segment.takes(rows):
                return self._first + number, segment.append(rows, records, counts)
        number = len(self._open)
        path = self._folder / f"{self._table}-{self._after + 1}-{number}.parquet"
        self._open.append(_Segment(path, rows.schema))
        return self._first + number, self._open[-1].append(rows, records, counts)

    def close(self) -> list[Path]:
        """Write what is left; returns the files."""
        return [segment.close() for segment in self._open]


class _Segment:
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        import pyarrow as pa
        import pyarrow.parquet as parquet

        self._path = path
        self._fields = _plain(schema)
        self._schema = schema.append(pa.field(RECORD_COLUMN, pa.int64()))
        self._writer = parquet.ParquetWriter(path, self._schema, compression="zstd", write_page_checksum=True)
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0
        self._rows = 0

    def takes(self, rows: pa.Table) -> bool:
        return _plain(rows.schema) == self._fields

    def append(self, rows: pa.Table, records: Sequence[int], counts: Sequence[int]) -> list[int]:
        import numpy as np
        import pyarrow as pa

        offsets = [self._rows + before for before in accumulate(counts, initial=0)][:-1]
        if rows.num_rows:
            numbers = pa.array(np.repeat(np.array(records, dtype=np.int64), counts))
            numbered = rows.append_column(self._schema.field(RECORD_COLUMN), numbers).cast(self._schema)
            self._waiting.append(numbered)
            self._waiting_rows += rows.num_rows
            self._rows += rows.num_rows
            if self._waiting_rows >= ROWS_AT_ONCE:
                self._write()
        return offsets

    def close(self) -> Path:
        self._write()
        self._writer.close()
        return self._path

    def _write(self) -> None:
        import pyarrow as pa

        if self._waiting:
            whole = pa.concat_tables(self._waiting)
            self._writer.write_table(whole, row_group_size=max(1, whole.num_rows))
            self._waiting, self._waiting_rows = [], 0


class IndexWriter:
    """The index of a generation."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as parquet

        self._schema = index_schema()
        self._writer = parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._waiting: list[dict[str, Any]] = []
        self._kept = 0
        self._added = 0

    def take_over(self, index: Path, rows: list[int]) -> None:
        """Add rows of another index."""
        import pyarrow as pa
        import pyarrow.parquet as parquet

        if rows:
            whole = parquet.ParquetFile(index).read()
            plain = pa.schema([field.with_type(_value_type(field.type)) for field in self._schema])
            table = whole.cast(plain).take(pa.array(rows))
            for begin in range(0, len(rows), _RECORDS_AT_ONCE):  # each row group with a dictionary of its own rows
                self._write_columns(table.slice(begin, _RECORDS_AT_ONCE).combine_chunks().columns)
            self._kept += len(rows)

    def append(self, row: dict[str, Any]) -> None:
        """Add the row of one record."""
        self._waiting.append(row)
        self._added += 1
        if len(self._waiting) >= _RECORDS_AT_ONCE:
            self._write()

    def close(self) -> tuple[int, int]:
        """Write what is left; returns how many rows there are, and how many of them were not taken over."""
        self._write()
        self._writer.close()
        return self._kept + self._added, self._added

    def _write(self) -> None:
        import pyarrow as pa

        if not self._waiting:
            return
        names = self._schema.names
        types = [_value_type(field.type) for field in self._schema]
        self._write_columns(
            [pa.array([row.get(name) for row in self._waiting], kind) for name, kind in zip(names, types, strict=True)]
        )
        self._waiting = []

    def _write_columns(self, columns: Sequence[Any]) -> None:
        import pyarrow as pa

        encoded = [
            column.dictionary_encode() if pa.types.is_dictionary(field.type) else column
            for field, column in zip(self._schema, columns, strict=True)
        ]
        self._writer.write_table(pa.table(encoded, schema=self._schema))


def _value_type(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _plain(schema: pa.Schema) -> list[tuple[str, str]]:
    """Names and types: descriptions in the metadata may change from version to version."""
    return [(field.name, str(field.type)) for field in schema]
