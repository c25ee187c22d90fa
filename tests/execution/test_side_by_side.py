"""Several jobs in one trial, as real processes: they begin together, end together, and leave one record."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.execution.outcome import TerminationKind as Kind
from harness.records import Record, Store
from tests.execution.fake_study import only_record, run_study, write_study
from tests.execution.test_failures import assert_nothing_left, need_memory_cgroup, start_in_background

TWO = {"jobs": 2, "cores": "shared"}


def run_two(tmp_path: Path, **options: Any) -> Record:
    run_study(write_study(tmp_path, co_location=TWO, **options), tmp_path / "store")
    assert_nothing_left(tmp_path)
    return only_record(tmp_path / "store")


def one_misbehaves(behaviour: str, others: str = "slow", **more: str) -> dict[str, Any]:
    """A profile under which the second job behaves like this and the first trains slowly."""
    return {"environment": {"FAKE_BEHAVIOUR": behaviour, "FAKE_JOB": "2", "FAKE_OTHERS": others}, **more}


def events_of(record: Record, name: str) -> list[int]:
    table = record.table("events")
    rows = zip(table.column("event").to_pylist(), table.column("t_ns").to_pylist(), strict=True)
    return [t_ns for event, t_ns in rows if event == name]


def first_train_ns(record: Record) -> int:
    return next(phase["begin_ns"] for phase in record.phases if phase["phase"] == "train")


def ends(record: Record) -> list[tuple[str, str | None]]:
    jobs = record.co_location["by_job"]
    return [(job["termination"]["kind"], job["termination"]["reason"]) for job in jobs]


def test_two_jobs_leave_one_record_with_both_in_it(tmp_path: Path) -> None:
    record = run_two(tmp_path, behaviour="slow")
    assert record.termination == "completed"
    (other,) = record.other_jobs()
    assert other.path == record.path / "jobs" / "2"
    assert record.verify() == [] and other.verify() == []
    assert other.id == record.id and other.label.endswith("job 2 of 2")
    assert [one.table("steps").num_rows for one in (record, other)] == [30, 30]
    assert record.table("steps").column("loss").to_pylist() == other.table("steps").column("loss").to_pylist()
    assert len(Store(tmp_path / "store").records(latest=False)) == 1
    assert ends(record) == [("completed", None)] * 2
    assert [job["folder"] for job in record.co_location["by_job"]] == [None, "jobs/2"]


def test_no_job_trains_before_all_are_ready(tmp_path: Path) -> None:
    """The second one takes long to become ready."""
    record = run_two(tmp_path, profile=one_misbehaves("late_ready"))
    jobs = [record, *record.other_jobs()]
    last_ready_ns = max(events_of(one, "ready")[0] for one in jobs)
    assert all(first_train_ns(one) > last_ready_ns for one in jobs)
    waited = [job["waited_s"] for job in record.co_location["by_job"]]
    assert waited[0] > 0.9 and waited[0] > waited[1] + 0.5
    warm_up = next(phase for phase in record.phases if phase["phase"] == "warm_up")
    assert record.summary["warm_up_time_s"] == pytest.approx(warm_up["duration_s"] - waited[0])


def test_the_overlap_is_told(tmp_path: Path) -> None:
    record = run_two(tmp_path, behaviour="slow", steps=60)
    section = record.co_location
    assert (section["jobs"], section["cores"], section["job"]) == (2, "shared", 1)
    assert 0.3 < record.summary["overlap_fraction"] <= 1
    of_each = [job["overlap_samples_per_s"] for job in section["by_job"]]
    assert record.summary["overlap_samples_per_s"] == pytest.approx(sum(of_each) / 2)
    assert record.specification["co_location"] == TWO
    assert record.varied == TWO


def test_an_ordinary_trial_has_nothing_of_it(tmp_path: Path) -> None:
    run_study(write_study(tmp_path), tmp_path / "store")
    record = only_record(tmp_path / "store")
    assert record.co_location is None and "co_location" not in record.specification
    assert not (record.path / "jobs").exists() and record.other_jobs() == []
    assert not events_of(record, "ready")
    assert record.not_measured["overlap_fraction"] == "the trial is one job, with no other beside it"


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="split cores take two CPUs")
def test_on_split_cores_each_job_is_held_to_its_own_cpus(tmp_path: Path) -> None:
    cpus = sorted(os.sched_getaffinity(0))[:2]
    profile = {"cpus": 2, "threads": {"intra_op": 2, "inter_op": 1}}
    study = write_study(tmp_path, co_location={"jobs": 2, "cores": "split"}, profile=profile)
    run_study(study, tmp_path / "store")
    record = only_record(tmp_path / "store")
    assert record.termination == "completed"
    for one, cpu in zip([record, *record.other_jobs()], cpus, strict=True):
        in_force = {key["key"]: key["found"] for key in one.manifest["profile_in_force"]}
        assert (in_force["cpus"], in_force["threads.intra_op"]) == ([cpu], 1)
    assert [job["cpus"] for job in record.co_location["by_job"]] == [[cpu] for cpu in cpus]
    assert record.specification["profile"]["cpus"] == cpus


def test_a_job_that_fails_ends_the_others_and_names_itself(tmp_path: Path) -> None:
    record = run_two(tmp_path, profile=one_misbehaves("raise"), steps=400)
    assert record.termination == "crashed"
    reason = record.manifest["termination"]["reason"]
    assert reason == "job 2 of 2: RuntimeError: the framework is unhappy"
    assert ends(record) == [
        ("cancelled", "ended because job 2 of 2 ended crashed"),
        ("crashed", "RuntimeError: the framework is unhappy"),
    ]
    assert 0 < record.table("steps").num_rows < 400
    assert record.other_jobs()[0].log_tail()


def test_a_job_that_fails_before_the_start_does_not_leave_the_others_waiting(tmp_path: Path) -> None:
    record = run_two(tmp_path, profile=one_misbehaves("import_error"))
    assert record.termination == "environment_failed"
    assert record.manifest["termination"]["reason"].startswith("job 2 of 2: the framework cannot be imported")
    assert not any(phase["phase"] == "train" for phase in record.phases)
    reasons = record.not_measured
    assert reasons["overlap_fraction"] == "job 1 had no train phase"


def test_the_memory_limit_is_each_job_s_own(tmp_path: Path) -> None:
    need_memory_cgroup()
    record = run_two(tmp_path, profile=one_misbehaves("memory", memory="600 MiB"), steps=2000)
    assert record.termination == "out_of_memory"
    limit = 600 << 20
    assert record.manifest["termination"]["reason"].startswith(
        f"job 2 of 2: the kernel ended a process of the trial at the memory limit of {limit} bytes"
    )
    assert [kind for kind, _ in ends(record)] == ["cancelled", "out_of_memory"]
    assert record.co_location["by_job"][0]["peak_memory_bytes"] < limit / 2


def test_the_time_limit_ends_all_of_them(tmp_path: Path) -> None:
    record = run_two(tmp_path, behaviour="hang", time_limit="4 s")
    assert record.termination == "timed_out"
    assert [kind for kind, _ in ends(record)] == ["timed_out"] * 2


def test_a_completed_trial_is_not_run_again(tmp_path: Path) -> None:
    store = tmp_path / "store"
    study = write_study(tmp_path, co_location=TWO, seeds=2)
    assert run_study(study, store).ran == [Kind.COMPLETED] * 2
    assert (run_study(study, store).ran, run_study(study, store).skipped) == ([], 2)


def test_ctrl_c_ends_all_jobs_and_the_next_run_picks_up(tmp_path: Path) -> None:
    study, store = write_study(tmp_path, behaviour="slow", co_location=TWO, steps=100), tmp_path / "store"
    process = start_in_background(study, store)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert "True" in output.splitlines()[-1], output
    assert_nothing_left(tmp_path)
    record = only_record(store)
    assert record.termination == "cancelled"
    assert ends(record) == [("cancelled", "stopped by the user")] * 2
    assert run_study(study, store).ran == [Kind.COMPLETED]
    assert only_record(store).repetition == 2
    assert only_record(store).other_jobs()[0].repetition == 2


def test_a_killed_harness_takes_all_jobs_along_and_its_trial_becomes_a_record_of_all(tmp_path: Path) -> None:
    study, store = write_study(tmp_path, behaviour="slow", co_location=TWO, steps=400), tmp_path / "store"
    process = start_in_background(study, store)
    process.kill()
    process.communicate(timeout=60)
    deadline = time.monotonic() + 20
    while any(str(store) in " ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])):
        assert time.monotonic() < deadline, "a process of the trial outlives the harness"
        time.sleep(0.1)
    run_study(write_study(tmp_path, steps=30), store)
    assert_nothing_left(tmp_path)
    killed = next(one for one in Store(store).records(latest=False) if one.termination == "killed")
    assert ends(killed) == [("killed", "the harness was killed")] * 2
    assert all(one.table("steps").num_rows > 0 for one in (killed, *killed.other_jobs()))
    assert killed.verify() == []
