"""Ask a store: pandas and DuckDB."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.records.record import Record
from harness.records.schema import TABLES, arrow_schema
from harness.records.store import Store
from harness.records.summary_keys import SUMMARY_KEYS
from harness.study.roles import role_of

if TYPE_CHECKING:
    import duckdb
    import pandas as pd


def load(
    store: Store | Path | str, table: str = "summary", study: str | None = None, *, latest: bool = True
) -> pd.DataFrame:
    """Return records as a data frame.

    Args:
        store: the store or its folder.
        table: `summary` for one row a record, or one of `TABLES` for its rows under those of all other records.
        study: only of this study.
        latest: of each trial only the repetition that counts (`Store.records`).

    Every row says which record it belongs to: `study`, `trial`, `repetition`, `label`, `framework`, `workload`,
    `setting`, `profile`, `seed`, what the study varied, and `termination`; where a study has A/A pairs or canaries
    also `role` (`arm 2`, `canary`), null for the trials of the matrix. All terminations are in: a number of a trial
    that did not end `completed` is a number of an incomplete trial.

    Raises:
        KeyError: there is no such table.
        StoreError: there is no such store.
    """
    import pandas as pd

    found = (store if isinstance(store, Store) else Store(store)).records(study, latest=latest)
    if table == "summary":
        frame = pd.DataFrame([{**identity(r), **r.summary, "path": str(r.path)} for r in found])
        return frame if found else pd.DataFrame(columns=[*_IDENTITY, *SUMMARY_KEYS, "path"])
    if table not in TABLES:
        raise KeyError(f"no table {table!r}; there are summary, {', '.join(TABLES)}")
    return _rows(found, table)


_IDENTITY = (
    "study",
    "trial",
    "repetition",
    "label",
    "started_at",
    "termination",
    "framework",
    "framework_version",
    "environment",
    "workload",
    "setting",
    "profile",
    "seed",
)


def identity(record: Record) -> dict[str, Any]:
    """What a record is of, flat: names of the specification's parts, the seed, and what the study varied."""
    specification = record.specification

    def of(part: str, key: str = "name") -> Any:
        value = specification.get(part)
        return value.get(key) if isinstance(value, dict) else None

    columns = (
        record.study,
        record.id,
        record.repetition,
        record.label,
        record.started_at,
        record.termination,
        of("framework"),
        of("framework", "version"),
        of("framework", "environment"),
        of("workload"),
        of("setting"),
        of("profile"),
        specification.get("seed"),
    )
    flat = dict(zip(_IDENTITY, columns, strict=True))
    if role := role_of(specification):
        flat["role"] = role
    for name, value in record.varied.items():
        # A study may vary something that shares its name with a column, such as `seed` or `top1_percent`.
        flat[f"varied.{name}" if name in flat or name in SUMMARY_KEYS else name] = value
    return flat


def _rows(records: Sequence[Record], table: str) -> pd.DataFrame:
    import pandas as pd

    frames = []
    for record in records:
        rows = record.table(table).to_pandas(types_mapper=_nullable())
        named = {name: value for name, value in identity(record).items() if name not in rows.columns}
        frames.append(pd.concat([pd.DataFrame([named] * len(rows), index=rows.index), rows], axis=1))
    full = [frame for frame in frames if len(frame)]
    if full:
        return pd.concat(full, ignore_index=True)
    names = list(arrow_schema(table).names)
    return pd.DataFrame(columns=[*(name for name in _IDENTITY if name not in names), *names])


def _nullable() -> Any:
    """Integers that may be null stay integers: a counter beyond 2**53 must not go through float64."""
    import pandas as pd
    import pyarrow as pa

    return {pa.int64(): pd.Int64Dtype()}.get


def connect(store: Store | Path | str, *, latest: bool = False) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB connection, in memory, that sees the store as it is now.

    Table `summary` has one row a record; a view for each of `TABLES` has the rows of all records with
    `study`, `trial` and `repetition`. With `latest`, only the repetitions that count.

    Raises:
        StoreError: there is no such store.
    """
    import duckdb

    opened = store if isinstance(store, Store) else Store(store)
    records = opened.records(latest=latest)
    connection = duckdb.connect()
    connection.register("summary_frame", load(opened, latest=latest))
    connection.execute("CREATE TABLE summary AS SELECT * FROM summary_frame")
    connection.unregister("summary_frame")
    for table in TABLES:
        connection.execute(_view(table, records))
    return connection


def _view(table: str, records: Sequence[Record]) -> str:
    paths = [record.path / f"{table}.parquet" for record in records]
    files = ", ".join(_literal(_unglobbed(path)) for path in paths if path.is_file())
    if not files:
        types = {"int64": "BIGINT", "double": "DOUBLE", "string": "VARCHAR"}
        nulls = ", ".join(f'NULL::{types[str(field.type)]} AS "{field.name}"' for field in arrow_schema(table))
        keys = "NULL::VARCHAR AS study, NULL::VARCHAR AS trial, NULL::BIGINT AS repetition"
        return f"CREATE VIEW {table} AS SELECT {keys}, {nulls} WHERE false"
    return (
        f"CREATE VIEW {table} AS SELECT summary.study, summary.trial, summary.repetition, rows.* EXCLUDE filename "
        f"FROM read_parquet([{files}], union_by_name = true, filename = true) AS rows "
        f"JOIN summary ON rows.filename = summary.path || '/{table}.parquet'"
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _unglobbed(path: Path) -> str:
    """The path with the characters that DuckDB would take for a pattern made literal."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in str(path))
