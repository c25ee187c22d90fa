"""Failure is part of the job: each way a trial can end, and that nothing stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.errors import EnvironmentFailed
from harness.execution import EnvironmentState, Readiness
from harness.execution.job import gpu_settings
from harness.execution.outcome import TerminationKind as Kind
from harness.execution.stopping import StopRequest
from harness.records import Store
from tests.execution import fake_study
from tests.execution.fake_study import HereEnvironment, only_record, run_study, write_study


def run_one(tmp_path: Path, behaviour: str, **options: object) -> object:
    study = write_study(tmp_path, behaviour=behaviour, **options)  # type: ignore[arg-type]
    run_study(study, tmp_path / "store")
    assert_nothing_left(tmp_path)
    return only_record(tmp_path / "store")


def assert_nothing_left(tmp_path: Path) -> None:
    """No process in the folder, no unfinished trial folder, no cgroup."""
    running = tmp_path / "store" / ".running"
    left = [path.name for path in running.iterdir()] if running.exists() else []
    assert [name for name in left if not name.endswith(".lock")] == []
    for process in psutil.process_iter(["cmdline"]):
        assert str(tmp_path) not in " ".join(process.info["cmdline"] or []), process.info
    left = list(Path("/sys/fs/cgroup").glob(f"**/dlgauge-{os.getpid()}-*"))
    assert left == []


def test_a_good_trial_completes_with_all_its_tables(tmp_path: Path) -> None:
    record = run_one(tmp_path, "")
    assert record.termination == "completed"
    assert record.table("steps").num_rows == 30
    assert record.table("evaluations").column("step").to_pylist() == [10, 20, 30]
    assert record.table("steps").column("loss").to_pylist()[0] == pytest.approx(2.302585, rel=1e-6)
    assert record.summary["top1_percent"] > 50
    assert record.summary["cpu_seconds"] > 0.1
    assert record.manifest["sampling"]["audit"]["flag"] is False


def test_a_trial_without_gpus_is_told_no_other_trials_gpus(tmp_path: Path) -> None:
    record = run_one(tmp_path, "")
    assert record.manifest["not_measured"]["gpu"] == "the trial uses no GPU: its profile has none"


def test_the_sampler_is_told_which_gpus_are_the_trials() -> None:
    one, other = "GPU-0b1c2d3e-0001-0002-0003-0123456789ab", "MIG-0b1c2d3e-0001-0002-0003-0123456789ac"

    def told(gpus: int, visible: str | None) -> dict[str, Any]:
        return gpu_settings({"gpus": gpus, "environment": {"CUDA_VISIBLE_DEVICES": visible} if visible else {}})

    assert told(0, one) == {"gpu": False}
    assert told(2, f"{one}, {other}") == {"gpu": True, "gpu_uuids": [one, other]}
    for unclear in (None, "0,1", f"{one},1", "GPU-0b1c2d3e"):  # a number, or the beginning of a UUID
        assert told(1, unclear) == {"gpu": True, "gpu_uuids": None}


@pytest.mark.parametrize(
    ("behaviour", "kind", "reason"),
    [
        ("raise", Kind.CRASHED, "RuntimeError: the framework is unhappy"),
        ("exit", Kind.CRASHED, "exited with status 3"),
        ("segfault", Kind.CRASHED, "SIGSEGV"),
        ("killed", Kind.KILLED, "SIGKILL"),
        ("garbage", Kind.CRASHED, "not the protocol: events.jsonl line"),
        ("silent_start", Kind.CRASHED, "without saying that it was done"),
        ("import_error", Kind.ENVIRONMENT_FAILED, "cannot be imported: libfake.so.1"),
        ("unsupported", Kind.UNSUPPORTED, "layer kind 'lrn': fake has none"),
        (
            "other_threads",
            Kind.PROFILE_NOT_IN_FORCE,
            "threads.inter_op: wanted 1, found nothing: it cannot be verified; threads.intra_op: wanted 1, found 2",
        ),
        ("unknown_precision", Kind.PROFILE_NOT_IN_FORCE, "precision: wanted float32, found nothing"),
        ("diverge", Kind.DIVERGED, "loss was nan at step 7"),
    ],
)
def test_every_end_has_its_word_and_its_reason(tmp_path: Path, behaviour: str, kind: Kind, reason: str) -> None:
    record = run_one(tmp_path, behaviour)
    assert record.termination == kind
    assert reason in record.manifest["termination"]["reason"]


def test_the_log_s_last_lines_are_in_the_record(tmp_path: Path) -> None:
    record = run_one(tmp_path, "exit")
    assert record.log_tail()[-1] == "giving up"


def test_steps_before_a_crash_are_kept(tmp_path: Path) -> None:
    record = run_one(tmp_path, "diverge")
    losses = record.table("steps").column("loss").to_pylist()
    assert len(losses) == 7
    assert losses[5] == losses[5] and losses[6] != losses[6]


def test_a_hanging_trial_is_ended_at_the_time_limit(tmp_path: Path) -> None:
    record = run_one(tmp_path, "hang", time_limit="3 s")
    assert record.termination == "timed_out"
    assert "time limit of 3 s" in record.manifest["termination"]["reason"]
    assert 3 <= (record.manifest["t_end_ns"] - record.manifest["t_worker_ns"]) / 1e9 < 8


@pytest.mark.parametrize("behaviour", ["orphan", "double_fork"])
def test_processes_that_the_worker_leaves_behind_are_ended_and_do_not_disturb(tmp_path: Path, behaviour: str) -> None:
    record = run_one(tmp_path, behaviour)
    assert record.termination == "completed"


def test_a_record_names_what_is_in_force(tmp_path: Path) -> None:
    record = run_one(tmp_path, "", profile={"environment": {"MINE": "1"}})
    found = {key["key"]: key["found"] for key in record.manifest["profile_in_force"]}
    assert set(found) >= {"cpus", "gpus", "threads.intra_op", "threads.inter_op", "framework version", "precision"}
    assert (found["environment.MINE"], found["precision"], found["gpus"]) == ("1", "float32", [])


def need_memory_cgroup() -> None:
    if not os.access("/sys/fs/cgroup/memory", os.W_OK) and not os.access(
        "/sys/fs/cgroup/cgroup.subtree_control", os.W_OK
    ):
        pytest.skip("no writable memory cgroup on this machine: a memory limit cannot be set for a venv")


@pytest.mark.parametrize("behaviour", ["memory", "child_memory"])
def test_a_memory_limit_is_kept_and_named_with_the_peak(tmp_path: Path, behaviour: str) -> None:
    """Also where it is a child that the kernel ends, and the worker tells only of an error."""
    need_memory_cgroup()
    limit = 600 << 20
    record = run_one(tmp_path, behaviour, profile={"memory": "600 MiB"})
    assert record.termination == "out_of_memory"
    in_force = {key["key"]: key["found"] for key in record.manifest["profile_in_force"]}
    assert (in_force["memory"], in_force["memory.swap"]) == (limit, 0)
    reason = record.manifest["termination"]["reason"]
    assert f"memory limit of {limit} bytes" in reason
    peak = int(reason.partition("a peak of ")[2].split()[0])
    assert 0.9 * limit < peak <= limit


def test_larger_batches_of_a_cell_that_ran_out_of_memory_are_skipped(tmp_path: Path) -> None:
    need_memory_cgroup()
    store, small = tmp_path / "store", {"memory": "600 MiB"}

    def run(batch_size: int, **options: Any) -> list[Kind]:
        return run_study(
            write_study(tmp_path, behaviour="memory", batch_size=batch_size, profile=small), store, **options
        ).ran

    assert run(64) == [Kind.OUT_OF_MEMORY]
    assert run(128) == [Kind.SKIPPED]
    trial = Store(store).records()[0].id
    reason = Store(store).records()[-1].manifest["termination"]["reason"]
    assert reason == f"larger than one that ran out of memory (trial {trial})"
    assert run(128) == []
    assert run(32) == [Kind.OUT_OF_MEMORY]
    assert run(128, again=True) == [Kind.OUT_OF_MEMORY]


def test_other_trials_go_on_after_one_is_killed(tmp_path: Path) -> None:
    study = write_study(tmp_path, behaviour="killed", seeds=3)
    result = run_study(study, tmp_path / "store")
    assert [str(kind) for kind in result.ran] == ["killed"] * 3
    assert result.failures == 3
    assert len(Store(tmp_path / "store").records()) == 3


def test_only_what_has_no_final_record_runs_again(tmp_path: Path) -> None:
    store = tmp_path / "store"
    run_study(write_study(tmp_path, seeds=2), store)
    second = run_study(write_study(tmp_path, seeds=3), store)
    assert (second.skipped, len(second.ran)) == (2, 1)
    again = run_study(write_study(tmp_path, seeds=3), store, again=True)
    assert (again.skipped, len(again.ran)) == (0, 3)
    assert len(Store(store).records(latest=False)) == 6
    assert len(Store(store).records()) == 3


def test_a_failed_trial_is_tried_again(tmp_path: Path) -> None:
    class Sick(HereEnvironment):
        def launch(self, *_: object) -> object:  # type: ignore[override]
            raise EnvironmentFailed("the engine went away")

    study, store = write_study(tmp_path), tmp_path / "store"
    assert run_study(study, store, environment=Sick).ran == [Kind.ENVIRONMENT_FAILED]
    assert only_record(store).manifest["termination"]["reason"] == "the engine went away"
    assert run_study(study, store).ran == [Kind.COMPLETED]
    assert only_record(store).repetition == 2


def test_an_environment_that_cannot_be_prepared_fails_its_trials_with_the_reason(tmp_path: Path) -> None:
    class Unpreparable(HereEnvironment):
        def state(self) -> EnvironmentState:
            return EnvironmentState(Readiness.NOT_PREPARED, "not made yet")

        def prepare(self, say: object) -> None:
            raise EnvironmentFailed("no wheel of fake 1.0", where="requirements.txt", hint="try another Python")

    result = run_study(write_study(tmp_path), tmp_path / "store", environment=Unpreparable)
    assert result.ran == [Kind.ENVIRONMENT_FAILED]
    record = only_record(tmp_path / "store")
    assert "no wheel of fake 1.0" in record.manifest["termination"]["reason"]
    assert any("try another Python" in line for line in record.log_tail())


def start_in_background(study: Path, store: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", fake_study.__name__, str(study), str(store)],
        cwd=Path(__file__).parent.parent.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not list(store.glob(".running/*/steps.bin")):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
        time.sleep(0.05)
    time.sleep(1.2)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_study_keeps_a_cancelled_record_and_is_picked_up(tmp_path: Path, number: signal.Signals) -> None:
    study, store = write_study(tmp_path, behaviour="slow", seeds=2, steps=100), tmp_path / "store"
    process = start_in_background(study, store)
    process.send_signal(number)
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    assert "True" in output.splitlines()[-1], output
    assert_nothing_left(tmp_path)
    record = only_record(store)
    assert record.termination == "cancelled"
    assert record.table("steps").num_rows > 0
    result = run_study(study, store)
    assert [str(kind) for kind in result.ran] == ["completed", "completed"]


def test_a_killed_harness_leaves_no_process_and_the_next_run_cleans_up(tmp_path: Path) -> None:
    study, store = write_study(tmp_path, behaviour="slow", steps=400), tmp_path / "store"
    process = start_in_background(study, store)
    process.kill()
    process.communicate(timeout=30)
    deadline = time.monotonic() + 10
    while any(str(store) in " ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])):
        assert time.monotonic() < deadline, "a process of the trial outlives the harness"
        time.sleep(0.1)
    assert list(store.glob(".running/*"))
    result = run_study(write_study(tmp_path, steps=30), store)
    assert result.ran == [Kind.COMPLETED]
    assert_nothing_left(tmp_path)


def test_a_cancelled_repetition_does_not_hide_a_result(tmp_path: Path) -> None:
    store, study = tmp_path / "store", write_study(tmp_path)
    run_study(study, store)
    stop = StopRequest()
    with stop.noting():
        stop.ask()
    result = run_study(study, store, again=True, stop=stop)
    assert result.cancelled
    assert [r.termination for r in Store(store).records(latest=False)] == ["completed", "cancelled"]
    assert only_record(store).termination == "completed"


def test_a_study_that_failed_before_says_so_again(tmp_path: Path) -> None:
    study, store = write_study(tmp_path, behaviour="diverge"), tmp_path / "store"
    assert run_study(study, store).failures == 1
    second = run_study(study, store)
    assert (second.ran, second.skipped, second.failures) == ([], 1, 1)


def test_a_store_whose_path_holds_a_colon_and_spaces(tmp_path: Path) -> None:
    run_study(write_study(tmp_path), tmp_path / "a store: mine")
    assert only_record(tmp_path / "a store: mine").termination == "completed"


def test_a_sampler_that_dies_costs_the_samples_and_not_the_trial(tmp_path: Path) -> None:
    class KillsSampler(HereEnvironment):
        def launch(self, *arguments: Any) -> Any:
            for process in psutil.process_iter(["cmdline"]):
                if (
                    "harness.sampling" in (process.info["cmdline"] or [])
                    and str(tmp_path) in process.info["cmdline"][-1]
                ):
                    process.kill()
                    process.wait(10)
            return super().launch(*arguments)

    run_study(write_study(tmp_path), tmp_path / "store", environment=KillsSampler)
    record = only_record(tmp_path / "store")
    assert record.termination == "completed"
    assert record.summary["cores_used_mean"] is None
    assert "sampler" in record.not_measured["cores_used_mean"]
    assert record.summary["training_time_s"] > 0
