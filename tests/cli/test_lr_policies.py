"""`dlgauge lr rank`, `verify`, `robustness`, `recommend` and `database`, as they are typed."""

from __future__ import annotations

import csv
import functools
import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from harness.cli.lr import app, trials
from harness.errors import DlgaugeError
from harness.execution import StudyRunner
from harness.records import Store
from harness.workloads.settings import load_setting
from tests.analysis.policies.synthetic import fill
from tests.execution.fake_study import FAKES, HereEnvironment


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    fill(folder, ("torch", "caffe"))
    return folder


def lr(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=True)


def error_of(*arguments: Any) -> str:
    result = lr(*arguments)
    assert isinstance(result.exception, DlgaugeError), result.output
    return str(result.exception)


def test_the_table_has_order_tiers_divergence_and_notes(store: Path) -> None:
    result = lr("rank", "--store", store)
    assert result.exit_code == 0, result.exception
    assert result.output.count("lenet · torch 2.13.0") == 1
    pooled = result.output.partition("caffe 1.0.0 + torch 2.13.0")[2]
    first, second, third, last = [line for line in pooled.splitlines() if line.lstrip()[:2] in ("1 ", "2 ", "3 ", "4 ")]
    assert "TRI" in first
    assert "FIX k0=0.01" in second
    assert "EXP" in third
    assert "6 of 6 diverged, first at step 101, counted from 1, rate" in last
    assert "not distinguishable from the best: FIX k0=0.01" in pooled
    assert "tunes on the test images" in pooled
    assert "no parity certificate covers these trials" in pooled


def test_json_has_every_number(store: Path) -> None:
    content = json.loads(lr("rank", "synthetic", "--store", store, "--framework", "torch", "--json").output)
    (ranking,) = content["rankings"]
    assert [one["function"] for one in ranking["policies"]] == ["TRI", "FIX", "EXP", "FIX"]
    assert [one["tier"] for one in ranking["policies"]] == [1, 1, 2, None]
    assert [one["standing"] for one in ranking["policies"]] == ["full", "full", "full", "diverged"]
    assert ranking["policies"][0]["value"]["n"] == 3
    assert ranking["threshold_is_chosen"] is True
    assert len(ranking["policies"][3]["diverged"]) == 3


def test_csv_markdown_and_latex_hold_the_same_policies(store: Path) -> None:
    by_cost = ("rank", "--store", store, "--by", "cost", "--threshold", 95)
    rows = list(csv.DictReader(io.StringIO(lr(*by_cost, "--format", "csv").output)))
    assert len(rows) == 12
    assert [row["function"] for row in rows[:4]] == ["TRI", "FIX", "EXP", "FIX"]
    assert [row["standing"] for row in rows[:4]] == ["full", "full", "none", "diverged"]
    assert [float(row["value"]) for row in rows[:2]] == [100.0, 200.0]
    assert "| 1 | 1 | TRI k0=0.001" in lr(*by_cost, "--format", "markdown").output
    assert r"\toprule" in lr(*by_cost, "--format", "latex").output


