"""The policy database of a store: rows of its records and of what was imported, open to DuckDB."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.analysis.policies.columns import database_schema
from harness.analysis.policies.rows import row_of
from harness.analysis.policies.sharing import imported_files, known_keys, read_export
from harness.errors import DlgaugeError
from harness.records.store import Store
from harness.validation import nearest

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


class PolicyDatabase:
    """The rows of a store, as they are now.

    Args:
        store: the store or its folder.

    Raises:
        StoreError: there is no such store, a record's table cannot be read, or an imported file is damaged.
    """

    def __init__(self, store: Store | Path | str) -> None:
        self.store = store if isinstance(store, Store) else Store(store)

    def own_rows(self, studies: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Of each trial of this store the repetition that counts; only of these studies, where some are named."""
        chosen: Sequence[str | None] = studies or (None,)
        found = (record for study in chosen for record in self.store.records(study))
        return [row_of(record) for record in found if record.role is None]

    def rows(self, studies: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Own rows, then the imported ones that are not among them."""
        found = self.own_rows(studies)
        keys = known_keys(found)
        for path in imported_files(self.store.path):
            for row in read_export(path).to_pylist():
                key = known_keys([row])
                if not key <= keys and (not studies or row["study"] in studies):
                    keys |= key
                    found.append(row)
        return found

    def table(self, studies: Sequence[str] = ()) -> pa.Table:
        """All rows as one Arrow table of the database's schema."""
        import pyarrow as pa

        return pa.Table.from_pylist(self.rows(studies), schema=database_schema())

    def connect(self, studies: Sequence[str] = ()) -> duckdb.DuckDBPyConnection:
        """DuckDB, in memory, with the table `policies`; it reaches no file."""
        import duckdb

        connection = duckdb.connect()
        connection.register("policies_now", self.table(studies))
        connection.execute("CREATE TABLE policies AS SELECT * FROM policies_now")
        connection.unregister("policies_now")
        connection.execute("SET enable_external_access = false")
        return connection

    def select(
        self,
        *,
        studies: Iterable[str] = (),
        dataset: str | None = None,
        network: str | None = None,
        framework: str | None = None,
    ) -> list[dict[str, Any]]:
        """Rows with these names; of each policy, framework, seed and conditions the one that counts.

        The same specification may have run in several studies: one that was run for itself goes before one that was run
        as a scaled version of another policy, then the latest counts.
        """
        names = {"dataset": dataset, "network": network, "framework": framework}
        wanted = {key: value for key, value in names.items() if value is not None}
        chosen = self.known_studies(studies)
        where = f"WHERE {' AND '.join(f'{key} = ?' for key in wanted)}" if wanted else ""
        query = f"""
            SELECT * FROM policies {where}
            QUALIFY row_number() OVER (
                PARTITION BY trial, host, termination IN ('completed', 'diverged')
                ORDER BY base_rate_scale = 1 DESC, started_at DESC, study) = 1
            ORDER BY started_at, study, trial"""
        with self.connect(chosen) as connection:
            result = connection.sql(query, params=list(wanted.values()))
            found: list[dict[str, Any]] = result.to_arrow_table().to_pylist()
        return found

    def known_studies(self, studies: Iterable[str]) -> list[str]:
        """The studies without repetitions.

        Raises:
            DlgaugeError: the store has neither records nor imported rows of one.
        """
        chosen = list(dict.fromkeys(studies))
        if not chosen:
            return []
        imported = (row for path in imported_files(self.store.path) for row in read_export(path).to_pylist())
        known = {*self.store.studies(), *(row["study"] for row in imported)}
        for study in chosen:
            if study not in known:
                raise DlgaugeError(f"no study {study!r} here{nearest(study, known)}", where=str(self.store.path))
        return chosen
