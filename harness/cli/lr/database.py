"""`dlgauge lr database`: share results as one Parquet file, and ask them in SQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

app = typer.Typer(name="database", help="The policy database.", no_args_is_help=True, rich_markup_mode=None)

STORE = typer.Option(None, "--store", help="Folder of the records; default: DLGAUGE_STORE, else results.")


@app.command("export")
def export(
    file: Path = typer.Argument(help="The Parquet file to write."),
    store: Path = STORE,
    studies: list[str] = typer.Option([], "--study", help="Only this study; repeatable."),
) -> None:
    """Write one row a trial, imported ones among them, to a Parquet file."""
    from harness.analysis.policies.database import PolicyDatabase
    from harness.analysis.policies.sharing import write_export
    from harness.errors import DlgaugeError
    from harness.paths import default_store

    if file.suffix != ".parquet":
        raise DlgaugeError(f"{str(file)!r} is not called .parquet", hint="dlgauge lr database export FILE.parquet")
    database = PolicyDatabase(store or default_store())
    rows = database.rows(database.known_studies(studies))
    write_export(rows, file)
    print(f"written: {file}: {len(rows)} trials")


@app.command("import")
def import_(
    file: Path = typer.Argument(help="A file that `export` wrote."),
    store: Path = STORE,
) -> None:
    """Take the trials of an export into a store, beside its records; those that are there already are left out."""
    from harness.analysis.policies.database import PolicyDatabase
    from harness.analysis.policies.sharing import import_export, known_keys, read_export
    from harness.paths import default_store
    from harness.records import Store

    read_export(file)  # a store is not made for a file that is none
    folder = store or default_store()
    database = PolicyDatabase(Store(folder, create=True))
    found = import_export(file, folder, known_keys(database.rows()))
    print(f"{file}: {found.rows} trials, {found.new} new" + (f", kept in {found.path}" if found.path else ""))


@app.command("query")
def query(
    sql: str = typer.Argument(help="SQL on the table `policies`, one row a trial."),
    store: Path = STORE,
    as_csv: bool = typer.Option(False, "--csv", help="Print CSV instead of a table."),
) -> None:
    """Ask the database in SQL (DuckDB); docs/lr-ranking.md lists the columns."""
    import duckdb

    from harness.analysis.policies.database import PolicyDatabase
    from harness.errors import DlgaugeError
    from harness.paths import default_store

    hint = "dlgauge lr database query 'DESCRIBE policies' lists the columns"
    with PolicyDatabase(store or default_store()).connect() as connection:
        try:
            result: Any = connection.execute(sql)
            frame = None if result is None else result.fetchdf()
        except duckdb.Error as error:
            raise DlgaugeError(f"the query failed: {str(error).strip()}", hint=hint) from None
    if frame is None:  # nothing but spaces, semicolons or comments
        raise DlgaugeError("no query", hint=hint)
    print(frame.to_csv(index=False) if as_csv else frame.to_string(index=False), end="" if as_csv else "\n")
