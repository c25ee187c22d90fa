"""The end of `dlgauge run`: results where there are any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harness.analysis import compare
from harness.cli.main import app
from harness.errors import StoreError
from harness.execution import StudyResult
from harness.records import Store
from tests.synthetic import write_record

CANARY = {"canary": {"block": 1, "when": "before"}}


def end_of_run(store: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    result = StudyResult(ran=[], skipped=1)
    monkeypatch.setattr("harness.execution.StudyRunner.run", lambda _self, _plan: result)
    return CliRunner().invoke(app, ["run", "quickstart", "--store", str(store)])


def test_a_completed_canary_alone_is_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_record(tmp_path, "torch", 1, study="quickstart", role=CANARY)
    output = end_of_run(tmp_path, monkeypatch).output
    assert "compare:" not in output and "again:" in output, output
    write_record(tmp_path, "torch", 1, study="quickstart")
    assert f"compare: dlgauge compare {tmp_path} --study quickstart" in end_of_run(tmp_path, monkeypatch).output


def test_a_comparison_of_canaries_alone_says_so_and_knows_its_study(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1, study="quickstart", role=CANARY)
    assert compare(Store(tmp_path).records()).study == "quickstart"
    result = CliRunner().invoke(app, ["compare", str(tmp_path)])
    assert isinstance(result.exception, StoreError)
    assert "only canaries or second arms of A/A pairs have records" in str(result.exception)
