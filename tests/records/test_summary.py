"""Every number of a summary against a trial small enough to work out by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from frameworks.worker.protocol import STEP_RECORD
from harness.execution.outcome import TrialOutcome
from harness.records.manifest import make_manifest
from harness.records.reading import read_trial_folder
from harness.records.summary_keys import SUMMARY_KEYS
from harness.records.validation import VALIDATION_KEYS
from tests import factories

B = 1_000 * 10**9
"""Begin of the trial."""

MARKS = (
    # seconds after B, phase, steps finished, cores the job uses in it
    (0.2, "import", 0, 1.0),
    (1.0, "prepare", 0, 0.5),
    (1.5, "build", 0, 1.0),
    (2.0, "warm_up", 0, 1.0),
    (3.0, "train", 1, 2.0),
    (5.0, "evaluate", 21, 1.0),
    (5.5, "train", 21, 1.5),
    (6.5, "evaluate", 31, 1.0),
    (6.75, "teardown", 31, 0.0),
    (6.8, "end", 31, 0.0),
)
FOREIGN_CORES, OWN_CORES = 0.25, 0.01
LAST_EVALUATION: dict[str, Any] = {
    "loss": 0.25,
    "top1": 0.75,
    "top5": 1.0,
    "average_confidence": 0.875,
    "confidence_deviation": 0.125,
    "confidence_deviation_across_classes": None,
    "training_loss": 0.5,
    "loss_difference": -0.25,
    "not_measured": {"confidence_deviation_across_classes": "the correct images are of one class"},
}


def ns(seconds: float) -> int:
    return B + round(seconds * 1e9)


def cpu_s(seconds: float) -> float:
    """CPU time of the job at a moment, by the table above."""
    total = 0.0
    for (begin, _, _, cores), (end, *_) in zip(MARKS, MARKS[1:], strict=False):
        total += cores * max(0.0, min(seconds, end) - begin)
    return total


def steps() -> list[tuple[int, int, int, float, float]]:
    """Step 1 in the warm-up, 20 steps of 0.1 s in the first train phase, 10 of 0.1 s in the second."""
    ends = [2.4, *(3.0 + 0.1 * i for i in range(1, 21)), *(5.5 + 0.1 * i for i in range(1, 11))]
    return [(i, ns(t), 5_000_000, float(i), 0.01) for i, t in enumerate(ends, start=1)]


def events() -> list[dict[str, Any]]:
    marks = [
        {"t_ns": ns(t), "event": "phase", "phase": p, "step": s, "process_cpu_ns": round(cpu_s(t) * 1e9)}
        for t, p, s, _ in MARKS
    ]
    others = [
        {"t_ns": ns(2.4), "event": "first_step", "duration_ns": 400_000_000},
        {"t_ns": ns(5.5), "event": "evaluation", "step": 21, "split": "test", "loss": 0.9, "top1": 0.5, "top5": 0.8},
        {"t_ns": ns(6.75), "event": "evaluation", "step": 31, "split": "test", **LAST_EVALUATION},
        {"t_ns": ns(6.76), "event": "done", "steps": 31},
    ]
    return sorted([*marks, *others], key=lambda event: event["t_ns"])


def samples() -> list[dict[str, Any]]:
    """One sample at each phase mark, which takes no time, and one before the worker began."""
    rows = []
    for seq, t in enumerate([0.0, *(mark[0] for mark in MARKS)]):
        busy_s = cpu_s(t) + (FOREIGN_CORES + OWN_CORES) * t
        rows.append(
            {
                "seq": seq,
                "trigger": "phase",
                "tiers": 3,
                "t_planned_ns": ns(t),
                "t_start_ns": ns(t),
                "t_end_ns": ns(t),
                "ticks_skipped": 0,
                # The tree was counting before the job: what it held then is not the job's.
                "tree_cpu_ns": 3_000_000_000 + round(cpu_s(t) * 1e9),
                "tree_resident_peak_bytes": 1000 + seq,
                "tree_read_bytes": 500 + 10 * seq,
                "tree_write_bytes": 100 * seq,
                "host_user_ticks": 7_000 + round(busy_s * 100),
                "host_nice_ticks": 0,
                "host_system_ticks": 0,
                "host_irq_ticks": 0,
                "host_softirq_ticks": 0,
                "sampler_cpu_ns": round(OWN_CORES * t * 1e9),
            }
        )
    return rows


def write(folder: Path, **contents: bytes) -> None:
    """The hand-made trial's files; `name=b""` of the stem leaves a file out."""
    files = {
        "events.jsonl": b"".join(json.dumps(event).encode() + b"\n" for event in events()),
        "steps.bin": b"".join(STEP_RECORD.pack(*step) for step in steps()),
        "samples.bin": factories.encode_samples(samples()),
    }
    for name, content in files.items():
        content = contents.get(name.split(".")[0], content)
        if content:
            (folder / name).write_bytes(content)


