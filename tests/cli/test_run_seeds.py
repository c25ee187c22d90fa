"""`dlgauge run --seeds`: wrong seeds are told before anything runs; right ones make the plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harness.cli.main import app
from harness.errors import DlgaugeError


def test_wrong_seeds_are_told_before_anything_runs(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["run", "quickstart", "--store", str(tmp_path / "s"), "--seeds", "3-1"])
    assert isinstance(result.exception, DlgaugeError) and "falls" in str(result.exception)
    assert not (tmp_path / "s").exists()


def test_the_seeds_asked_for_are_those_of_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned: list[int] = []

    def stop(plan: Any) -> None:
        planned.extend(dict.fromkeys(trial.specification["seed"] for trial in plan.trials))
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.execution.StudyRunner.run", lambda _self, plan: stop(plan))
    result = CliRunner().invoke(app, ["run", "quickstart", "--store", str(tmp_path), "--seeds", "2,5-6"])
    assert "stopped before the first trial" in result.output, result.output
    assert planned == [2, 5, 6]
