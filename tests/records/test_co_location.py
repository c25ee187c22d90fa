"""The record of jobs side by side, on made-up timelines: overlap, throughput and load have values known beforehand."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.execution.outcome import JobOutcome, TrialOutcome
from harness.execution.outcome_file import read_outcome, write_end
from harness.execution.side_by_side import job_folder
from harness.records import Record, Store, new_trial_folder, publish
from harness.records.overlap import ALONE
from harness.study.trial import Trial
from tests import factories
from tests.factories import SECOND_NS, Timeline

Row = dict[str, Any]
STEP_S = {1: factories.STEP_S["caffe"], 2: factories.STEP_S["torch"]}
STEPS = {1: 400, 2: 500}
LATER_NS = 1_234_567_890


@pytest.fixture(autouse=True)
def half_as_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two jobs fit the two cores of the synthetic host."""
    for phase, cores in dict(factories.CORES).items():
        monkeypatch.setitem(factories.CORES, phase, cores / 2)


def co_located(cores: str = "shared", jobs: int = 2) -> Trial:
    trial = factories.make_trial("caffe", steps=STEPS[1], every_steps=STEPS[1], varied={"jobs": jobs, "cores": cores})
    placed = {**trial.specification, "co_location": {"jobs": jobs, "cores": cores}}
    return trial.model_copy(update={"specification": placed})


def timelines(later_ns: int = LATER_NS) -> dict[int, Timeline]:
    """The jobs' timelines: the second one is faster and all of it is later."""
    first = factories.make_timeline(co_located(), jitter=0.0)
    other = factories.make_trial("torch", steps=STEPS[2], every_steps=STEPS[2])
    second = factories.make_timeline(other, jitter=0.0)
    second.marks = [(t_ns + later_ns, phase, step) for t_ns, phase, step in second.marks]
    second.events = [{**event, "t_ns": event["t_ns"] + later_ns} for event in second.events]
    second.steps = [(step[0], step[1] + later_ns, *step[2:]) for step in second.steps]
    second.end_ns += later_ns
    return {1: first, 2: second}


def train_window(timeline: Timeline) -> tuple[int, int]:
    begin = next(t_ns for t_ns, phase, _ in timeline.marks if phase == "train")
    return begin, next(t_ns for t_ns, phase, _ in timeline.marks if phase == "evaluate")


def outcome_of(
    store: Path, trial: Trial, made: dict[int, Timeline], change: Callable[[Row], Row] = lambda row: row
) -> TrialOutcome:
    """A trial of two jobs, each with its files; the host was busy with both of them and their samplers."""
    folder = new_trial_folder(store, trial.id)
    used = {job: factories.job_cpu_ns(timeline) for job, timeline in made.items()}
    for job, timeline in made.items():
        own, other = job_folder(folder, job), 3 - job
        own.mkdir(parents=True, exist_ok=True)
        factories.write_trial_folder(own, trial, timeline)
        rows = factories.make_samples(timeline, cgroup=True, resident_bytes=job * 100 * factories.MIB)
        beside = [_with_neighbour(row, used[other]) for row in rows]
        (own / "samples.bin").write_bytes(factories.encode_samples([change(row) for row in beside]))
    end = factories.make_termination("completed")
    jobs = tuple(
        JobOutcome(job, (0, 1), end, factories.worker_began_ns(), timeline.end_ns) for job, timeline in made.items()
    )
    return replace(factories.make_outcome(folder, trial, made[1]), jobs=jobs)


def _with_neighbour(row: Row, cpu: Callable[[int], int]) -> Row:
    since_ns = row["t_start_ns"] - factories.T_BEGIN_NS
    busy = int((cpu(row["t_start_ns"]) + factories.SAMPLER_CORES * since_ns) / 1e7)
    return {
        **row,
        "host_user_ticks": row["host_user_ticks"] + busy,
        "host_idle_ticks": row["host_idle_ticks"] - busy,
    }


def published(store: Path, cores: str = "shared", **changes: Any) -> Record:
    return publish(outcome_of(store, co_located(cores), timelines(), **changes), store)


def test_overlap_and_throughput_of_the_common_window(tmp_path: Path) -> None:
    made = timelines()
    (begin_1, end_1), (begin_2, end_2) = train_window(made[1]), train_window(made[2])
    window_ns = min(end_1, end_2) - max(begin_1, begin_2)
    assert 0 < window_ns < min(end_1 - begin_1, end_2 - begin_2)
    record = published(tmp_path)
    section = record.co_location
    assert section["window_s"] == pytest.approx(window_ns / 1e9)
    assert section["start_spread_s"] == pytest.approx((begin_2 - begin_1) / 1e9)
    assert record.summary["overlap_fraction"] == pytest.approx(window_ns / (end_1 - begin_1))
    assert section["by_job"][1]["overlap_fraction"] == pytest.approx(window_ns / (end_2 - begin_2))
    rates = [64 / STEP_S[1], 64 / STEP_S[2]]
    for job, rate in zip(section["by_job"], rates, strict=True):
        assert job["overlap_samples_per_s"] == pytest.approx(rate, rel=1e-6)
        assert job["samples_per_s"] == pytest.approx(rate, rel=1e-6)
    assert record.summary["overlap_samples_per_s"] == pytest.approx(sum(rates) / 2, rel=1e-6)


