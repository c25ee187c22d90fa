"""Read the tables of many records at once, with DuckDB: of small Parquet files in less than half of PyArrow's time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.records.compact_queries import NAMED, file_list, scan

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

READERS = 2
"""Threads that read: what the disk and a small machine have use for."""

_EXACT = {("INT64", None, None), ("DOUBLE", None, None), ("BYTE_ARRAY", "UTF8", "StringType()")}
"""Parquet's types (physical, converted, logical) that come through DuckDB as they are: those of our tables."""


@dataclass(frozen=True)
class Block:
    """Tables with the same columns, one behind the other.

    Attributes:
        places: numbers of the records, rising.
        counts: how many rows each of them has.
        rows: all of them.
        found: of each record's file the state before it was read.
    """

    places: tuple[int, ...]
    counts: tuple[int, ...]
    rows: pa.Table
    found: tuple[os.stat_result, ...]


class TableReader:
    """Reads one table of many records."""

    def __init__(self) -> None:
        import duckdb

        self._connection: duckdb.DuckDBPyConnection = duckdb.connect()
        self._connection.execute(f"SET threads = {READERS}")

    def read(self, folders: Sequence[Path], table: str) -> list[Block]:
        """The table of each of these records; a record without a readable one is in no block."""
        files: dict[int, tuple[Path, os.stat_result]] = {}
        for place, folder in enumerate(folders):
            path = folder / f"{table}.parquet"
            with suppress(OSError):
                files[place] = (path, path.stat())
        return [] if not files else list(self._blocks(files))

    def _blocks(self, files: Mapping[int, tuple[Path, os.stat_result]]) -> Iterator[Block]:
        import duckdb

        blocks: list[Block | None] = [None]
        try:
            alike = self._by_columns([path for path, _ in files.values()])
            blocks = [
                self._at_once({place: files[place] for place in files if str(files[place][0]) in paths})
                for paths in alike
            ]
        except (duckdb.Error, OSError, LookupError, ValueError):
            pass
        whole = [block for block in blocks if block is not None]
        # Else a file is damaged, or of a form that only PyArrow gives back exactly.
        yield from whole if len(whole) == len(blocks) else _one_by_one(files)

    def _by_columns(self, paths: Sequence[Path]) -> list[set[str]]:
        """The files in groups with the same columns; empty groups never.

        Raises:
            ValueError: a column is of a type that DuckDB may not give back exactly.
        """
        columns = (
            "SELECT file_name, list((name, type, converted_type, logical_type) ORDER BY place) "
            f"FROM (SELECT *, row_number() OVER () AS place FROM parquet_schema({file_list(paths)})"
            ") WHERE type IS NOT NULL GROUP BY file_name"
        )
        alike: dict[str, set[str]] = {}
        for path, listed in self._connection.sql(columns).fetchall():
            if any(tuple(kind) not in _EXACT for _, *kind in listed):
                raise ValueError(f"{path} has a column of another type")
            alike.setdefault(repr(listed), set()).add(path)
        return list(alike.values())

    def _at_once(self, files: Mapping[int, tuple[Path, os.stat_result]]) -> Block | None:
        """Files with the same columns; None where their rows do not come back file by file in this order."""
        import pyarrow.compute as compute
        import pyarrow.parquet as parquet

        paths = [path for path, _ in files.values()]
        found = self._connection.sql(f"SELECT * FROM {scan(paths, NAMED)}").to_arrow_table()
        schema = parquet.read_schema(paths[0])
        counts = dict.fromkeys(map(str, paths), 0)
        if found.num_rows:
            runs = compute.run_end_encode(found.column("filename").combine_chunks())
            ends, names = runs.run_ends.to_pylist(), runs.values.to_pylist()
            if [name for name in counts if name in set(names)] != names:
                return None
            for begin, end, name in zip([0, *ends], ends, names, strict=False):
                counts[name] = end - begin
        rows = found.select(schema.names).cast(schema)
        return Block(tuple(files), tuple(counts.values()), rows, tuple(state for _, state in files.values()))


def _one_by_one(files: Mapping[int, tuple[Path, os.stat_result]]) -> Iterator[Block]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    for place, (path, state) in files.items():
        with suppress(OSError, pa.ArrowException):
            rows = parquet.ParquetFile(path).read(use_threads=False)
            yield Block((place,), (rows.num_rows,), rows, (state,))
