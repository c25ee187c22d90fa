"""Probes: every case of a worker ends in arrays, a refusal or an error of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frameworks.numpy.adapter import Adapter
from frameworks.worker.adapter import Unsupported
from frameworks.worker.events import EventLog
from frameworks.worker.probe import run_cases
from harness.execution.tailing import EventTail
from harness.parity.case import Case
from harness.parity.contract_cases import contract_cases
from tests.frameworks.reference import probe

CASES = {case.name: case for case in contract_cases()}


class Particular(Adapter):
    """Refuses dropout and fails at tanh."""

    def build(self, network: dict, loss: str, setting: dict, weights: dict) -> None:
        kinds = {layer["kind"] for layer in network["layers"]}
        if "dropout" in kinds:
            raise Unsupported("layer kind 'dropout'", "there is no chance here")
        if "tanh" in kinds:
            raise RuntimeError("no hyperbolic functions")
        super().build(network, loss, setting, weights)


def run(folder: Path, adapter: type[Adapter], names: list[str]) -> list[dict[str, Any]]:
    cases: list[Case] = [CASES[name] for name in names]
    for case in cases:
        case.write(folder / case.name)
    started = adapter({"precision": "float64"}, str(folder))
    started.start()
    events = EventLog(str(folder / "events.jsonl"), "none.sock")
    before = Path.cwd()
    os.chdir(folder)
    try:
        run_cases(started, [case.description(case.name) for case in cases], events)
    finally:
        os.chdir(before)
    events.phase("end")
    return [event for event in EventTail(folder / "events.jsonl").read(at_end=True) if event["event"] == "case"]


def test_a_refusal_and_an_error_are_told_and_the_other_cases_go_on(tmp_path: Path) -> None:
    refused, failed, done = run(tmp_path, Particular, ["dropout", "tanh", "relu"])
    assert refused["unsupported"] == {"what": "layer kind 'dropout'", "why": "there is no chance here"}
    assert failed["error"] == "RuntimeError: no hyperbolic functions"
    assert "in build" in failed["traceback"]
    assert (done["name"], "error" in done, "unsupported" in done) == ("relu", False, False)
    assert [name for name in ("dropout", "tanh", "relu") if (tmp_path / name / "probe.npz").exists()] == ["relu"]


@pytest.mark.parametrize("name", ["batch-normalisation", "dropout", "weight-average", "sgd-nesterov-in"])
def test_a_case_after_others_gives_what_it_gives_alone(tmp_path: Path, name: str) -> None:
    """A new build forgets the old one: parameters, velocities, averages, moving statistics."""
    run(tmp_path, Adapter, ["residual", "adam-corrected", "lrn-space", name])
    alone = probe(CASES[name])
    with np.load(tmp_path / name / "probe.npz") as found:
        assert set(found.files) == set(alone.arrays)
        for key, array in alone.arrays.items():
            np.testing.assert_array_equal(found[key], array)