def outcome(folder: Path, kind: str = "completed") -> TrialOutcome:
    base = factories.make_outcome(folder, factories.make_trial(steps=31), None, kind)
    return replace(base, t_begin_ns=B, t_worker_ns=ns(0.1), t_end_ns=ns(7.0))


def manifest(folder: Path, kind: str = "completed", **changes: Any) -> dict[str, Any]:
    return make_manifest(replace(outcome(folder, kind), **changes), read_trial_folder(folder))


EXPECTED = {
    "training_time_s": 3.0,
    "test_time_s": 0.25,
    "top1_percent": 75.0,
    "top5_percent": 100.0,
    "test_loss": 0.25,
    "average_confidence": 0.875,
    "confidence_deviation": 0.125,
    "confidence_deviation_across_classes": None,
    "loss_difference": -0.25,
    "final_training_loss": 16.0,  # mean of 1..31
    "steps_done": 31,
    "samples_per_s": 64 * 30 / 3.0,
    "achieved_flops_per_s": 64 * 30 / 3.0 * 2 * (2 * 784 * 10),  # forward and weights; images need no gradient
    "step_time_median_s": 0.1,
    "step_time_p95_s": 0.1,
    "data_time_fraction": 0.05,
    "first_step_s": 0.4,
    "import_time_s": 0.8,
    "prepare_time_s": 0.5,
    "build_time_s": 0.5,
    "warm_up_time_s": 1.0,
    "cpu_seconds": 0.8 + 0.25 + 0.5 + 1.0 + 4.0 + 0.5 + 1.5 + 0.25,
    "training_cpu_seconds": 4.0 + 1.5,
    "cores_used_mean": 5.5 / 3.0,
    "cores_used_max": 2.0,
    "peak_memory_bytes": 1010,
    "peak_resident_bytes": 1010,
    "disk_read_bytes": 100,
    "disk_write_bytes": 1000,
    "sampler_cpu_seconds": OWN_CORES * 6.8,
    "overhead_s": 7.0 - 6.6,
    "ticks_skipped": 0,
    # No tick among the samples, no cgroup and no launcher: nothing to be said.
    **dict.fromkeys(("sampling_rate_hz", "sampling_coverage", "lateness_p50_s", "lateness_p99_s")),
    "cpu_disagreement_fraction": None,
    # One job, with no other beside it.
    **dict.fromkeys(("overlap_fraction", "overlap_samples_per_s")),
}


