"""Each gate of a quiet measurement: what is just below it is quiet, what is just above it is found."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.analysis.disturbances import WORDS
from harness.execution.canary import lower_quartile_and_spread
from harness.execution.canary_kernel import PARTS
from harness.records.disturbances import _canary, _gpus
from harness.records.manifest import make_manifest
from harness.records.reading import TrialFiles, read_trial_folder
from tests import factories

SECOND_NS = 10**9
Row = dict[str, Any]


def found_in(folder: Path, change: Callable[[Row], Row], **of_outcome: Any) -> dict[str, float]:
    """Signal -> value of the disturbances of a synthetic trial of some seconds, its samples changed row by row."""
    trial = factories.make_trial("caffe", steps=800)
    timeline = factories.make_timeline(trial)
    factories.write_trial_folder(folder, trial, timeline)
    rows = factories.make_samples(timeline, cgroup=True, resident_bytes=1000)
    (folder / "samples.bin").write_bytes(factories.encode_samples([change(row) for row in rows]))
    outcome = replace(factories.make_outcome(folder, trial, timeline), **of_outcome)
    made = make_manifest(outcome, read_trial_folder(folder))
    for one in made["disturbances"]:
        assert set(one) == {"signal", "found", "limit", "unit"} and one["found"] > one["limit"]
        assert one["signal"] in WORDS
    return {one["signal"]: one["found"] for one in made["disturbances"]}


def since(row: Row) -> float:
    """Seconds from the trial's begin."""
    return float(row["t_start_ns"] - factories.T_BEGIN_NS) / 1e9


def ticks(row: Row, **cores: float) -> Row:
    """The row with further host time of so many cores, taken from idle."""
    more = {
        f"host_{state}_ticks": row[f"host_{state}_ticks"] + round(c * 100 * since(row)) for state, c in cores.items()
    }
    idle = row["host_idle_ticks"] - round(sum(cores.values()) * 100 * since(row))
    return {**row, **more, "host_idle_ticks": idle}


def test_a_quiet_trial_has_none(tmp_path: Path) -> None:
    assert found_in(tmp_path, lambda row: row) == {}


@pytest.mark.parametrize(("cores", "loud"), [(0.03, False), (0.07, True)])
def test_foreign_load(tmp_path: Path, cores: float, loud: bool) -> None:
    """The synthetic host has 2 cores, of which others use 0.05 already: the limit of 5 % is 0.1 cores."""
    found = found_in(tmp_path, lambda row: ticks(row, system=cores))
    assert set(found) == ({"foreign_cpu_mean"} if loud else set())
    if loud:
        assert found["foreign_cpu_mean"] == pytest.approx((cores + factories.FOREIGN_CORES) / 2, abs=0.003)


def test_a_burst_of_foreign_load(tmp_path: Path) -> None:
    """Half a core for 5 s: 25 % of the window."""

    def burst(row: Row) -> Row:
        more = round(50 * min(5.0, max(0.0, since(row) - 2.0)))
        return {
            **row,
            "host_user_ticks": row["host_user_ticks"] + more,
            "host_idle_ticks": row["host_idle_ticks"] - more,
        }

    found = found_in(tmp_path, burst)
    assert 0.2 < found["foreign_cpu_5s"] < 0.3


@pytest.mark.parametrize(("cores", "loud"), [(0.016, False), (0.024, True)])
def test_steal(tmp_path: Path, cores: float, loud: bool) -> None:
    assert ("steal" in found_in(tmp_path, lambda row: ticks(row, steal=cores))) == loud


@pytest.mark.parametrize(("share", "loud"), [(0.04, False), (0.06, True)])
def test_cpu_pressure(tmp_path: Path, share: float, loud: bool) -> None:
    found = found_in(tmp_path, lambda row: {**row, "cgroup_pressure_cpu_some_us": round(share * 1e6 * since(row))})
    assert ("cpu_pressure" in found) == loud


@pytest.mark.parametrize(
    ("column", "signal"),
    [
        ("cgroup_throttled_periods", "throttled_by_quota"),
        ("thermal_throttles", "throttled_by_heat"),
        ("host_swap_in_pages", "swapped_in"),
        ("host_swap_out_pages", "swapped_out"),
    ],
)
def test_what_must_not_happen_at_all(tmp_path: Path, column: str, signal: str) -> None:
    base = 0 if column.startswith("cgroup") else 1000
    assert found_in(tmp_path, lambda row: {**row, column: base}) == {}
    assert found_in(tmp_path, lambda row: {**row, column: base + (since(row) > 3.0)})[signal] == pytest.approx(1.0)


