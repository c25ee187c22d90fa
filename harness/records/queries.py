"""Ask a store: pandas and DuckDB."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.garbage import collector_paused
from harness.records.compact_index import CompactManifest
from harness.records.compact_queries import literal, make_view, tables_of
from harness.records.record import Record
from harness.records.schema import TABLES, arrow_schema
from harness.records.store import Store
from harness.records.summary_columns import summary_columns, summary_names
from harness.records.summary_keys import SUMMARY_KEYS

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

MEMORY_LIMIT_BYTES = 1 << 30
"""What a DuckDB connection may hold in memory at once."""


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
    if table == "summary":
        with collector_paused():
            return _summary((store if isinstance(store, Store) else Store(store)).records(study, latest=latest))
    found = (store if isinstance(store, Store) else Store(store)).records(study, latest=latest)
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
    return next(_identities([record]))


def _identities(records: Iterable[Record]) -> Iterator[dict[str, Any]]:
    """`identity` of each; what follows from parts of the manifest that records share is worked out once."""
    known: dict[Hashable, tuple[tuple[Any, ...], dict[str, Any]]] = {}
    for record in records:
        token = record.sharing("specification", "varied")
        names, others = known.get(token) or _shared_identity(record)
        if token is not None:
            known[token] = names, others
        own = (record.study, record.id, record.repetition, record.label, record.started_at, record.termination)
        yield dict(zip(_IDENTITY, (*own, *names, _seed_of(record)), strict=True)) | others


def _seed_of(record: Record) -> Any:
    """The seed; None where the specification has none."""
    is_compacted = isinstance(record.manifest, CompactManifest)
    return record.seed if is_compacted else record.manifest["specification"].get("seed")


def _shared_identity(record: Record) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The names in a record's identity, and the columns behind them."""
    specification = record.specification

    def of(part: str, key: str = "name") -> Any:
        value = specification.get(part)
        return value.get(key) if isinstance(value, dict) else None

    framework = (of("framework"), of("framework", "version"), of("framework", "environment"))
    others: dict[str, Any] = {"role": record.role} if record.role else {}
    for name, value in record.varied.items():
        # A study may vary something that shares its name with a column, such as `seed` or `top1_percent`.
        taken = name in _IDENTITY or name in others or name in SUMMARY_KEYS
        others[f"varied.{name}" if taken else name] = value
    return (*framework, of("workload"), of("setting"), of("profile")), others


def _summary(records: Sequence[Record]) -> pd.DataFrame:
    import pandas as pd

    if not records:
        return pd.DataFrame(columns=[*_IDENTITY, *SUMMARY_KEYS, "path"])
    identities = _columns(_identities(records))
    numbers = pd.DataFrame(summary_columns(records, summary_names(records)))
    return pd.concat([identities, numbers, pd.DataFrame({"path": [str(one.path) for one in records]})], axis=1)


def _columns(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The rows as columns, in the order of their first appearance; rows of a whole store would take far more memory."""
    import pandas as pd

    columns: dict[str, list[Any]] = {}
    count = 0
    for count, row in enumerate(rows, start=1):
        for name, value in row.items():
            column = columns.get(name)
            if column is None:
                column = columns[name] = [None] * (count - 1)
            column.append(value)
        if len(row) < len(columns):
            for column in columns.values():
                if len(column) < count:
                    column.append(None)
    return pd.DataFrame(columns)


def _rows(records: Sequence[Record], table: str) -> pd.DataFrame:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    tables = [(record, rows) for record, rows in zip(records, tables_of(records, table), strict=True) if rows.num_rows]
    if not tables:
        names = list(arrow_schema(table).names)
        return pd.DataFrame(columns=[*(name for name in _IDENTITY if name not in names), *names])
    whole = pa.concat_tables([rows for _, rows in tables], promote_options="permissive")
    counts = [rows.num_rows for _, rows in tables]
    named = _columns(_identities(record for record, _ in tables))
    named = named[[name for name in named.columns if name not in whole.column_names]]
    repeated = named.iloc[np.repeat(np.arange(len(tables)), counts)].reset_index(drop=True)
    return pd.concat([repeated, whole.to_pandas(types_mapper=_nullable())], axis=1)


def _nullable() -> Any:
    """Integers that may be null stay integers: a counter beyond 2**53 must not go through float64."""
    import pandas as pd
    import pyarrow as pa

    return {pa.int64(): pd.Int64Dtype()}.get


def connect(
    store: Store | Path | str,
    *,
    latest: bool = False,
    tables: Sequence[str] = TABLES,
    memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB connection, in memory, that sees the store as it is now.

    Table `summary` has one row a record; a view for each of the `tables` has the rows of all records with
    `study`, `trial` and `repetition`. With `latest`, only the repetitions that count.

    Args:
        store: the store or its folder.
        tables: for which of `TABLES` there is a view.
        memory_limit_bytes: what DuckDB may hold at once; what takes more goes to files under the system's folder for
            temporary ones.

    Raises:
        StoreError: there is no such store.
    """
    import duckdb

    opened = store if isinstance(store, Store) else Store(store)
    with collector_paused():
        records = opened.records(latest=latest)
        summary = _summary(records)
    connection = duckdb.connect()
    connection.execute(f"SET memory_limit = '{int(memory_limit_bytes)}B'")
    connection.execute("SET temp_directory = " + literal(str(Path(tempfile.gettempdir()) / f"dlgauge-{os.getpid()}")))
    connection.register("summary_frame", summary)
    connection.execute("CREATE TABLE summary AS SELECT * FROM summary_frame")
    connection.unregister("summary_frame")
    for table in tables:
        make_view(connection, table, records)
    return connection
