"""The walk-through of docs/adding-a-framework.md, done: its files, in a folder outside the project."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from harness.paths import PROJECT_ROOT
from harness.records import Store
from tests.here import copy_framework, dlgauge, use_this_interpreter

PAGE = PROJECT_ROOT / "docs" / "adding-a-framework.md"
EXAMPLES = PROJECT_ROOT / "docs" / "examples"
FILES = ("environment.yaml", "requirements.txt", "adapter.py")
LAYERS_OF_LENET = {"convolution-valid", "max-pool", "dense-no-biases", "relu"}
OPTIMIZERS = {"sgd-plain", "sgd-rate-on-velocity", "sgd-nesterov-in", "sgd-nesterov-on", "rules"}
STEPS = 5


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the walk-through."""
    use_this_interpreter(monkeypatch, tmp_path / "cache")
    return copy_framework(EXAMPLES / "plain", tmp_path / "frameworks", "plain", monkeypatch)


@pytest.mark.parametrize("file", [*(f"plain/{name}" for name in FILES), "plain.yaml"])
def test_the_page_shows_the_very_files(file: str) -> None:
    assert f"\n{(EXAMPLES / file).read_text()}```\n" in PAGE.read_text()


def test_it_takes_less_than_150_lines() -> None:
    lines = [line for name in FILES for line in (EXAMPLES / "plain" / name).read_text().splitlines() if line.strip()]
    assert len(lines) < 150
    assert sorted(path.name for path in (EXAMPLES / "plain").iterdir() if path.is_file()) == sorted(FILES)


def test_it_keeps_the_contract_and_refuses_the_rest_by_name(plain: Path) -> None:
    result = dlgauge("adapter", "check", "plain", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["passed"] is True and found["counts"]["failed"] == 0
    checks = {check["check"]: check for check in found["checks"]}
    assert all(checks[name]["outcome"] == "ok" for name in LAYERS_OF_LENET | OPTIMIZERS)
    assert checks["max-pool"]["largest"]["relative"] < checks["max-pool"]["largest"]["tolerance"]
    refused = {name: check["reason"] for name, check in checks.items() if check["outcome"] == "unsupported"}
    assert refused["sigmoid"].startswith("layer sigmoid2 of kind 'sigmoid': ")
    assert refused["convolution-padded"].startswith("layer convolution1: plain has no padding")
    assert refused["adam-corrected"].startswith("optimizer 'adam': ")
    # The page tells how many.
    counts = ", ".join(f"{count} {outcome}" for outcome, count in found["counts"].items())
    assert counts in PAGE.read_text()


def test_it_trains(plain: Path, tmp_path: Path) -> None:
    text = (EXAMPLES / "plain.yaml").read_text()
    for there, here in (("plain, numpy", "plain"), ("count: 3", "count: 1"), ("100", STEPS), ("50", STEPS)):
        assert text.count(there) == 1
        text = text.replace(there, str(here))
    study = tmp_path / "plain.yaml"
    study.write_text(text)
    result = dlgauge("run", study, "--store", tmp_path / "store")
    assert result.exit_code == 0, result.output
    (record,) = Store(tmp_path / "store").records()
    assert record.termination == "completed"
    losses = record.table("steps").column("loss").to_pylist()
    assert len(losses) == STEPS
    assert losses[0] == pytest.approx(np.log(10), rel=0.1)
    assert 0 < record.summary["top1_percent"] <= 100


def test_it_is_proven_to_train_as_the_reference_does(plain: Path) -> None:
    arguments = ("--setting", "caffe-mnist", "--frameworks", "plain", "--steps", str(STEPS), "--json")
    result = dlgauge("parity", "lenet-mnist-subset", *arguments)
    assert result.exit_code == 0, result.output
    certificate = json.loads(result.stdout)
    assert certificate["passed"] is True
    assert certificate["frameworks"]["plain"]["largest"]["loss"]["relative"] < 1e-5
