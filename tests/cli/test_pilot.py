"""Studies with `repeats`: the pilot, the reason, the rest, and going on after a stop."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.analysis.resolution import PairSpread, Resolution
from harness.cli.pilot import decide, reached, run_with_pilot
from harness.execution import StudyResult, TerminationKind
from harness.records import Store
from harness.study import Plan, Study, load_frameworks, load_study, make_plan
from harness.study.repeats import Repeats
from tests.synthetic import write_record

FRAMEWORK = """
framework: {name}
title: {name}
version: "1.0"
environment: venv
honours: {{threads: [intra_op], blas: [], precision: [float32], gpus: false}}
"""
STUDY = """\
study: demo
frameworks: [torch, caffe]
workloads: [lenet-mnist-subset]
settings: [caffe-mnist]
repeats: {resolve: 3%, pilot: 3, at_most: AT_MOST}
canary: true
"""


@pytest.fixture
def study_at_most(tmp_path: Path) -> Callable[[int], Study]:
    for name in ("torch", "caffe"):
        (tmp_path / "frameworks" / name).mkdir(parents=True)
        (tmp_path / "frameworks" / name / "environment.yaml").write_text(FRAMEWORK.format(name=name))

    def load(at_most: int) -> Study:
        path = tmp_path / "study.yaml"
        path.write_text(STUDY.replace("AT_MOST", str(at_most)))
        return load_study(path, frameworks=load_frameworks([tmp_path / "frameworks"]), cpus=(0, 1))

    return load


class Runner:
    """Writes a synthetic record for every trial that has none; stops after so many."""

    def __init__(self, store: Path, speeds: Callable[[str, int], float], stop_after: int | None = None) -> None:
        self.store, self.speeds, self.stop_after = store, speeds, stop_after
        self.plans: list[Plan] = []
        self.written = 0

    def run(self, plan: Plan) -> StudyResult:
        self.plans.append(plan)
        result = StudyResult()
        there = {record.id for record in Store(self.store, create=True).records()}
        for trial in plan.trials:
            if trial.id in there:
                result.skipped += 1
                continue
            if self.written == self.stop_after:
                return replace(result, cancelled=True)
            self._write(trial)
            self.written += 1
            result.ran.append(TerminationKind.COMPLETED)
        return result

    def _write(self, trial) -> None:
        specification = trial.specification
        seed = specification["canary"]["block"] if "canary" in specification else specification["seed"]
        speed = self.speeds(trial.framework, seed)
        record = write_record(self.store, trial.framework, seed, summary={"samples_per_s": speed}, name=trial.id)
        manifest = record.path / "manifest.json"
        import json

        content = {**record.manifest, "trial": trial.id, "specification": specification, "label": trial.label}
        manifest.write_text(json.dumps(content))


def speeds(spread: float) -> Callable[[str, int], float]:
    """Torch's logarithm goes up and down by `spread`; blocks beyond the pilot likewise."""
    return lambda framework, seed: 100 * math.exp(spread * ((seed - 1) % 3 - 1)) if framework == "torch" else 50.0


def test_the_rest_follows_the_pilot(study_at_most, tmp_path: Path, capsys) -> None:
    study = study_at_most(30)
    runner = Runner(tmp_path / "store", speeds(0.02))
    result = run_with_pilot(study, make_plan(study), runner, tmp_path / "store")
    pilot, rest = runner.plans
    assert len(pilot.trials) == 3 * 2 + 2
    blocks = [trial.specification["seed"] for trial in rest.trials if "canary" not in trial.specification]
    assert blocks == [4, 4, 5, 5]
    assert [trial.specification["canary"] for trial in rest.trials if "canary" in trial.specification] == [
        {"block": 5, "when": "after"}
    ]
    assert len(result.ran) == 8 + 5
    told = capsys.readouterr().out.splitlines()
    assert told[0] == (
        "pilot: of 1 ratio of samples/s that of caffe against torch varies most, by 2 % from block to block "
        "(sd of its logarithm, n = 3 blocks)"
    )
    assert told[1] == ("pilot: 5 blocks bring every 95 % interval to ± 3 % or less (its to ± 2.5 %): 2 more to run")
    assert told[2] == "resolved: the 95 % interval of every ratio of samples/s is ± 3 % or narrower"


def test_a_stopped_study_goes_on_to_the_same_number(study_at_most, tmp_path: Path, capsys) -> None:
    study = study_at_most(30)
    first = Runner(tmp_path / "store", speeds(0.02), stop_after=10)
    assert run_with_pilot(study, make_plan(study), first, tmp_path / "store").cancelled
    second = Runner(tmp_path / "store", speeds(0.02))
    result = run_with_pilot(study, make_plan(study), second, tmp_path / "store")
    assert [trial.id for trial in second.plans[1].trials] == [trial.id for trial in first.plans[1].trials]
    assert (len(result.ran), result.skipped, result.cancelled) == (3, 10, False)


def test_a_pilot_that_is_stopped_decides_nothing(study_at_most, tmp_path: Path, capsys) -> None:
    study = study_at_most(30)
    runner = Runner(tmp_path / "store", speeds(0.02), stop_after=4)
    assert run_with_pilot(study, make_plan(study), runner, tmp_path / "store").cancelled
    assert len(runner.plans) == 1
    assert capsys.readouterr().out == ""


def test_a_quiet_pilot_is_enough(study_at_most, tmp_path: Path, capsys) -> None:
    study = study_at_most(30)
    runner = Runner(tmp_path / "store", speeds(0.001))
    run_with_pilot(study, make_plan(study), runner, tmp_path / "store")
    assert len(runner.plans) == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith(": no more to run")


def test_no_more_blocks_than_allowed(study_at_most, tmp_path: Path, capsys) -> None:
    study = study_at_most(4)
    runner = Runner(tmp_path / "store", speeds(0.1))
    run_with_pilot(study, make_plan(study), runner, tmp_path / "store")
    specifications = [trial.specification for trial in runner.plans[1].trials]
    assert {one["seed"] for one in specifications if "canary" not in one} == {4}
    told = capsys.readouterr().out
    assert "takes 47 blocks; at_most allows 4, which bring it to ± 17 % (1 of 1 ratio would stay wider" in told
    assert "not resolved: the 95 % interval of 1 of 1 ratio of samples/s is wider than ± 3 %" in told


def test_without_two_cells_to_compare_no_number_follows() -> None:
    decision = decide(Resolution(0.03, (), ("caffe against torch: 1 completed block",)), Repeats(resolve="3%"))
    assert decision.blocks is None
    assert decision.lines == (
        "pilot: not judged: caffe against torch: 1 completed block",
        "pilot: no two cells have 3 blocks to compare, so no number of blocks follows",
    )


def test_what_was_not_reached_is_told_pair_by_pair() -> None:
    repeats = Repeats(resolve="3%", pilot=3, at_most=10)
    wide = [PairSpread(f"a{index}", "b", 5, 0.1, 46, ()) for index in range(7)]
    lines = reached(Resolution(0.03, tuple(wide), ()), repeats)
    assert lines[0].startswith("not resolved: the 95 % interval of 7 of 7 ratios of samples/s is wider")
    assert lines[1] == "  a0 against b: ± 13 % with 5 blocks; about 46 blocks would do"
    assert lines[6] == "  and 2 more"
