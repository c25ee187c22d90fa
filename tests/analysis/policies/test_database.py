"""The database: rows of real records, SQL on them, one Parquet file to share them."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from harness.analysis.policies.columns import COLUMNS, COST_CURVE, VERSION_KEY
from harness.analysis.policies.database import PolicyDatabase
from harness.analysis.policies.grouping import group_rows
from harness.analysis.policies.sharing import import_export, imported_files, known_keys, read_export, write_export
from harness.errors import DlgaugeError, FileFormatError
from harness.records import Store
from harness.records.cost import cost_to_threshold
from tests import factories
from tests.analysis.policies.synthetic import FIX, HOT, TRI, fill, make_row, publish_policy
from tests.synthetic import write_record


def test_a_row_says_what_its_record_says(tmp_path: Path) -> None:
    record = publish_policy(tmp_path, TRI, [0.95, 0.9405], seed=3)
    (row,) = PolicyDatabase(tmp_path).rows()
    assert list(row) == [column.name for column in COLUMNS]
    assert (row["trial"], row["study"], row["seed"]) == (record.id, "synthetic", 3)
    assert (row["dataset"], row["dataset_content_sha256"], row["network"]) == ("mnist-subset", "1" * 64, "lenet")
    assert (row["framework"], row["framework_version"], row["batch_size"]) == ("torch", "2.13.0", 64)
    assert (row["function"], json.loads(row["policy_json"])) == ("TRI", TRI)
    assert row["policy"].startswith("lrPolicy_TRI+k0_0.001+k1_0.06")
    assert (row["final_top1_percent"], row["best_top1_percent"]) == (pytest.approx(94.05), pytest.approx(95.0))
    assert row["training_time_s"] == record.summary["training_time_s"]
    assert row["termination"] == "completed"
    assert row["origin"] is None


def test_times_of_jobs_side_by_side_are_not_pooled_with_those_of_the_job_alone(tmp_path: Path) -> None:
    alone = write_record(tmp_path, "torch", 1)
    beside = write_record(tmp_path, "torch", 1, role={"co_location": {"jobs": 2, "cores": "shared"}})
    rows = PolicyDatabase(tmp_path).rows()
    groups = group_rows(rows, by_machine=True)
    assert sorted([row["trial"] for row in group.rows] for group in groups) == sorted([[alone.id], [beside.id]])
    assert len(group_rows(rows)) == 1


def test_what_is_null_has_its_reason(tmp_path: Path) -> None:
    publish_policy(tmp_path, TRI, [0.95, 0.94])
    (row,) = PolicyDatabase(tmp_path).rows()
    reasons = json.loads(row["not_measured"])
    assert row["final_validation_top1_percent"] is None
    assert "no evaluation of the validation images" in reasons["final_validation_top1_percent"]
    assert reasons["diverged_step"] == "the trial ended completed"
    measured = [column.name for column in COLUMNS if column.kind in ("gauge", "counter")]
    silent = [name for name in measured if row[name] is None and name not in reasons and name != "validation_images"]
    assert silent == []


def test_the_cost_curve_is_the_cost_to_every_accuracy(tmp_path: Path) -> None:
    record = publish_policy(tmp_path, FIX, [0.90, 0.97])
    (row,) = PolicyDatabase(tmp_path).rows()
    assert [(point["top1_percent"], point["steps"]) for point in row[COST_CURVE]] == [(90.0, 100), (97.0, 200)]
    for point in row[COST_CURVE]:
        cost = cost_to_threshold(record, point["top1_percent"])
        assert (point["seconds"], point["cpu_seconds"]) == (cost.seconds, cost.cpu_seconds)
        assert point["joules"] is None
    assert f"{COST_CURVE}.joules" in json.loads(row["not_measured"])


def test_a_fall_in_accuracy_adds_no_point(tmp_path: Path) -> None:
    publish_policy(tmp_path, FIX, [0.97, 0.90])
    (row,) = PolicyDatabase(tmp_path).rows()
    assert len(row[COST_CURVE]) == 1


def test_divergence_has_its_step_and_rate(tmp_path: Path) -> None:
    record = publish_policy(tmp_path, HOT, [0.1, 0.1], termination="diverged")
    (row,) = PolicyDatabase(tmp_path).rows()
    steps = record.table("steps").to_pylist()
    assert row["diverged_step"] == steps[-1]["step"]
    assert row["diverged_learning_rate"] == steps[-1]["learning_rate"]


def test_a_scaled_trial_names_its_base(tmp_path: Path) -> None:
    publish_policy(tmp_path, {"policy": "FIX", "k0": 0.001}, [0.5, 0.6], varied={"base_rate_scale": 0.1})
    (row,) = PolicyDatabase(tmp_path).rows()
    assert row["base_rate_scale"] == 0.1
    assert json.loads(row["base_policy_json"]) == FIX


@pytest.mark.parametrize(
    ("policy", "function", "text"),
    [
        (
            {"policy": "COMPOSITE", "parts": [FIX, {"policy": "FIX", "k0": 0.001}], "at": [100]},
            "FIX-FIX",
            "lrPolicy_FIX+k0_0.01-lrPolicy_FIX+k0_0.001-AT-100",
        ),
        ({"policy": "REDUCE_ON_PLATEAU", "k0": 0.01}, "REDUCE_ON_PLATEAU", "REDUCE_ON_PLATEAU k0=0.01 factor=0.1"),
        ({"policy": "NOT_YET", "k0": 0.01}, None, None),
    ],
)
def test_every_kind_of_policy_has_a_row(
    tmp_path: Path, policy: dict[str, object], function: str | None, text: str | None
) -> None:
    publish_policy(tmp_path, policy, [0.5, 0.6])
    (row,) = PolicyDatabase(tmp_path).rows()
    assert row["function"] == function
    assert row["policy_json"]
    if text is None:
        assert row["policy"] is None
        assert "the policy is none that this version knows" in json.loads(row["not_measured"])["policy"]
    else:
        assert row["policy"].startswith(text)


def test_duckdb_answers_and_reaches_no_file(tmp_path: Path) -> None:
    fill(tmp_path)
    with PolicyDatabase(tmp_path).connect() as connection:
        found = connection.execute(
            "SELECT function, count(*), sum(CAST(termination = 'diverged' AS INT)) FROM policies GROUP BY 1 ORDER BY 1"
        ).fetchall()
        assert found == [("EXP", 3, 0), ("FIX", 6, 3), ("TRI", 3, 0)]
        with pytest.raises(Exception, match="disabled"):
            connection.execute(f"SELECT * FROM read_text('{tmp_path}/*/*/manifest.json')")


def test_selection_counts_a_trial_of_two_studies_once(tmp_path: Path) -> None:
    publish_policy(tmp_path, FIX, [0.9, 0.97], study="a")
    publish_policy(tmp_path, FIX, [0.9, 0.97], study="b", varied={"base_rate_scale": 1.0})
    publish_policy(tmp_path, TRI, [0.9, 0.97], study="b")
    assert len(PolicyDatabase(tmp_path).select()) == 2
    assert [row["function"] for row in PolicyDatabase(tmp_path).select(studies=["a"])] == ["FIX"]
    assert PolicyDatabase(tmp_path).select(framework="caffe") == []
    with pytest.raises(DlgaugeError, match="no study 'c' here"):
        PolicyDatabase(tmp_path).select(studies=["c"])


def share(source: Path, target: Path, file: Path) -> int:
    write_export(PolicyDatabase(source).rows(), file)
    database = PolicyDatabase(Store(target, create=True))
    return import_export(file, target, known_keys(database.rows())).new


def test_results_go_from_one_store_to_another_once(tmp_path: Path) -> None:
    source, target, file = tmp_path / "a", tmp_path / "b", tmp_path / "shared.parquet"
    fill(source)
    publish_policy(target, FIX, [0.9, 0.95], seed=9)
    assert share(source, target, file) == 12
    assert share(source, target, file) == 0
    rows = PolicyDatabase(target).rows()
    assert len(rows) == 13
    imported = [row for row in rows if row["origin"]]
    assert len(imported) == 12
    assert all(row["origin"].startswith("shared.parquet, exported 20") for row in imported)
    assert len(Store(target).records()) == 1  # no record has been made up
    own = {row["trial"]: {**row, "origin": None} for row in PolicyDatabase(source).rows()}
    assert {row["trial"]: {**row, "origin": None} for row in imported} == own


def test_a_store_of_imported_rows_alone_is_a_store(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    fill(source)
    share(source, target, tmp_path / "x.parquet")
    assert Store(target).studies() == []
    assert len(PolicyDatabase(target).select(studies=["synthetic"])) == 12


def test_own_rows_are_not_imported_and_origins_are_kept_on_the_way(tmp_path: Path) -> None:
    a, b, c = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    publish_policy(a, FIX, [0.9, 0.95])
    assert share(a, b, tmp_path / "first.parquet") == 1
    assert share(b, a, tmp_path / "back.parquet") == 0
    assert share(b, c, tmp_path / "second.parquet") == 1
    (row,) = PolicyDatabase(c).rows()
    assert row["origin"].index("first.parquet") < row["origin"].index("second.parquet")
    assert len(imported_files(c)) == 1


def test_the_file_says_its_units_kinds_and_version(tmp_path: Path) -> None:
    write_export([make_row(FIX)], tmp_path / "x.parquet")
    schema = parquet.read_schema(tmp_path / "x.parquet")
    for column in COLUMNS:
        metadata = schema.field(column.name).metadata
        assert metadata[b"unit"] == column.unit.encode()
        assert metadata[b"kind"] == column.kind.encode()
    assert schema.metadata[VERSION_KEY] == b"1"
    assert b"exported_at" in schema.metadata


def test_what_is_no_export_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="there is no such file"):
        read_export(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("no parquet")
    with pytest.raises(FileFormatError, match="no readable Parquet file"):
        read_export(tmp_path / "text.parquet")
    parquet.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(FileFormatError, match="no export of a policy database"):
        read_export(tmp_path / "other.parquet")


def test_a_damaged_export_is_a_clear_error(tmp_path: Path) -> None:
    write_export([make_row(FIX), {**make_row(TRI), "framework": None}], tmp_path / "x.parquet")
    with pytest.raises(FileFormatError, match="row 2 has no framework"):
        read_export(tmp_path / "x.parquet")
    table = parquet.read_table(tmp_path / "x.parquet")
    newer = {**table.schema.metadata, VERSION_KEY: b"99"}
    parquet.write_table(table.replace_schema_metadata(newer), tmp_path / "newer.parquet")
    with pytest.raises(FileFormatError, match="version 99 .* is newer"):
        read_export(tmp_path / "newer.parquet")
    parquet.write_table(table.drop_columns(["policy_json"]), tmp_path / "less.parquet")
    with pytest.raises(FileFormatError, match="policy_json are missing"):
        read_export(tmp_path / "less.parquet")


def test_nothing_to_export_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DlgaugeError, match="no record to export"):
        write_export([], tmp_path / "x.parquet")


def test_a_record_that_never_ran_has_a_row_too(tmp_path: Path) -> None:
    factories.publish_trial(tmp_path, termination="environment_failed")
    (row,) = PolicyDatabase(tmp_path).rows()
    assert row["termination"] == "environment_failed"
    assert row[COST_CURVE] == []