@pytest.mark.parametrize(("suffix", "begin"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_a_figure_of_the_ranking(store: Path, tmp_path: Path, suffix: str, begin: bytes) -> None:
    path = tmp_path / f"ranking.{suffix}"
    result = lr("rank", "--store", store, "--plot", path, "--output", tmp_path / "ranking.txt")
    assert result.exit_code == 0, result.exception
    assert path.read_bytes().startswith(begin)
    assert "TRI" in (tmp_path / "ranking.txt").read_text()
    if suffix == "svg":
        drawn = path.read_text()
        assert "diverged: 3 of 3, step 101, counted from 1" in drawn
        assert drawn.count("EXP k0=0.02 gamma=0.999") == 3


def test_slips_are_told(store: Path, tmp_path: Path) -> None:
    assert "half of the completed trials reach --threshold 97" in error_of("rank", "--store", store, "--by", "cost")
    assert "unknown criterion 'speed'" in error_of("rank", "--store", store, "--by", "speed")
    assert "no study 'synthetik' here … did you mean 'synthetic'" in error_of("rank", "synthetik", "--store", store)
    assert "nothing fits --framework theano" in error_of("rank", "--store", store, "--framework", "theano")
    assert "there is no store here" in error_of("rank", "--store", tmp_path / "none")
    assert "suffixes .png" in error_of("rank", "--store", store, "--plot", tmp_path / "x.bmp")


def test_a_recommendation_names_its_evidence(store: Path) -> None:
    asked = ("recommend", "--dataset", "mnist-subset", "--network", "lenet", "--framework", "torch", "--store", store)
    result = lr(*asked)
    assert result.exit_code == 0, result.exception
    assert "evidence: 12 records of 4 policies (6 of the recommended), seeds 1, 2, 3, on torch 2.13.0" in result.output
    # The synthetic records are of other content than the real dataset of that name.
    assert "other content of mnist-subset: 111111111111" in result.output
    assert "dlgauge lr range-test lenet-mnist-subset" in result.output
    content = json.loads(lr(*asked, "--json").output)
    assert [one["policy_values"]["policy"] for one in content["recommended"]] == ["TRI", "FIX"]
    assert content["distance"] == 4.0


def test_without_evidence_the_range_test_is_named(tmp_path: Path) -> None:
    result = lr(
        *("recommend", "--dataset", "mnist", "--network", "lenet", "--framework", "torch", "--store", tmp_path / "none")
    )
    assert result.exit_code == 1
    assert "no recommendation: the database is empty" in result.output
    assert "dlgauge lr range-test caffe-mnist --setting caffe-mnist --framework torch" in result.output


def test_an_unknown_name_is_a_slip_not_missing_evidence(store: Path) -> None:
    asked = {"--dataset": "mnist", "--network": "lenet", "--framework": "torch"}

    def with_one(key: str, value: str) -> str:
        parts = [part for pair in {**asked, key: value}.items() for part in pair]
        return error_of("recommend", *parts, "--store", store)

    assert "did you mean 'torch'" in with_one("--framework", "torhc")
    assert "did you mean 'mnist'" in with_one("--dataset", "mnst")
    assert "did you mean 'lenet'" in with_one("--network", "lenett")


def test_export_import_and_query(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "shared.parquet"
    assert "24 trials" in lr("database", "export", file, "--store", store).output
    assert "24 trials, 24 new" in lr("database", "import", file, "--store", tmp_path / "b").output
    assert "24 trials, 0 new" in lr("database", "import", file, "--store", tmp_path / "b").output
    sql = "SELECT framework, count(*) AS n FROM policies GROUP BY 1 ORDER BY 1"
    assert (
        lr("database", "query", sql, "--store", tmp_path / "b", "--csv").output == "framework,n\ncaffe,12\ntorch,12\n"
    )
    ranked = lr("rank", "--store", tmp_path / "b").output
    assert "24 of 24 trials are imported: shared.parquet" in ranked
    for nothing in ("", "  ", ";", "/* a remark */"):
        assert "no query" in error_of("database", "query", nothing, "--store", store)
    assert "the query failed" in error_of("database", "query", "SELECT x FROM policies", "--store", store)
    (tmp_path / "no.parquet").write_text("")
    assert "no readable Parquet file" in error_of(
        "database", "import", tmp_path / "no.parquet", "--store", tmp_path / "c"
    )
    assert not (tmp_path / "c").exists()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials run on the fake framework, in the tests' own interpreter."""
    monkeypatch.setenv("DLGAUGE_FRAMEWORKS", str(FAKES))
    runner = functools.partial(StudyRunner, environment_for=HereEnvironment, canary=None)
    monkeypatch.setattr("harness.execution.StudyRunner", runner)


SHORT = ("--workload", "lenet-mnist-subset", "--setting", "caffe-mnist", "--framework", "fake", "--steps", 10)


def test_verify_runs_policy_and_neighbours_and_goes_on(fake: None, tmp_path: Path) -> None:
    del fake
    ask = ("verify", "lrPolicy_FIX+k0_0.01", *SHORT, "--store", tmp_path, "--json")
    first = lr(*ask, "--seeds", 1)
    verdict = json.loads(first.stdout)
    assert verdict["answer"] == "undecided"
    assert first.exit_code == 3
    assert [one["name"] for one in verdict["tried"]] == ["k0 x 2", "k0 / 2"]
    assert len(Store(tmp_path).records()) == 3
    second = json.loads(lr(*ask, "--seeds", 2).stdout)
    assert second["study"] == verdict["study"]
    assert len(Store(tmp_path).records()) == 6  # three more, none again
    assert second["accuracy"]["n"] == 2
    assert second["measure"] == "final"


def test_verify_by_held_out_images(fake: None, tmp_path: Path) -> None:
    del fake
    ask = ("verify", "lrPolicy_FIX+k0_0.01", *SHORT, "--hold-out", 1000, "--seeds", 1, "--store", tmp_path)
    text = lr(*ask).output
    assert "judged by accuracy on the held-out images" in text
    (setting,) = {json.dumps(record.specification["setting"]["validation"]) for record in Store(tmp_path).records()}
    assert json.loads(setting) == {"images": 1000, "position": "last", "every_steps": 1}


def setting_values() -> dict[str, Any]:
    """A setting file's content."""
    own = load_setting("caffe-mnist").model_dump(mode="json", exclude_none=True, exclude={"name"})
    return {"setting": "own", **own}


def planned_validation(tmp_path: Path, *more: Any) -> dict[str, Any]:
    """The validation and the steps that `verify` would judge by."""
    asked = trials.Asked("lenet-mnist-subset", *more, tmp_path, None)
    setting = asked.study("lr-verify", "t", [{"policy": "FIX", "k0": 0.01}], "key").cells[0].setting
    assert setting.validation is not None
    return {**setting.validation.model_dump(), "steps": setting.steps}


@pytest.mark.parametrize(("steps", "sets"), [(700, []), (None, ["steps=20"]), (None, ["epochs=2"])])
def test_the_last_step_is_judged_whatever_the_length(
    fake: None, tmp_path: Path, steps: int | None, sets: list[str]
) -> None:
    del fake
    found = planned_validation(tmp_path, "caffe-mnist", "fake", "local", 1, steps, 200, sets)
    assert found["steps"] % found["every_steps"] == 0
    assert found["steps"] == (steps or {"steps=20": 20}.get(sets[0], found["steps"]))


def test_the_images_held_out_are_those_of_the_setting(fake: None, tmp_path: Path) -> None:
    """`tune` and `verify` are to judge by the same ones; its own interval is kept where it fits the length."""
    del fake
    values = setting_values()
    values["validation"] = {"images": 300, "position": "first", "every_steps": 50}
    file = tmp_path / "own.yaml"
    file.write_text(yaml.safe_dump(values))

    def asked(steps: int, hold_out: int | None) -> dict[str, Any]:
        return planned_validation(tmp_path, str(file), "fake", "local", 1, steps, hold_out, [])

    assert asked(200, 100)["position"] == "first"
    assert asked(200, None) == {"images": 300, "position": "first", "every_steps": 50, "steps": 200}
    assert asked(220, None)["every_steps"] == 22


def test_an_edited_setting_file_is_not_answered_from_its_old_records(fake: None, tmp_path: Path) -> None:
    del fake
    file, store = tmp_path / "own.yaml", tmp_path / "s"
    asks = []
    for batch_size in (64, 32):
        file.write_text(yaml.safe_dump({**setting_values(), "batch_size": batch_size}))
        ask = ("verify", "lrPolicy_FIX+k0_0.01", *SHORT[:2], "--setting", file, *SHORT[4:], "--seeds", 1)
        asks.append(json.loads(lr(*ask, "--store", store, "--json").stdout))
    assert asks[0]["study"] != asks[1]["study"]
    assert {one["accuracy"]["n"] for one in asks} == {1}
    assert len(Store(store).records()) == 6


def test_only_the_trials_of_the_plan_count(fake: None, tmp_path: Path) -> None:
    del fake
    asked = trials.Asked("lenet-mnist-subset", "caffe-mnist", "fake", "local", 2, 10, None, [], tmp_path, None)
    plan = trials.plan_of(asked.study("lr-verify", "t", [{"policy": "FIX", "k0": 0.01}], "key"))
    trials.run_plan(plan, asked, quiet=True)
    (rows,) = trials.rows_by_policy(asked, plan).values()
    assert [row["seed"] for row in rows] == [1, 2]
    (rows,) = trials.rows_by_policy(asked, plan.model_copy(update={"trials": plan.trials[:1]})).values()
    assert [row["seed"] for row in rows] == [1]


def test_verify_trains_with_a_plateau_rule(fake: None, tmp_path: Path) -> None:
    del fake
    file, store = tmp_path / "rule.yaml", tmp_path / "s"
    file.write_text("policy: REDUCE_ON_PLATEAU\nk0: 0.01\npatience: 2\n")
    ask = ("verify", file, *SHORT, "--hold-out", 1000, "--seeds", 1, "--store", store, "--json")
    verdict = json.loads(lr(*ask).stdout)
    assert [one["name"] for one in verdict["tried"]] == ["rate x 2", "rate / 2"]
    assert verdict["accuracy"]["n"] == 1
    rules = {record.specification["setting"]["learning_rate"]["k0"] for record in Store(store).records()}
    assert rules == {0.005, 0.01, 0.02}


def test_robustness_trains_with_a_plateau_rule_where_images_are_held_out(fake: None, tmp_path: Path) -> None:
    del fake
    file, store = tmp_path / "rule.yaml", tmp_path / "s"
    file.write_text("policy: REDUCE_ON_PLATEAU\nk0: 0.01\npatience: 1\n")
    ask = ("robustness", file, *SHORT, "--scales", "10", "--seeds", 1, "--store", store)
    assert "validation" in error_of(*ask)
    result = lr(*ask, "--set", "validation={images: 1000, position: last, every_steps: 3}")
    assert result.exit_code == 0, result.exception
    assert "kept accuracy: " in result.output
    intervals = {record.specification["setting"]["validation"]["every_steps"] for record in Store(store).records()}
    assert intervals == {3}


def test_robustness_runs_every_scale_and_the_database_knows_them(fake: None, tmp_path: Path) -> None:
    del fake
    result = lr(
        *("robustness", "lrPolicy_FIX+k0_0.01", *SHORT, "--scales", "0.1,10", "--seeds", 2, "--store", tmp_path)
    )
    assert result.exit_code == 0, result.exception
    first_words = [words[0] for line in result.output.splitlines() if (words := line.split())]
    assert [word for word in first_words if word[0].isdigit()] == ["0.1", "1", "10"]
    assert "kept accuracy: " in result.output
    counts = "count(*) AS n, count(DISTINCT base_policy_json) AS b"
    sql = f"SELECT base_rate_scale AS s, {counts} FROM policies GROUP BY 1 ORDER BY 1"
    printed = lr("database", "query", sql, "--store", tmp_path, "--csv").output
    assert printed == "s,n,b\n0.1,2,1\n1.0,2,1\n10.0,2,1\n"


def test_slips_of_verify_are_told_before_anything_runs(fake: None, tmp_path: Path) -> None:
    del fake
    base = ("verify", "lrPolicy_FIX+k0_0.01", "--store", tmp_path / "s")
    assert "unknown framework 'nosuch'" in error_of(*base, *SHORT[:5], "nosuch")
    assert "unknown workload" in error_of(*base, "--workload", "lenet-mnst", *SHORT[2:])
    assert "--set 'steps' is not KEY=VALUE" in error_of(*base, *SHORT, "--set", "steps")
    assert "evaluation.every_steps" in error_of(*base, *SHORT, "--set", "evaluation.every_steps=abc")
    assert "evaluation.every_steps" in error_of(
        *base, *SHORT, "--hold-out", 100, "--set", "evaluation.every_steps=null"
    )
    one = ("--hold-out", 100, "--set", "validation.every_steps=3")
    assert "validation.every_steps 3 does not divide the 10 steps" in error_of(*base, *SHORT, *one)
    assert "batch_size 99999 is larger than dataset" in error_of(*base, *SHORT, "--set", "batch_size=99999")
    assert "unknown parameter 'k9'" in error_of(*base, *SHORT, "--neighbours", "k9=2")
    assert not (tmp_path / "s").exists()


def test_a_dry_run_runs_nothing(fake: None, tmp_path: Path) -> None:
    del fake
    result = lr("verify", "lrPolicy_FIX+k0_0.01", *SHORT, "--dry-run", "--store", tmp_path / "s")
    assert result.exit_code == 0, result.exception
    assert "9 trials of 10 steps" in result.output
    assert not (tmp_path / "s").exists()
