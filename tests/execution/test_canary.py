"""The canary: real work on real CPUs, in the record, and never in a trial's way."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.errors import EnvironmentFailed
from harness.execution.canary import CanaryError, lower_quartile_and_spread, run_canary
from tests.execution.fake_study import HereEnvironment, only_record, run_study, write_study


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


def test_its_time_is_not_the_trial_s(tmp_path: Path) -> None:
    """The real canary, and a rest after it: what it takes is told by how much, and is nowhere in the record."""
    spans_ns: list[tuple[int, int]] = []

    def canary(cpus: Sequence[int]) -> dict[str, Any]:
        begin_ns = time.monotonic_ns()
        found = run_canary(cpus)
        time.sleep(1.0)
        spans_ns.append((begin_ns, time.monotonic_ns()))
        return found

    run_study(write_study(tmp_path), tmp_path / "store", canary=canary)
    manifest = only_record(tmp_path / "store").manifest
    (_, before_end_ns), (after_begin_ns, _) = spans_ns
    assert before_end_ns <= manifest["t_begin_ns"] < manifest["t_end_ns"] <= after_begin_ns
    for when in ("begin", "end"):
        assert manifest["clock_anchors"][when]["monotonic_ns"] == manifest[f"t_{when}_ns"]
    inside_ns = sum(phase["end_ns"] - phase["begin_ns"] for phase in manifest["phases"])
    assert manifest["summary"]["overhead_s"] <= (after_begin_ns - before_end_ns - inside_ns) / 1e9
    assert max(row["end_ns"] for row in manifest["unmarked"]) <= after_begin_ns


def test_where_the_trial_cannot_begin_there_is_a_reason_for_the_missing_one(tmp_path: Path) -> None:
    class Unfit(HereEnvironment):
        def launch(self, *_: Any) -> Any:
            raise EnvironmentFailed("the interpreter is not for this processor")

    run_study(write_study(tmp_path), tmp_path / "store", environment=Unfit, canary=lambda cpus: {"cpus": list(cpus)})
    record = only_record(tmp_path / "store")
    assert record.termination == "environment_failed"
    assert "before" in record.manifest["canary"] and "after" not in record.manifest["canary"]
    assert record.not_measured["canary"] == "no canary was run after the worker"


def test_a_trial_without_one_says_so(tmp_path: Path) -> None:
    def canary(_cpus: Sequence[int]) -> dict[str, Any]:
        raise CanaryError("it fell off its perch")

    run_study(write_study(tmp_path), tmp_path / "store", canary=canary)
    record = only_record(tmp_path / "store")
    assert record.termination == "completed"
    assert record.manifest["canary"] == {}
    assert record.not_measured["canary"] == "it fell off its perch"