def test_neighbours_are_no_foreign_load_and_are_told(tmp_path: Path) -> None:
    made = timelines()
    record = published(tmp_path)
    assert record.summary["foreign_cores_mean"] == pytest.approx(factories.FOREIGN_CORES, abs=0.01)
    assert record.other_jobs()[0].summary["foreign_cores_mean"] == pytest.approx(factories.FOREIGN_CORES, abs=0.01)
    assert record.manifest["disturbances"] == []
    begin_ns, end_ns = train_window(made[1])
    cpu = factories.job_cpu_ns(made[2])
    used = (cpu(end_ns) - cpu(begin_ns)) / (end_ns - begin_ns) + factories.SAMPLER_CORES
    assert record.co_location["neighbour_cores_mean"] == pytest.approx(used, rel=0.02)


def test_foreign_load_beside_the_neighbours_is_still_found(tmp_path: Path) -> None:
    def busier(row: Row) -> Row:
        more = int(0.2 * (row["t_start_ns"] - factories.T_BEGIN_NS) / 1e7)
        return {**row, "host_user_ticks": row["host_user_ticks"] + more}

    record = published(tmp_path, change=busier)
    assert record.summary["foreign_cores_mean"] == pytest.approx(factories.FOREIGN_CORES + 0.2, abs=0.01)
    assert "foreign_cpu_mean" in {one["signal"] for one in record.manifest["disturbances"]}


@pytest.mark.parametrize(("cores", "flagged"), [("shared", False), ("split", True)])
def test_waiting_for_shared_cpus_is_what_is_measured(tmp_path: Path, cores: str, flagged: bool) -> None:
    def pressed(row: Row) -> Row:
        return {**row, "cgroup_pressure_cpu_some_us": int(0.4 * (row["t_start_ns"] - factories.T_BEGIN_NS) / 1e3)}

    record = published(tmp_path, cores, change=pressed)
    assert record.co_location["cpu_pressure"] == pytest.approx(0.4, rel=0.05)
    assert ("cpu_pressure" in {one["signal"] for one in record.manifest["disturbances"]}) == flagged


def test_a_neighbour_without_samples_leaves_a_reason(tmp_path: Path) -> None:
    outcome = outcome_of(tmp_path, co_located(), timelines())
    (job_folder(outcome.folder, 2) / "samples.bin").unlink()
    record = publish(outcome, tmp_path)
    why = "the CPU time of a job beside it was not sampled"
    assert record.summary["foreign_cores_mean"] is None
    assert record.not_measured["foreign_cores_mean"] == why
    assert record.co_location["neighbour_cores_mean"] is None
    assert record.co_location["not_measured"]["neighbour_cores_mean"] == why
    assert record.summary["overlap_fraction"] > 0


def test_jobs_that_never_trained_together_have_no_common_throughput(tmp_path: Path) -> None:
    made = timelines(60 * SECOND_NS)
    record = publish(outcome_of(tmp_path, co_located(), made), tmp_path)
    assert record.summary["overlap_fraction"] == 0
    assert record.summary["overlap_samples_per_s"] is None
    assert record.not_measured["overlap_samples_per_s"] == "the jobs never trained at the same time"
    assert record.co_location["by_job"][0]["not_measured"]["overlap_samples_per_s"]


def test_a_trial_that_never_started_says_so(tmp_path: Path) -> None:
    folder = new_trial_folder(tmp_path, "ab")
    record = publish(factories.make_outcome(folder, co_located(), None, "environment_failed"), tmp_path)
    assert record.co_location["by_job"] == []
    assert record.co_location["not_measured"]["by_job"] == "no job was started"
    assert record.not_measured["overlap_fraction"] == "1 of 2 jobs left anything behind"


def test_every_file_of_every_job_is_sealed(tmp_path: Path) -> None:
    record = published(tmp_path)
    (other,) = record.other_jobs()
    assert record.verify() == []
    assert "jobs/2/steps.parquet" in record.manifest["files"] and "jobs/2/manifest.json" in record.manifest["files"]
    (other.path / "manifest.json").chmod(0o644)
    content = json.loads((other.path / "manifest.json").read_text())
    (other.path / "manifest.json").write_text(json.dumps({**content, "label": "changed"}))
    assert len(record.verify()) == 1 and "jobs/2/manifest.json" in record.verify()[0]


def test_one_record_a_trial_for_every_query(tmp_path: Path) -> None:
    import harness

    published(tmp_path)
    factories.publish_trial(tmp_path)
    assert len(Store(tmp_path).records()) == 2
    steps = harness.load(tmp_path, "steps")
    assert (steps["trial"] == co_located().id).sum() == STEPS[1]


def test_the_ends_of_all_jobs_survive_in_the_trial_folder(tmp_path: Path) -> None:
    outcome = outcome_of(tmp_path, co_located(), timelines())
    write_end(outcome)
    kept = read_outcome(outcome.folder)
    assert kept is not None and kept.ended
    assert kept.outcome == outcome


def test_a_record_of_version_5_was_of_one_job(tmp_path: Path) -> None:
    record = factories.publish_trial(tmp_path)
    path = record.path / "manifest.json"
    content = json.loads(path.read_text())
    for key in ("overlap_fraction", "overlap_samples_per_s"):
        assert content["summary"].pop(key) is None
        assert content["not_measured"].pop(key) == ALONE
    path.chmod(0o644)
    path.write_text(json.dumps({**content, "schema_version": 5}))
    (read,) = Store(tmp_path).records()
    assert read.summary["overlap_fraction"] is None and read.not_measured["overlap_fraction"] == ALONE
    assert math.isfinite(read.summary["samples_per_s"] or math.nan)
