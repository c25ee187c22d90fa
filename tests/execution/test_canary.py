"""The canary: real work on real CPUs, in the record, and never in a trial's way."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.execution.canary import CanaryError, lower_quartile_and_spread, run_canary
from tests.execution.fake_study import only_record, run_study, write_study


def test_it_times_both_kinds_of_work() -> None:
    cpu = min(os.sched_getaffinity(0))
    found = run_canary([cpu])
    assert found["compute_s"] > 0.0001
    assert found["memory_s"] > 0.0001
    assert 0 < found["compute_spread"] < 1 and 0 < found["memory_spread"] < 1
    assert found["cpus"] == [cpu]


def test_preempted_parts_change_neither_the_value_nor_the_spread() -> None:
    alone_s = [0.001 + 1e-6 * number for number in range(64)]
    disturbed_s = [part_s + (0.01 if number % 4 == 0 else 0.0) for number, part_s in enumerate(alone_s)]
    for found, expected in zip(lower_quartile_and_spread(disturbed_s), lower_quartile_and_spread(alone_s), strict=True):
        assert found == pytest.approx(expected, abs=0.02 * max(expected, 0.5))


def test_a_cpu_that_is_not_there_is_an_error() -> None:
    with pytest.raises(CanaryError, match=r"CPUs \[4095\]"):
        run_canary([4095])


def test_a_trial_has_one_before_and_one_after_on_its_own_cpus(tmp_path: Path) -> None:
    asked: list[list[int]] = []

    def canary(cpus: Sequence[int]) -> dict[str, Any]:
        asked.append(list(cpus))
        return {"compute_s": 0.01 * len(asked), "memory_s": 0.02, "cpus": list(cpus)}

    run_study(write_study(tmp_path), tmp_path / "store", canary=canary)
    record = only_record(tmp_path / "store")
    cpus = record.specification["profile"]["cpus"]
    assert asked == [cpus, cpus]
    assert record.manifest["canary"]["before"] == {"compute_s": 0.01, "memory_s": 0.02, "cpus": cpus}
    assert record.manifest["canary"]["after"]["compute_s"] == 0.02


def test_a_trial_without_one_says_so(tmp_path: Path) -> None:
    def canary(_cpus: Sequence[int]) -> dict[str, Any]:
        raise CanaryError("it fell off its perch")

    run_study(write_study(tmp_path), tmp_path / "store", canary=canary)
    record = only_record(tmp_path / "store")
    assert record.termination == "completed"
    assert record.manifest["canary"] == {}
    assert record.not_measured["canary"] == "it fell off its perch"
