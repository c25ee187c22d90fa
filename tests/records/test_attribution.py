"""What was used in each phase, and that the parts are the whole (validity suite V13)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.records.attribution import (
    ENERGY_PERIODS,
    GPU_UPDATE_NS,
    PEAK,
    Counted,
    attribute,
    gpu_energy,
    reasons,
    sums,
    with_peaks,
)
from harness.records.counters import series
from harness.records.manifest import make_manifest
from harness.records.phases import AFTER, BEFORE, Phase, partition, unmarked
from harness.records.reading import TrialFiles, read_trial_folder
from tests import factories

MS = 1_000_000
S = 1000 * MS


def rows_of(marks_ms: list[int], worker_ms: int, end_ms: int) -> list[Phase]:
    """Phases `train` between these marks, and what lies around them."""
    events = [{"event": "phase", "t_ns": t * MS, "phase": "train", "step": 0} for t in marks_ms]
    files = TrialFiles(events=[*events[:-1], {**events[-1], "phase": "end"}])
    phases = partition(files, end_ms * MS)
    return [*phases, *unmarked(files, phases, worker_ms * MS, end_ms * MS)]


@settings(max_examples=150, deadline=None)
@given(
    marks=st.lists(st.integers(1_000, 60_000), min_size=2, max_size=20, unique=True),
    samples=st.dictionaries(st.integers(0, 61_000), st.integers(0, 10**9), min_size=1, max_size=60).map(
        lambda growths: sorted(growths.items())
    ),
    of_machine=st.booleans(),
)
def test_phases_and_what_lies_around_them_sum_to_the_total(
    marks: list[int], samples: list[tuple[int, int]], of_machine: bool
) -> None:
    """Whatever the counters, wherever the samples lie: no phase gains what another did not lose."""
    rows = rows_of(sorted(marks), 500, 61_000)
    times = [t * MS for t, _ in samples]
    values, total = [], 0
    for _, growth in samples:
        values.append(total := total + growth)
    table = {"t_start_ns": times, "t_end_ns": times, "c": values}
    counter = series(table, "c", None if of_machine else 500 * MS)
    assert counter is not None
    one = Counted("c", (counter,), 1e9, "tree", of_machine=of_machine, shortest_ns=2 * S)
    found = sums(rows, [one])["c"]
    assert found["difference"] == pytest.approx(0.0, abs=1e-12 * max(1.0, found["total"]) * len(rows))
    if not of_machine:
        assert found["total"] == pytest.approx(counter.total / 1e9)
    shown = [value for row in attribute(rows, [one]) if (value := row.quantities["c"]) is not None]
    assert found["withheld"] == len(rows) - len(shown)
    assert sum(shown) <= found["sum"] + 1e-9


@pytest.mark.parametrize("framework", ["torch", "caffe"])
@pytest.mark.parametrize("kind", ["completed", "crashed", "killed", "unsupported"])
def test_the_sums_of_a_record_are_its_totals(tmp_path: Path, framework: str, kind: str) -> None:
    made = factories.publish_trial(tmp_path, framework, 1, kind).manifest
    for name in ("cpu_seconds", "disk_read_bytes", "disk_write_bytes"):
        found = made["phase_sums"][name]
        assert found["difference"] == pytest.approx(0.0, abs=1e-9)
        assert found["total"] == pytest.approx(made["summary"][name])
        shown = [row[name] for row in [*made["phases"], *made["unmarked"]]]
        assert found["withheld"] == sum(value is None for value in shown)
        assert sum(value for value in shown if value is not None) <= found["sum"] + 1e-9
    assert [row["phase"] for row in made["unmarked"]] == [BEFORE, AFTER]
    assert made["unmarked"][0]["end_ns"] == made["phases"][0]["begin_ns"]
    assert made["unmarked"][1]["begin_ns"] == made["phases"][-1]["end_ns"]
    assert not any(phase["phase"] in (BEFORE, AFTER) for phase in made["phases"])


def test_a_trial_without_a_mark_is_all_before(tmp_path: Path) -> None:
    trial = factories.make_trial()
    timeline = factories.make_timeline(trial)
    factories.write_trial_folder(tmp_path, trial, timeline)
    (tmp_path / "events.jsonl").unlink()
    made = make_manifest(factories.make_outcome(tmp_path, trial, timeline), read_trial_folder(tmp_path))
    assert made["phases"] == []
    assert made["unmarked"][0]["cpu_seconds"] == pytest.approx(made["summary"]["cpu_seconds"], rel=0.02)
    assert made["phase_sums"]["cpu_seconds"]["difference"] == pytest.approx(0.0, abs=1e-9)


def cpu_manifest(
    folder: Path, *, tree: float = 1.0, regress_ns: int = 0, without: tuple[str, ...] = ()
) -> dict[str, Any]:
    """A trial in a cgroup whose tree tells `tree` times the truth, and nothing in samples of some triggers."""
    trial = factories.make_trial("caffe")
    timeline = factories.make_timeline(trial)
    factories.write_trial_folder(folder, trial, timeline)
    rows = factories.make_samples(timeline, cgroup=True, resident_bytes=1000)
    changed = [
        {**row, "tree_cpu_ns": int(row["tree_cpu_ns"] * tree), "tree_cpu_regress_ns": regress_ns * (i == 30)}
        for i, row in enumerate(rows)
    ]
    for row in changed:
        if row["trigger"] in without:
            del row["tree_cpu_ns"]
    (folder / "samples.bin").write_bytes(factories.encode_samples(changed))
    return make_manifest(factories.make_outcome(folder, trial, timeline), read_trial_folder(folder))


def test_phases_take_the_clocks_of_the_processes_and_totals_keep_the_cgroup(tmp_path: Path) -> None:
    made = cpu_manifest(tmp_path)
    assert made["sources"]["phases.cpu_seconds"] == made["phase_sums"]["cpu_seconds"]["source"] == "tree"
    assert made["sources"]["cpu_seconds"] == "cgroup"


def test_a_tree_that_is_read_at_marks_alone_serves_the_phases(tmp_path: Path) -> None:
    made = cpu_manifest(tmp_path, without=("tick",))
    assert (made["sources"]["phases.cpu_seconds"], made["sources"]["cpu_seconds"]) == ("tree", "cgroup")


@pytest.mark.parametrize("change", [{"tree": 0.8}, {"regress_ns": 1}, {"without": ("phase",)}])
def test_a_tree_in_doubt_leaves_the_phases_to_the_cgroup(tmp_path: Path, change: dict[str, Any]) -> None:
    assert cpu_manifest(tmp_path, **change)["sources"]["phases.cpu_seconds"] == "cgroup"


def boundary_samples(plan: list[tuple[str, int, int | None]]) -> dict[str, Any]:
    triggers, times, peaks = zip(*plan, strict=True)
    return {"trigger": triggers, "t_start_ns": [t * MS for t in times], "phase_memory_peak_bytes": peaks}


def test_the_peak_of_a_phase_stands_in_the_sample_that_ends_it() -> None:
    rows = rows_of([1000, 2000, 2001, 3000], 500, 3600)
    plan: list[tuple[str, int, int | None]] = [
        ("target", 510, 1),
        ("phase", 1001, 10),
        ("tick", 1500, 15),
        ("phase", 2003, 20),  # serves the marks of 2000 and 2001
        ("tick", 2500, None),
        ("phase", 3001, 30),
        ("exit", 3300, 40),
        ("stop", 3500, 50),
    ]
    peaks = [row.quantities[PEAK] for row in with_peaks(rows, boundary_samples(plan))]
    assert peaks == [20, None, 30, 10, 50]


def test_of_a_worker_that_died_the_last_sample_has_the_peak_of_its_last_phase() -> None:
    files = TrialFiles(events=[{"event": "phase", "t_ns": 1000 * MS, "phase": "train", "step": 0}])
    phases = partition(files, 3290 * MS)
    rows = [*phases, *unmarked(files, phases, 500 * MS, 3600 * MS)]
    samples = boundary_samples([("phase", 1001, 10), ("exit", 3300, 40), ("stop", 3500, 40)])
    peaks = {row.phase: row.quantities[PEAK] for row in with_peaks(rows, samples)}
    assert peaks == {"train": 40, BEFORE: 10, AFTER: None}, "after no mark the kernel's peak is still the phase's"


def gpu_files(devices: int, *, watts: float = 100.0, update_period_ns: int | None = None) -> TrialFiles:
    """GPUs of constant power, read at 10 Hz."""
    rows = [
        (gpu, t * MS, None if math.isnan(watts) and gpu == devices - 1 else round((1 + gpu) * 100 * t))
        for t in range(0, 10_000, 100)
        for gpu in range(devices)
    ]
    table = dict(zip(("gpu", "t_ns", "energy_mj"), map(list, zip(*rows, strict=True)), strict=True))
    return TrialFiles(gpus=table, sampler_report={"gpus": [{"energy_update_period_ns": update_period_ns}]})


def test_energy_of_all_gpus_is_added_and_refused_of_short_phases() -> None:
    rows = rows_of([1000, 4000, 4500], 500, 9000)
    one = gpu_energy(gpu_files(2), "no GPU")
    long, short, *_ = attribute(rows, [one])
    assert long.quantities["gpu_energy_joules"] == pytest.approx(3.0 * (100 + 200))
    assert short.quantities["gpu_energy_joules"] is None
    assert ENERGY_PERIODS * GPU_UPDATE_NS == S
    (why,) = reasons(rows, [one]).values()
    assert "10 update periods of the counter, 100 ms each" in why
    assert sums(rows, [one])["gpu_energy_joules"]["withheld"] == 2  # `before` is short too
    quick = attribute(rows, [gpu_energy(gpu_files(2, update_period_ns=20 * MS), "no GPU")])
    assert quick[1].quantities["gpu_energy_joules"] == pytest.approx(0.5 * 300)


def test_energy_is_dated_by_the_driver_where_it_says_when() -> None:
    files = gpu_files(1)
    assert files.gpus is not None
    files.gpus["energy_t_ns"] = [t - 30 * MS for t in files.gpus["t_ns"]]
    (part,) = gpu_energy(files, "no GPU").parts
    assert part.origin_ns == -30 * MS


def test_a_gpu_without_a_counter_leaves_no_sum() -> None:
    one = gpu_energy(gpu_files(2, watts=math.nan), "no GPU")
    assert one.parts == () and one.missing == "GPU 1 has no energy counter"
    assert gpu_energy(TrialFiles(), "no NVIDIA driver").missing == "no NVIDIA driver"


def others(files: TrialFiles, *foreign: int, **facts: Any) -> TrialFiles:
    """The same with devices described, these of them foreign."""
    assert files.gpus is not None
    devices = range(1 + max(files.gpus["gpu"]))
    files.sampler_report["gpus"] = [{"uuid": f"GPU-{gpu}", "foreign": gpu in foreign, **facts} for gpu in devices]
    return files


def test_energy_of_other_peoples_gpus_is_left_out() -> None:
    rows = rows_of([1000, 4000], 500, 9000)
    (train, *_) = attribute(rows, [gpu_energy(others(gpu_files(2), 1), "no GPU")])
    assert train.quantities["gpu_energy_joules"] == pytest.approx(3.0 * 100)
    without = others(gpu_files(2, watts=math.nan), 1)
    assert len(gpu_energy(without, "no GPU").parts) == 1, "the one without a counter is not the trial's"
    one = gpu_energy(others(gpu_files(1), 0), "no GPU")
    assert one.parts == () and one.missing == "none of the GPUs that were sampled is the trial's"


def test_a_mig_device_needs_no_counter_of_its_own() -> None:
    rows = rows_of([1000, 4000], 500, 9000)
    files = others(gpu_files(2, watts=math.nan))
    files.sampler_report["gpus"][1]["parent_uuid"] = "GPU-0"
    (train, *_) = attribute(rows, [gpu_energy(files, "no GPU")])
    assert train.quantities["gpu_energy_joules"] == pytest.approx(3.0 * 100)
    files.sampler_report["gpus"][0]["foreign"] = True
    one = gpu_energy(files, "no GPU")
    assert one.parts == ()
    assert one.missing == "the trial has MIG devices only, and energy belongs to the whole of GPU-0"


def test_without_the_report_the_trials_gpus_are_not_guessed() -> None:
    files = gpu_files(2)
    files.sampler_report, files.sampler_settings = {}, {"gpu_uuids": ["GPU-0"]}
    one = gpu_energy(files, "no GPU")
    assert one.parts == () and "the sampler's report, which tells them apart, is missing" in one.missing
    files.sampler_settings = {"gpu_uuids": None}
    assert len(gpu_energy(files, "no GPU").parts) == 2


def test_package_energy_counts_from_the_worker_on(tmp_path: Path) -> None:
    trial = factories.make_trial()
    timeline = factories.make_timeline(trial)
    factories.write_trial_folder(tmp_path, trial, timeline)
    rows = factories.make_samples(timeline, cgroup=False, resident_bytes=1000)
    watts = 20
    changed = [{**row, "package_energy_uj": 5_000_000 + watts * (row["t_start_ns"] // 1000)} for row in rows]
    (tmp_path / "samples.bin").write_bytes(factories.encode_samples(changed))
    made = make_manifest(factories.make_outcome(tmp_path, trial, timeline), read_trial_folder(tmp_path))
    for row in made["phases"]:
        assert row["package_energy_joules"] == pytest.approx(watts * row["duration_s"], rel=1e-3)
    assert made["phase_sums"]["package_energy_joules"]["difference"] == pytest.approx(0.0, abs=1e-9)
    assert "no NVIDIA driver" in made["not_measured"]["phases.gpu_energy_joules"]
