"""`dlgauge plan`, as it is typed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli.plan import overrides_lines
from harness.study import Study, load_study, make_plan


def dlgauge(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from harness.cli.main import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


def test_the_trials_stand_in_order_with_their_ids() -> None:
    result = dlgauge("plan", "quickstart")
    assert result.returncode == 0, result.stderr
    plan = make_plan(load_study("quickstart"))
    lines = [line for line in result.stdout.splitlines() if " seed " in line]
    assert [line.split()[-1] for line in lines] == [trial.id for trial in plan.trials]
    assert "12 trials in 3 blocks" in result.stdout
    assert "overrides of setting and profile: steps 300, evaluation.every_steps 100\n" in result.stdout


def test_json_holds_the_specifications() -> None:
    result = dlgauge("plan", "batch-size", "--json")
    plan = make_plan(load_study("batch-size"))
    printed = json.loads(result.stdout)
    assert printed["count"] == len(plan.trials)
    assert [trial["specification"] for trial in printed["trials"]] == [trial.specification for trial in plan.trials]
    assert [trial["varied"] for trial in printed["trials"]] == [trial.varied for trial in plan.trials]


def test_what_is_unsupported_is_told_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(
        "study: x\nframeworks: [torch, caffe]\nworkloads: [lenet-mnist-subset]\nsettings: [caffe-mnist]\nseeds: [1]\n"
        "overrides: {blas: openblas}\n"
    )
    result = dlgauge("plan", "x.yaml", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "x: 1 trial in 1 block" in result.stdout
    assert "framework 'torch' honours blas onednn or mkl" in result.stdout


def test_what_a_study_overrides_is_told_and_kept(study_of: Callable[..., Study]) -> None:
    study = study_of(
        "overrides: {epochs: 2, memory: 1 GiB, learning_rate: {policy: FIX, k0: 0.1}}\nlength_share: 0.5\n"
    )
    assert overrides_lines(study) == [
        "overrides of setting and profile: epochs 2, memory 1 GiB, learning_rate FIX k0=0.1, length_share 0.5"
    ]
    (trial, *_) = make_plan(study).trials
    assert list(trial.overrides) == ["epochs", "memory", "learning_rate", "length_share"]
    assert overrides_lines(study_of()) == []


@pytest.mark.parametrize("argument", ["nosuch", "x.yaml"])
def test_an_error_is_one_message_without_a_traceback(tmp_path: Path, argument: str) -> None:
    (tmp_path / "x.yaml").write_text("study: x\n")
    result = dlgauge("plan", argument, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.stderr


def test_help_does_not_pay_for_the_libraries_of_a_plan() -> None:
    code = "import sys, harness.cli.main; print([m for m in ('pydantic', 'yaml', 'numpy') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_cells_of_one_reason_are_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(
        "study: x\nframeworks: [torch]\nworkloads: [lenet-mnist-subset]\nsettings: [caffe-mnist]\nseeds: [1]\n"
        "profiles: [atlas, blis, onednn]\nvary: {momentum: [0.5, 0.9]}\n"
    )
    result = dlgauge("plan", "x.yaml", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    unsupported = result.stdout.partition("unsupported, 4 of the cells:\n")[2].splitlines()
    assert unsupported == [
        "  4 cells: framework 'torch' honours blas onednn or mkl: "
        "profile 'atlas', blas: atlas; profile 'blis', blas: blis"
    ]
