"""The table of observations: which records are rows, what the columns say, and what is told of the rest."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from harness.analysis.cells import conditions_of
from harness.analysis.factors import network_counts
from harness.analysis.observations import COLUMNS, observations
from harness.errors import StoreError
from harness.records import SUMMARY_KEYS, Store
from harness.workloads import load_network
from tests.synthetic import write_record, write_study


def test_a_row_holds_identity_factors_conditions_and_outcomes(tmp_path: Path) -> None:
    record = write_record(
        tmp_path,
        "torch",
        3,
        setting={"learning_rate": {"policy": "FIX", "k0": 0.01}},
        profile={"threads": {"intra_op": 2, "inter_op": 1}},
        summary={"training_time_s": 10.0, "peak_memory_bytes": 300},
    )
    found = observations(tmp_path)
    (row,) = found.frame.to_dict("records")
    assert list(found.frame.columns) == [*COLUMNS, *SUMMARY_KEYS]
    assert (row["study"], row["trial"], row["repetition"]) == ("demo", record.id, 1)
    assert (row["path"], row["started_at"], row["label"]) == (str(record.path), record.started_at, record.label)
    assert (row["block"], row["seed"]) == (3, 3)
    assert (row["framework"], row["environment"]) == ("torch", record.specification["framework"]["environment"])
    setting = record.specification["setting"]
    assert (row["batch_size"], row["steps"]) == (setting["batch_size"], setting["steps"])
    assert (row["learning_rate"], row["policy"]) == (
        setting["learning_rate"]["k0"],
        setting["learning_rate"]["policy"],
    )
    assert (row["cpus"], row["threads"]) == (len(record.specification["profile"]["cpus"]), 2)
    assert row["host"] == conditions_of(record).host
    assert row["certificate"] == "ce27" * 16
    assert (row["training_time_s"], row["peak_memory_bytes"]) == (10.0, 300.0)
    assert all(found.frame[key].dtype == float for key in SUMMARY_KEYS)


def test_the_counts_of_lenet_are_those_worked_out_by_hand() -> None:
    counts = network_counts(load_network("lenet").model_dump(mode="json"))
    assert counts.parameters == 431_080
    convolutions, pools = 20 * 24 * 24 + 50 * 8 * 8, 20 * 12 * 12 + 50 * 4 * 4
    assert counts.activation_values_per_sample == 28 * 28 + convolutions + pools + 500 + 500 + 10
    first, second = 20 * 24 * 24 * 25, 50 * 8 * 8 * 20 * 25
    dense = 800 * 500 + 500 * 10
    assert counts.flops_per_sample == 2 * (2 * first + 3 * (second + dense))


def test_a_network_that_cannot_be_counted_says_why() -> None:
    assert network_counts(None).missing
    broken = network_counts({"name": "n", "input": [1, 4, 4], "layers": [{"name": "a", "kind": "conv"}]})
    assert broken.parameters is None
    assert broken.missing


def test_only_completed_records_are_rows_and_the_others_are_told_with_their_reason(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1)
    lost = write_record(tmp_path, "caffe", 1, termination="out_of_memory", reason="the kernel killed it")
    found = observations(tmp_path)
    assert list(found.frame["framework"]) == ["torch"]
    (excluded,) = found.excluded
    assert (excluded.trial.id, excluded.termination, excluded.reason) == (
        lost.id,
        "out_of_memory",
        "the kernel killed it",
    )


def test_of_two_trials_of_one_cell_and_seed_the_later_counts(tmp_path: Path) -> None:
    early = write_record(tmp_path, "torch", 1, time_limit_s=60.0, started_at="2026-03-01T10:00:00+00:00")
    late = write_record(tmp_path, "torch", 1, time_limit_s=90.0, started_at="2026-03-01T11:00:00+00:00")
    found = observations(tmp_path)
    assert list(found.frame["trial"]) == [late.id]
    assert [one.id for one in found.superseded] == [early.id]


def test_equal_trials_of_two_studies_are_two_rows(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1, study="a")
    write_record(tmp_path, "torch", 1, study="b")
    assert list(observations(tmp_path).frame["study"]) == ["a", "b"]
    assert list(observations(tmp_path, ["b"]).frame["study"]) == ["b"]


def test_a_study_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1, study="a")
    with pytest.raises(StoreError, match="'nothing'") as error:
        observations(Store(tmp_path), ["nothing"])
    assert "a" in str(error.value.hint)


def test_what_was_not_measured_is_nan_and_counted_by_reason(tmp_path: Path) -> None:
    write_record(
        tmp_path, "torch", 1, summary={"cpu_seconds": None}, not_measured={"cpu_seconds": "no cgroup, no tree"}
    )
    write_record(tmp_path, "torch", 2, summary={"cpu_seconds": None})
    write_record(tmp_path, "torch", 3, summary={"cpu_seconds": 5.0})
    found = observations(tmp_path)
    assert [math.isnan(value) for value in found.frame["cpu_seconds"]] == [True, True, False]
    assert found.not_measured["cpu_seconds"] == {"no cgroup, no tree": 1, "no reason recorded": 1}
    for key, reasons in found.not_measured.items():
        assert sum(reasons.values()) == int(found.frame[key].isna().sum()), key


@pytest.mark.parametrize(
    ("varied", "setting", "column", "values"),
    [
        ("batch_size", "batch_size", "batch_size", (16, 64)),
        ("momentum_form", "momentum_form", "momentum_form", ("a", "b")),
        ("seed", None, "varied.seed", (7, 8)),
        ("top1_percent", None, "varied.top1_percent", (1.5, 2.5)),
    ],
)
def test_a_varied_key_is_a_factor(
    tmp_path: Path, varied: str, setting: str | None, column: str, values: tuple[object, object]
) -> None:
    for number, value in enumerate(values, start=1):
        write_record(tmp_path, "torch", number, varied={varied: value}, setting={setting: value} if setting else None)
    found = observations(tmp_path)
    assert column in found.varied
    assert list(found.frame[column]) == list(values)


def test_a_rate_by_its_short_name_is_the_factor_learning_rate(tmp_path: Path) -> None:
    for seed, rate in ((1, 0.1), (2, 0.2)):
        setting = {"learning_rate": {"policy": "FIX", "k0": rate}}
        write_record(tmp_path, "torch", seed, varied={"rate": rate}, setting=setting)
    found = observations(tmp_path)
    assert found.varied == ("learning_rate",)
    assert list(found.frame["learning_rate"]) == [0.1, 0.2]


def test_a_varied_policy_gives_its_name_and_rate_and_the_whole_where_these_do_not_tell_it(tmp_path: Path) -> None:
    policies = [
        {"policy": "FIX", "k0": 0.01},
        {"policy": "STEP", "k0": 0.01, "gamma": 0.1, "l": 100},
        {"policy": "STEP", "k0": 0.01, "gamma": 0.1, "l": 200},
    ]
    for seed, policy in enumerate(policies[:2], start=1):
        write_record(tmp_path, "torch", seed, varied={"learning_rate": policy}, setting={"learning_rate": policy})
    assert observations(tmp_path).varied == ("policy",)
    write_record(tmp_path, "torch", 3, varied={"learning_rate": policies[2]}, setting={"learning_rate": policies[2]})
    found = observations(tmp_path)
    assert found.varied == ("policy", "varied.learning_rate")
    assert list(found.frame["varied.learning_rate"]) == [
        "FIX k0=0.01",
        "STEP k0=0.01 gamma=0.1 l=100",
        "STEP k0=0.01 gamma=0.1 l=200",
    ]


def test_the_library_found_at_work_comes_before_the_one_asked_for(tmp_path: Path) -> None:
    found_at_work = {"library": {"name": "mkl"}}
    write_record(tmp_path, "torch", 1, profile={"blas": "openblas"}, described=found_at_work)
    write_record(tmp_path, "torch", 2, profile={"blas": "openblas"})
    write_record(tmp_path, "torch", 3)
    blas = observations(tmp_path).frame["blas"]
    assert list(blas[:2]) == ["mkl", "openblas"]
    assert list(blas.isna()) == [False, False, True]


def test_frameworks_are_a_factor_where_there_are_several(tmp_path: Path) -> None:
    write_study(tmp_path)
    found = observations(tmp_path)
    assert found.varied[0] == "framework"
    assert len(found.frame) == len(Store(tmp_path).records()) - len(found.excluded) - len(found.superseded)


def test_a_store_without_records_gives_an_empty_table_with_all_columns(tmp_path: Path) -> None:
    found = observations(tmp_path)
    assert list(found.frame.columns) == [*COLUMNS, *SUMMARY_KEYS]
    assert (len(found.frame), found.varied, found.not_measured) == (0, (), {})
