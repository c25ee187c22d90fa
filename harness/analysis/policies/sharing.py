"""The policy database as one Parquet file: written to be shared, taken in beside a store's own records."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import harness
from harness.analysis.policies.columns import DATABASE_VERSION, IDENTITY, VERSION_KEY, column_names, database_schema
from harness.errors import DlgaugeError, FileFormatError, StoreError
from harness.records.store import IMPORTED_FOLDER

if TYPE_CHECKING:
    import pyarrow as pa

NEEDED = ("trial", "study", "repetition", "started_at", "dataset", "framework", "policy_json", "termination")
"""Columns that no row of an export lacks."""

HINT = "give a file that `dlgauge lr database export FILE.parquet` wrote"

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Attributes:
        rows: rows in the file.
        new: rows taken in.
        path: where they lie; None where none was new.
    """

    rows: int
    new: int
    path: Path | None


def write_export(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write rows to a Parquet file, replacing it by one rename.

    Raises:
        DlgaugeError: there is nothing to export, or the file cannot be written.
    """
    if not rows:
        raise DlgaugeError("there is no record to export", hint="run a study into the store first: dlgauge run STUDY")
    _write(rows, path, {"dlgauge_version": harness.__version__, "exported_at": _now()})


def read_export(path: Path) -> pa.Table:
    """The rows of an export.

    Raises:
        FileFormatError: the file cannot be read, is no export, is of a newer version, or lacks what a row needs.
    """
    import pyarrow as pa
    import pyarrow.parquet as parquet

    if not path.is_file():
        raise FileFormatError("there is no such file", where=str(path), hint=HINT)
    try:
        table = parquet.ParquetFile(path).read()
    except (OSError, pa.ArrowException) as error:
        raise FileFormatError(f"no readable Parquet file: {error}", where=str(path), hint=HINT) from None
    version = (table.schema.metadata or {}).get(VERSION_KEY)
    if version is None:
        raise FileFormatError("a Parquet file, but no export of a policy database", where=str(path), hint=HINT)
    if not version.isdigit() or int(version) > DATABASE_VERSION:
        raise FileFormatError(
            f"version {version.decode(errors='replace')} of the policy database is newer than this dlgauge knows "
            f"({DATABASE_VERSION})",
            where=str(path),
            hint="read it with a later dlgauge",
        )
    return _checked(table, path)


def import_export(file: Path, store: Path, known: Iterable[Key]) -> Imported:
    """Take the rows of an export that are not known yet into a store; the same file again changes nothing.

    Args:
        file: what `write_export` wrote.
        store: the store's folder.
        known: keys of the rows that the store has already (`known_keys`).

    Raises:
        FileFormatError: as `read_export`.
        StoreError: the rows cannot be written.
    """
    table = read_export(file)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    exported_at = (table.schema.metadata or {}).get(b"exported_at", b"an unknown time").decode(errors="replace")
    origin = f"{file.name}, exported {exported_at}, sha256 {sha256[:16]}"
    held, new = set(known), []
    for row in table.to_pylist():
        key = _key(row)
        if key not in held:
            held.add(key)
            # A row that was imported there keeps its first origin in front.
            new.append({**row, "origin": f"{row['origin']}; {origin}" if row["origin"] else origin})
    if not new:
        return Imported(table.num_rows, 0, None)
    path = store / IMPORTED_FOLDER / f"{sha256}.parquet"
    if path.exists():  # its rows were known once, and some of their records have been removed since
        new = [*read_export(path).to_pylist(), *new]
    try:
        _write(new, path, {"imported_at": _now(), "exported_at": exported_at})
    except DlgaugeError as error:
        raise StoreError(error.what, where=error.where) from None
    return Imported(table.num_rows, len(new), path)


def imported_files(store: Path) -> list[Path]:
    """Files of imported rows in a store, sorted."""
    return sorted((store / IMPORTED_FOLDER).glob("*.parquet"))


def known_keys(rows: Iterable[Mapping[str, Any]]) -> set[Key]:
    """What tells each row from every other."""
    return {_key(row) for row in rows}


def _key(row: Mapping[str, Any]) -> Key:
    return tuple(row.get(name) for name in IDENTITY)


def _checked(table: pa.Table, path: Path) -> pa.Table:
    import pyarrow as pa

    missing = [name for name in column_names() if name not in table.column_names]
    if missing:
        raise FileFormatError(f"the columns {', '.join(missing)} are missing", where=str(path), hint=HINT)
    try:
        cast = table.select(column_names()).cast(database_schema())
    except (pa.ArrowException, ValueError) as error:
        raise FileFormatError(f"a column is of another type: {error}", where=str(path), hint=HINT) from None
    for name in NEEDED:
        if cast.column(name).null_count:
            row = cast.column(name).is_null().to_pylist().index(True)
            raise FileFormatError(f"row {row + 1} has no {name}", where=str(path), hint=HINT)
    return cast.replace_schema_metadata(table.schema.metadata)


def _write(rows: Sequence[Mapping[str, Any]], path: Path, metadata: dict[str, str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    table = pa.Table.from_pylist([dict(row) for row in rows], schema=database_schema(metadata))
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(table, temporary, compression="zstd")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise DlgaugeError(f"the file cannot be written: {error.strerror or error}", where=str(path)) from None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
