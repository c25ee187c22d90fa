"""The tables of records, from the compacted part for the records it covers and from their own files for all others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.records.compact_generation import RECORD_COLUMN, Generation, Rows, warn_of_damage
from harness.records.compact_index import CompactManifest
from harness.records.record import Record
from harness.records.schema import arrow_schema

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


UNITED, NAMED = "union_by_name = true", "filename = true"
"""Options of a scan: columns by name, also where files have others; a column with the name of the file."""


@dataclass(frozen=True)
class _Covered:
    """A record whose table is in the compacted part: its place among the records asked for, and where its rows are."""

    place: int
    row: int
    rows: Rows


def tables_of(records: Sequence[Record], table: str) -> list[pa.Table]:
    """The rows of each record, as its own file has them.

    Raises:
        StoreError: a table is missing or damaged.
    """
    from pyarrow import ArrowException

    found: list[pa.Table | None] = [None] * len(records)
    for generation, members in _covered(records, table).items():
        try:
            own = generation.read(table, [one.rows for one in members])
        except (OSError, ValueError, LookupError, ArrowException) as error:
            warn_of_damage(generation.folder, error)  # it costs time, not rows
            continue
        for one, rows in zip(members, own, strict=True):
            found[one.place] = rows
    return [record.table(table) if rows is None else rows for record, rows in zip(records, found, strict=True)]


def make_view(connection: duckdb.DuckDBPyConnection, table: str, records: Sequence[Record]) -> None:
    """Make a view with the rows of these records' tables, under the study, trial and repetition they belong to.

    The connection has the table `summary`. A record without the table's file has no rows. Columns are those of this
    version, then those that only other versions know; null where a record has none.
    """
    covered = _covered(records, table)
    places = {one.place for members in covered.values() for one in members}
    sources = [_nothing(table)]
    sources += [_compacted(connection, table, generation, members, records) for generation, members in covered.items()]
    paths = [record.path / f"{table}.parquet" for place, record in enumerate(records) if place not in places]
    if files := [path for path in paths if path.is_file()]:
        sources.append(
            f"SELECT summary.study, summary.trial, summary.repetition, rows.* EXCLUDE filename "
            f"FROM {scan(files, UNITED, NAMED)} AS rows "
            f"JOIN summary ON rows.filename = summary.path || '/{table}.parquet'"
        )
    connection.execute(f"CREATE VIEW {table} AS " + " UNION ALL BY NAME ".join(sources))


def literal(text: str) -> str:
    """The text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def _covered(records: Sequence[Record], table: str) -> dict[Generation, list[_Covered]]:
    found: dict[Generation, list[_Covered]] = {}
    for place, record in enumerate(records):
        if isinstance(record.manifest, CompactManifest):
            generation, row = record.manifest.place
            rows = generation.rows(row, table, record.path)
            if rows is not None and generation.has_readable(table, rows.segment):
                found.setdefault(generation, []).append(_Covered(place, row, rows))
    return found


def _compacted(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    generation: Generation,
    members: Sequence[_Covered],
    records: Sequence[Record],
) -> str:
    """The rows of the members: of the segments those that belong to one of them."""
    import pyarrow as pa

    numbers = generation.index.plain("record")
    own = [records[one.place] for one in members]
    columns = {
        "record": pa.array([numbers[one.row] for one in members], pa.int64()),
        "study": pa.array([record.study for record in own], pa.string()),
        "trial": pa.array([record.id for record in own], pa.string()),
        "repetition": pa.array([record.repetition for record in own], pa.int64()),
    }
    connection.execute("CREATE SCHEMA IF NOT EXISTS compacted")
    connection.register("members", pa.table(columns))
    connection.execute(f"CREATE TABLE compacted.{table} AS SELECT * FROM members")
    connection.unregister("members")
    segments = [generation.segments(table)[number] for number in sorted({one.rows.segment for one in members})]
    return (
        f"SELECT own.study, own.trial, own.repetition, rows.* EXCLUDE {RECORD_COLUMN} "
        f"FROM {scan(segments, UNITED)} AS rows "
        f"JOIN compacted.{table} AS own ON rows.{RECORD_COLUMN} = own.record"
    )


def scan(files: Iterable[Path], *options: str) -> str:
    """The rows of Parquet files, as SQL has them."""
    return f"read_parquet({', '.join((file_list(files), *options))})"


def file_list(files: Iterable[Path]) -> str:
    """Names of files as SQL has them, none of them a pattern."""
    return f"[{', '.join(literal(_unglobbed(path)) for path in files)}]"


def _nothing(table: str) -> str:
    """No rows, but the columns of this version with their types."""
    types = {"int64": "BIGINT", "double": "DOUBLE", "string": "VARCHAR"}
    nulls = ", ".join(f'NULL::{types[str(field.type)]} AS "{field.name}"' for field in arrow_schema(table))
    keys = "NULL::VARCHAR AS study, NULL::VARCHAR AS trial, NULL::BIGINT AS repetition"
    return f"SELECT {keys}, {nulls} WHERE false"


def _unglobbed(path: Path) -> str:
    """The path with the characters that DuckDB would take for a pattern made literal."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in str(path))
