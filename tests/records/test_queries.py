"""Stores asked through pandas and DuckDB; the examples of docs/records.md run as they stand there."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

import harness
from harness.errors import StoreError
from harness.records import SUMMARY_KEYS, TABLES, connect, load
from harness.records.schema import columns_of
from tests import factories

DOCUMENT = Path(__file__).parents[2] / "docs" / "records.md"


def test_summary_has_one_row_a_record_with_names_and_numbers(tmp_path: Path) -> None:
    factories.fill_store(tmp_path, ("torch", "caffe"), (1, 2), varied={"batch_size": 32})
    factories.publish_trial(tmp_path, "torch", 3, "crashed")
    frame = harness.load(tmp_path)
    assert len(frame) == 5
    assert set(SUMMARY_KEYS) <= set(frame.columns)
    assert sorted(frame["termination"].unique()) == ["completed", "crashed"]
    assert frame.groupby("framework")["samples_per_s"].mean()["torch"] > 0
    assert frame["batch_size"].tolist()[:4] == [32] * 4
    assert frame["workload"].unique().tolist() == ["lenet-mnist-subset"]


def test_only_the_latest_unless_all_are_asked_for(tmp_path: Path) -> None:
    factories.publish_trial(tmp_path, termination="killed")
    factories.publish_trial(tmp_path)
    assert load(tmp_path)["termination"].tolist() == ["completed"]
    assert load(tmp_path, latest=False)["termination"].tolist() == ["killed", "completed"]
    assert load(tmp_path, study="none").empty


def test_what_was_varied_never_hides_a_column(tmp_path: Path) -> None:
    factories.publish_trial(tmp_path, varied={"seed": 5, "momentum": 0.5})
    row = load(tmp_path).iloc[0]
    assert (row["seed"], row["varied.seed"], row["momentum"]) == (1, 5, 0.5)


@pytest.mark.parametrize("table", TABLES)
def test_tables_of_all_records(tmp_path: Path, table: str) -> None:
    records = [factories.publish_trial(tmp_path, name) for name in ("torch", "caffe")]
    frame = load(tmp_path, table)
    assert len(frame) == sum(record.table(table).num_rows for record in records)
    assert {column.name for column in columns_of(table)} | {"trial", "framework"} <= set(frame.columns)


def test_counters_keep_every_digit(tmp_path: Path) -> None:
    record = factories.publish_trial(tmp_path, "caffe")
    frame = load(tmp_path, "samples")
    assert str(frame["tree_cpu_ns"].dtype) == "Int64"
    assert frame["t_start_ns"].tolist() == record.table("samples").column("t_start_ns").to_pylist()


def test_an_unknown_table_is_refused(tmp_path: Path) -> None:
    factories.publish_trial(tmp_path)
    with pytest.raises(KeyError, match="there are summary, steps"):
        load(tmp_path, "stepz")
    with pytest.raises(StoreError):
        load(tmp_path / "none")


@pytest.mark.parametrize("name", ["store", "it's [a] *store*? 100%"])
def test_duckdb_sees_every_table_by_trial(tmp_path: Path, name: str) -> None:
    store = tmp_path / name
    records = factories.fill_store(store, ("torch", "caffe"), (1,))
    with connect(store) as connection:
        for table in TABLES:
            rows = connection.execute(f"SELECT trial, count(*) FROM {table} GROUP BY trial").fetchall()
            wanted = {record.id: record.table(table).num_rows for record in records}
            assert dict(rows) == {trial: count for trial, count in wanted.items() if count}
        fastest = connection.execute("SELECT framework FROM summary ORDER BY samples_per_s DESC").fetchall()
        assert fastest[0] == ("torch",)


def test_duckdb_of_an_empty_store_has_the_same_columns(tmp_path: Path) -> None:
    with connect(tmp_path) as connection:
        for table in TABLES:
            names = [row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall()]
            assert names == ["study", "trial", "repetition", *(column.name for column in columns_of(table))]
        assert connection.execute("SELECT count(*) FROM summary").fetchone() == (0,)


def examples() -> list[str]:
    return re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("number", range(len(examples())))
def test_the_examples_of_the_document_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    factories.fill_store(tmp_path / "results")
    factories.publish_trial(tmp_path / "results", "torch", 4, "crashed")
    script = tmp_path / "example.py"
    script.write_text(examples()[number])
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(script))


def test_the_document_has_every_key_and_every_column() -> None:
    text = DOCUMENT.read_text()
    assert len(examples()) >= 3
    for name, key in SUMMARY_KEYS.items():
        assert re.search(rf"^\| `{name}` \| {re.escape(key.unit)} \|", text, flags=re.MULTILINE), name
    for table in ("steps", "evaluations", "events"):
        for column in columns_of(table):
            assert f"| `{column.name}` |" in text, column.name