def test_every_key_has_the_value_worked_out_by_hand(tmp_path: Path) -> None:
    write(tmp_path)
    made = manifest(tmp_path)
    found = dict(made["summary"])
    # The host counts in ticks of 10 ms: two train phases have four edges.
    assert found.pop("foreign_cores_mean") == pytest.approx(FOREIGN_CORES, abs=4 * 0.01 / 3.0)
    assert {key: found.pop(key) for key in VALIDATION_KEYS} == dict.fromkeys(VALIDATION_KEYS)
    assert found == pytest.approx(EXPECTED)
    assert set(made["summary"]) == set(SUMMARY_KEYS)
    of_ticks = {key for key, value in EXPECTED.items() if value is None}
    of_phases = {key for key in made["not_measured"] if key.startswith("phases.")}
    assert set(made["not_measured"]) == {"gpu", *VALIDATION_KEYS, *of_ticks, *of_phases}
    told = made["not_measured"]["confidence_deviation_across_classes"]
    assert told == "at step 31: the correct images are of one class"
    assert "phases.cpu_seconds" not in of_phases
    assert made["sources"] == {
        "cpu_seconds": "tree",
        "phases.cpu_seconds": "tree",
        "peak_memory_bytes": "largest_process_vmhwm",
    }


def test_a_cgroup_is_preferred_and_named(tmp_path: Path) -> None:
    rows = samples()
    for row in rows[1:]:
        row["cgroup_cpu_ns"] = round(cpu_s((row["t_start_ns"] - B) / 1e9) * 2e9)
        row["cgroup_memory_peak_bytes"] = 5000
    write(tmp_path, samples=factories.encode_samples(rows))
    made = manifest(tmp_path)
    assert made["sources"] == {
        "cpu_seconds": "cgroup",
        "phases.cpu_seconds": "cgroup",  # the tree says half as much: its word is in doubt
        "peak_memory_bytes": "cgroup",
    }
    # First seen after the worker was requested: all of it is the job's.
    assert made["summary"]["cpu_seconds"] == pytest.approx(2 * EXPECTED["cpu_seconds"])
    assert made["summary"]["peak_memory_bytes"] == 5000
    assert made["summary"]["peak_resident_bytes"] == 1010
    assert made["sampling"]["audit"]["flag"] is True


def test_a_worker_killed_in_training_keeps_what_is_valid(tmp_path: Path) -> None:
    kept = [event for event in events() if event["t_ns"] < ns(5.95)]
    lines = b"".join(json.dumps(event).encode() + b"\n" for event in kept)
    done = [step for step in steps() if step[1] < ns(5.85)]
    write(tmp_path, events=lines, steps=b"".join(STEP_RECORD.pack(*step) for step in done))
    made = manifest(tmp_path, "killed", t_end_ns=ns(6.0))
    summary = made["summary"]
    assert made["termination"]["kind"] == "killed"
    assert summary["steps_done"] == 24
    assert summary["training_time_s"] == pytest.approx(2.5)
    assert summary["samples_per_s"] == pytest.approx(64 * 23 / 2.3), "time after the last recorded step is left out"
    assert summary["top1_percent"] == 50.0
    assert summary["test_time_s"] == pytest.approx(0.5)
    assert made["phases"][-1]["finished"] is False
    assert made["phases"][-1]["end_ns"] == ns(6.0)


