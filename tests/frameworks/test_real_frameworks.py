"""The real frameworks train LeNet on real digits, and agree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from harness.cli.progress import PlainObserver
from harness.cli.run import StoreKeeper
from harness.execution import Readiness, StudyRunner, make_environment
from harness.records import Store
from harness.study import load_frameworks, load_study, make_plan
from tests.requirements import require

pytestmark = [pytest.mark.slow, pytest.mark.containers]

FRAMEWORKS = tuple(load_frameworks())
FIRST_STEPS = 5
"""Where rounding has not yet grown: a difference here is another computation, not another order of sums."""


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """One short tie-free trial of every framework."""
    frameworks = load_frameworks()
    for name in FRAMEWORKS:
        state = make_environment(frameworks[name]).state()
        ready = state.readiness is Readiness.READY
        # One requirement for all four: where containers are required, no framework may be missing, whatever it runs in.
        require("containers", ready, f"{name}: {state.reason}; {state.hint}")
    folder = tmp_path_factory.mktemp("real")
    study = yaml.safe_load(Path("studies/same-losses.yaml").read_text())
    study["frameworks"] = list(FRAMEWORKS)
    study["overrides"] |= {"steps": 40, "evaluation.every_steps": 20}
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    keeper = StoreKeeper(folder / "store")
    result = StudyRunner(frameworks, keeper, PlainObserver()).run(make_plan(load_study(folder / "study.yaml")))
    assert result.failures == 0, result
    yield {record.specification["framework"]["name"]: record for record in Store(folder / "store").records()}


def evaluations(record: Any, split: str) -> list[dict[str, Any]]:
    return [row for row in record.table("evaluations").to_pylist() if row["split"] == split]


def losses(record: Any) -> np.ndarray:
    return np.array(record.table("steps").column("loss").to_pylist())


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_losses_agree_to_the_last_digits(records: dict[str, Any], name: str) -> None:
    mine, reference = losses(records[name]), losses(records["tensorflow"])
    assert len(mine) == 40
    assert mine[:FIRST_STEPS] == pytest.approx(reference[:FIRST_STEPS], rel=2e-6)
    assert mine[:20] == pytest.approx(reference[:20], rel=1e-4)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_it_learns(records: dict[str, Any], name: str) -> None:
    assert losses(records[name])[0] == pytest.approx(np.log(10), rel=0.1)
    assert records[name].summary["top1_percent"] > 75
    assert [row["step"] for row in evaluations(records[name], "test")] == [20, 40]


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_the_record_is_complete_and_consistent(records: dict[str, Any], name: str) -> None:
    record = records[name]
    summary, manifest = record.summary, record.manifest
    assert manifest["notes"] == []
    assert manifest["sampling"]["audit"]["flag"] is False
    assert manifest["framework"]["version"].split("+")[0] == record.specification["framework"]["version"]
    assert manifest["framework"]["affinity"] == record.specification["profile"]["cpus"]
    cpus = len(record.specification["profile"]["cpus"])
    assert 0.3 < summary["cores_used_mean"] <= 1.02 * cpus
    assert summary["peak_resident_bytes"] > 50e6
    assert summary["samples_per_s"] == pytest.approx(39 * 64 / summary["training_time_s"])
    worker = sum(phase["worker_cpu_seconds"] for phase in manifest["phases"])
    measured = sum(phase["cpu_seconds"] for phase in manifest["phases"])
    # The tree holds more than the worker's own process (Theano's compiler), never less.
    assert measured >= 0.98 * worker - 0.05


@pytest.mark.parametrize("name", ["caffe", "theano", "torch@debian11"])
@pytest.mark.parametrize("blas", ["openblas", "reference"])
def test_the_blas_of_a_profile_is_the_one_loaded(tmp_path: Path, name: str, blas: str) -> None:
    frameworks = load_frameworks()
    state = make_environment(frameworks[name]).state()
    require("containers", state.readiness is Readiness.READY, f"{name}: {state.reason}")
    study = {
        "study": "blas",
        "frameworks": [name],
        "workloads": ["lenet-mnist-subset"],
        "settings": ["caffe-mnist"],
        "seeds": [1],
        "overrides": {"steps": 3, "evaluation.every_steps": 3, "blas": blas, "threads": 1},
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    runner = StudyRunner(frameworks, StoreKeeper(tmp_path / "store"), PlainObserver())
    runner.run(make_plan(load_study(tmp_path / "study.yaml")))
    (record,) = Store(tmp_path / "store").records()
    assert record.termination == "completed", record.manifest["termination"]
    assert {library["name"] for library in record.manifest["framework"]["blas"]} == {blas}


def test_a_plateau_rule_changes_the_rate_alike_in_every_framework(tmp_path: Path) -> None:
    """Its threshold is far above what frameworks differ by: the same evaluations are plateaus in all of them."""
    study = yaml.safe_load(Path("studies/same-losses.yaml").read_text())
    study["frameworks"] = list(FRAMEWORKS)
    policies = [{"policy": "FIX", "k0": rate} for rate in (0.02, 0.01, 0.005)]
    study["overrides"] |= {
        "steps": 12,
        "evaluation.every_steps": 12,
        "validation": {"images": 500, "position": "last", "every_steps": 2},
        "learning_rate": {
            "policy": "CHANGE_ON_PLATEAU",
            "policies": policies,
            "start_index": 1,
            "cooldown": 1,
            "window": 2,
            "threshold": 5.0,
            "turn": 0.6,
            "watch": "loss",
        },
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    runner = StudyRunner(load_frameworks(), StoreKeeper(tmp_path / "store"), PlainObserver())
    assert runner.run(make_plan(load_study(tmp_path / "study.yaml"))).failures == 0
    records = {one.specification["framework"]["name"]: one for one in Store(tmp_path / "store").records()}
    assert set(records) == set(FRAMEWORKS)
    # No gain is 5: a plateau from the second look (step 4) on. Before step 7.2 the rate rises, from then on it falls.
    expected = [0.01] * 4 + [0.02] * 4 + [0.01] * 4
    for name, record in records.items():
        rates = record.table("steps").column("learning_rate").to_pylist()
        assert rates == pytest.approx(expected, rel=1e-6), name
        changes = [row for row in record.table("events").to_pylist() if row["event"] == "rate_change"]
        assert [row["step"] for row in changes] == [4, 8], name
        told = [json.loads(row["data"]) for row in changes]
        assert [(one["from_candidate"], one["to_candidate"]) for one in told] == [(1, 0), (0, 1)], name


def test_images_held_out_are_evaluated_alike_by_every_framework(tmp_path: Path) -> None:
    study = yaml.safe_load(Path("studies/same-losses.yaml").read_text())
    study["frameworks"] = list(FRAMEWORKS)
    validation = {"images": 500, "position": "last", "every_steps": 2}
    study["overrides"] |= {"steps": 3, "evaluation.every_steps": 3, "validation": validation}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    runner = StudyRunner(load_frameworks(), StoreKeeper(tmp_path / "store"), PlainObserver())
    assert runner.run(make_plan(load_study(tmp_path / "study.yaml"))).failures == 0
    found = {
        record.specification["framework"]["name"]: evaluations(record, "validation")
        for record in Store(tmp_path / "store").records()
    }
    assert set(found) == set(FRAMEWORKS)
    for rows in found.values():
        assert [(row["step"], row["images"]) for row in rows] == [(2, 500)]
        assert rows[0]["loss"] == pytest.approx(found["numpy"][0]["loss"], rel=1e-5)
        assert rows[0]["top1"] == pytest.approx(found["numpy"][0]["top1"], abs=1 / 500)
