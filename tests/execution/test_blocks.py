"""A pilot with A/A pairs and canaries, run for real on the fake framework: everything but the framework is real."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from harness.analysis import compare
from harness.cli.pilot import run_with_pilot
from harness.cli.progress import PlainObserver
from harness.cli.run import StoreKeeper
from harness.execution import StudyResult, StudyRunner
from harness.records import Store
from harness.study import Study, load_frameworks, load_study, make_plan
from harness.study.roles import role_of
from tests.execution.fake_study import FAKES, HereEnvironment, write_study


def loaded(folder: Path) -> Study:
    """The small study with a pilot of two blocks, both arms of its one cell and a canary at both ends."""
    path = write_study(folder)
    content = yaml.safe_load(path.read_text())
    del content["seeds"]
    content |= {
        "repeats": {"resolve": "0.0001%", "pilot": 2, "at_most": 3},
        "a_a": True,
        "canary": {"steps": 20, "profile": "fast.yaml"},
    }
    path.write_text(yaml.safe_dump(content))
    os.environ["DLGAUGE_FRAMEWORKS"] = str(FAKES)
    try:
        return load_study(path)
    finally:
        del os.environ["DLGAUGE_FRAMEWORKS"]


def run(study: Study, store: Path) -> StudyResult:
    frameworks = load_frameworks([FAKES])
    runner = StudyRunner(frameworks, StoreKeeper(store), PlainObserver(), environment_for=HereEnvironment, canary=None)
    return run_with_pilot(study, make_plan(study), runner, store)


def test_a_pilot_is_run_judged_and_carried_on(tmp_path: Path, capsys) -> None:
    study, store = loaded(tmp_path), tmp_path / "store"
    result = run(study, store)
    assert (result.failures, len(result.ran), result.skipped) == (0, 9, 0)
    told = capsys.readouterr().out
    assert "at_most allows 3" in told and "not resolved: the 95 % interval of 1 of 1 ratio" in told
    records = Store(store).records()
    roles = [role_of(record.specification) for record in records]
    assert [roles.count(role) for role in (None, "arm 2", "canary")] == [3, 3, 3]
    comparison = compare(records)
    (cell,) = comparison.cells
    assert [trial.seed for trial in cell.trials] == [1, 2, 3]
    (pair,) = comparison.a_a
    assert pair.ratios["training_time_s"].n == 3
    (drift,) = comparison.drifts
    assert [run.place for run in drift.runs] == ["before block 1", "after block 2", "after block 3"]
    again = run(study, store)
    assert (len(again.ran), again.skipped) == (0, 9)