def test_the_launcher_knows_when_a_dead_worker_was_gone_and_what_it_used(tmp_path: Path) -> None:
    kept = [event for event in events() if event["t_ns"] < ns(5.95)]
    write(tmp_path, events=b"".join(json.dumps(event).encode() + b"\n" for event in kept), samples=b"")
    lines = [
        {"event": "started", "pid": 7, "t_ns": ns(0.1)},
        {"event": "exit", "pid": 8, "t_ns": ns(0.2)},
        {"event": "exit", "pid": 7, "t_ns": ns(5.75)},
        {"event": "finished", "children_user_s": 1.0, "children_system_s": 0.5, "own_cpu_s": 0.01},
    ]
    (tmp_path / "launcher.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    made = manifest(tmp_path, "killed", t_end_ns=ns(6.0))
    assert made["phases"][-1]["end_ns"] == ns(5.75)
    assert made["summary"]["cpu_seconds"] == 1.5
    assert made["sources"]["cpu_seconds"] == "launcher"
    assert made["summary"]["training_cpu_seconds"] is None


@pytest.mark.parametrize(
    ("keys", "contents"),
    [
        (("step_time_median_s", "samples_per_s", "final_training_loss"), {"steps": b""}),
        (("training_time_s", "import_time_s", "top1_percent", "overhead_s"), {"events": b""}),
        (("cpu_seconds", "peak_memory_bytes", "foreign_cores_mean", "sampler_cpu_seconds"), {"samples": b""}),
        (tuple(SUMMARY_KEYS), {"events": b"", "steps": b"", "samples": b""}),
    ],
)
def test_what_cannot_be_known_is_null_with_a_reason(tmp_path: Path, keys: tuple[str, ...], contents: Any) -> None:
    write(tmp_path, **contents)
    made = manifest(tmp_path, "crashed")
    for key in keys:
        assert made["summary"][key] is None
        assert len(made["not_measured"][key]) > 5
    assert_nulls_have_reasons(made)


def assert_nulls_have_reasons(made: dict[str, Any]) -> None:
    for key, value in made["summary"].items():
        assert (value is None) == (key in made["not_measured"]), key
        assert value is None or (value == value and value not in (-1, float("inf"))), key


@pytest.mark.parametrize("kind", [str(kind) for kind in factories.TerminationKind])
def test_nulls_have_reasons_whatever_the_termination(tmp_path: Path, kind: str) -> None:
    assert_nulls_have_reasons(factories.publish_trial(tmp_path, "torch", 1, kind).manifest)


def test_a_loss_that_is_not_finite_is_no_number(tmp_path: Path) -> None:
    made = factories.publish_trial(tmp_path, "torch", 1, "diverged").manifest
    assert made["summary"]["final_training_loss"] is None
    assert "not finite" in made["not_measured"]["final_training_loss"]


def test_few_steps_have_no_95th_percentile_and_short_training_no_window(tmp_path: Path) -> None:
    trial = factories.make_trial(steps=12, every_steps=100)
    timeline = factories.make_timeline(trial)
    factories.write_trial_folder(tmp_path, trial, timeline)
    made = make_manifest(factories.make_outcome(tmp_path, trial, timeline), read_trial_folder(tmp_path))
    assert made["summary"]["step_time_median_s"] is not None
    assert made["summary"]["step_time_p95_s"] is None and "11 steps" in made["not_measured"]["step_time_p95_s"]
    assert made["summary"]["cores_used_max"] is None and "1 s" in made["not_measured"]["cores_used_max"]
    assert made["summary"]["foreign_cores_mean"] is None


def test_a_phase_left_by_an_error_has_no_duration_of_its_own(tmp_path: Path) -> None:
    made = factories.publish_trial(tmp_path, "torch", 1, "unsupported").manifest
    assert made["summary"]["build_time_s"] is None
    assert made["not_measured"]["build_time_s"] == "the worker ended inside the build phase"


def test_the_word_of_whoever_ran_the_trial_counts(tmp_path: Path) -> None:
    write(tmp_path)
    made = manifest(tmp_path, not_measured={"peak_memory_bytes": "the cgroup was shared", "samples": "died"})
    assert made["summary"]["peak_memory_bytes"] is None
    assert made["not_measured"]["peak_memory_bytes"] == "the cgroup was shared"


def test_the_samplers_own_reasons_are_used(tmp_path: Path) -> None:
    rows = [{key: value for key, value in row.items() if key != "tree_read_bytes"} for row in samples()]
    write(tmp_path, samples=factories.encode_samples(rows))
    report = {"not_measured": {"tree_read_bytes": "/proc/7/io: permission denied"}, "sampler_cpu_seconds": 0.5}
    (tmp_path / "sampler-report.json").write_text(json.dumps(report))
    made = manifest(tmp_path)
    assert made["not_measured"]["disk_read_bytes"] == "/proc/7/io: permission denied"
    assert made["summary"]["sampler_cpu_seconds"] == 0.5


def test_every_key_says_what_it_is() -> None:
    for name, key in SUMMARY_KEYS.items():
        assert key.name == name
        assert key.unit and key.description and key.title
        assert key.better in ("lower", "higher", None)