@pytest.mark.parametrize(("swing", "loud"), [(0.02, False), (0.04, True)])
def test_frequency(tmp_path: Path, swing: float, loud: bool) -> None:
    def change(row: Row) -> Row:
        return {**row, "cpu_frequency_mean_khz": round(2_000_000 * (1 + swing * (-1) ** row["seq"]))}

    assert ("frequency_variation" in found_in(tmp_path, change)) == loud


@pytest.mark.parametrize(("step_ns", "loud"), [(900_000, False), (-1_100_000, True), (5 * SECOND_NS, True)])
def test_the_calendar_clock(tmp_path: Path, step_ns: int, loud: bool) -> None:
    begin = {"realtime_ns": 10**18, "monotonic_ns": 10**12}
    end = {"realtime_ns": 10**18 + 9 * SECOND_NS + step_ns, "monotonic_ns": 10**12 + 9 * SECOND_NS}
    found = found_in(tmp_path, lambda row: row, clock_anchors={"begin": begin, "end": end})
    assert ("clock_step" in found) == loud
    assert found_in(tmp_path, lambda row: row, clock_anchors={"begin": begin}) == {}


def test_a_gpu_held_down_by_heat_or_power() -> None:
    def found(*reasons: int | None, foreign: bool = False) -> list[Any]:
        table = {"gpu": [0] * len(reasons), "clocks_event_reasons": list(reasons)}
        job = SimpleNamespace(files=TrialFiles(gpus=table, sampler_report={"gpus": [{"foreign": foreign}]}))
        return [one["found"] for one in _gpus(job)]  # type: ignore[arg-type]

    assert found(0x1, 0x4, None) == [0], "idle, and the power limit that was set"
    assert found(0x1, 0x40, 0x88) == [2]
    assert found(None) == []
    assert found(0x40, foreign=True) == [], "another's device"


def test_the_canary() -> None:
    before, after = (
        {"compute_s": 0.2, "memory_s": 0.2, "cpus": [0]},
        {"compute_s": 0.19, "memory_s": 0.205, "cpus": [0]},
    )
    found = {one["signal"]: one["found"] for one in _canary({"before": before, "after": after})}
    assert found == pytest.approx({"canary_compute": 0.05, "canary_memory": 0.025})
    for nothing in (None, {}, {"before": before}, {"before": before, "after": None}, {"before": {"compute_s": "x"}}):
        assert list(_canary(nothing)) == []


def canary_of(draw: random.Random, *, slower: float, sd: float) -> dict[str, float]:
    """A canary of simulated parts: each 1 ms and some, and one in eight preempted for several."""
    parts_s = [1e-3 * slower * draw.lognormvariate(0.0, sd) for _ in range(PARTS)]
    parts_s = [part_s + (draw.uniform(1e-3, 9e-3) if draw.random() < 1 / 8 else 0.0) for part_s in parts_s]
    value_s, spread = lower_quartile_and_spread(parts_s)
    return {"memory_s": value_s, "memory_spread": spread}


def canaries_flagged(*, slower: float, sd: float, drift: float) -> int:
    """Of 200 simulated trials, those whose second canary differed; each run of it has its own level, by `drift`."""
    draw, flagged = random.Random(7), 0
    for _ in range(200):
        before, after = (
            canary_of(draw, slower=factor * draw.lognormvariate(0.0, drift), sd=sd) for factor in (1.0, slower)
        )
        (one,) = _canary({"before": before, "after": after})
        flagged += one["found"] > one["limit"]
    return flagged


@pytest.mark.parametrize(("sd", "drift"), [(0.003, 0.002), (0.02, 0.01), (0.08, 0.06)])
def test_noise_of_the_canary_is_no_disturbance(sd: float, drift: float) -> None:
    assert canaries_flagged(slower=1.0, sd=sd, drift=drift) <= 2


@pytest.mark.parametrize("slower", [0.9, 1.1])
def test_a_change_of_a_tenth_is_found_by_a_canary_that_is_steady_enough(slower: float) -> None:
    assert canaries_flagged(slower=slower, sd=0.003, drift=0.002) == 200
    assert canaries_flagged(slower=slower, sd=0.015, drift=0.005) >= 195


def test_without_samples_nothing_is_claimed(tmp_path: Path) -> None:
    trial = factories.make_trial()
    timeline = factories.make_timeline(trial)
    factories.write_trial_folder(tmp_path, trial, timeline)
    (tmp_path / "samples.bin").unlink()
    made = make_manifest(factories.make_outcome(tmp_path, trial, timeline), read_trial_folder(tmp_path))
    assert made["disturbances"] == []
