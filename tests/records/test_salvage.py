"""What a killed harness left becomes records (validity suite V12)."""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from harness.execution.container_launch import LABEL
from harness.execution.outcome import TerminationKind
from harness.execution.outcome_file import KILLED_WITH_HARNESS, OUTCOME_FILE, read_outcome, write_end, write_start
from harness.records import Store, keep_abandoned, new_trial_folder
from harness.records.running import OWNER_FILE, RUNNING_FOLDER, UNOWNED_GRACE_S, UNPUBLISHED_FOLDER
from harness.records.salvage import Salvaged
from tests import factories
from tests.execution.fake_study import only_record, run_study, write_study
from tests.execution.test_failures import assert_nothing_left, start_in_background

SECOND_NS = 10**9


def orphaned(folder: Path) -> Path:
    """The folder as if its owner had died."""
    owner = json.loads((folder / OWNER_FILE).read_text())
    (folder / OWNER_FILE).write_text(json.dumps({**owner, "start_ticks": 1}))
    return folder


def left_behind(store: Path, *, started: bool = True) -> Path:
    """A trial cut down in its midst with its harness, as files."""
    outcome = factories.ended_trial(store, factories.make_trial(), "killed")
    if started:
        write_start(
            outcome.folder,
            outcome.trial,
            outcome.started_at,
            outcome.host,
            outcome.environment,
            outcome.clock_anchors["begin"],
            {"before": {"compute_s": 0.001, "memory_s": 0.002}},
            {},
        )
    return orphaned(outcome.folder)


def test_a_trial_whose_harness_died_is_a_killed_record(tmp_path: Path) -> None:
    folder = left_behind(tmp_path)
    (record,) = keep_abandoned(tmp_path).records
    assert record.manifest["termination"]["kind"] == TerminationKind.KILLED
    assert record.manifest["termination"]["reason"] == KILLED_WITH_HARNESS
    assert record.manifest["termination"]["signal"] == 9
    assert not folder.exists()
    trial, timeline = factories.make_trial(), factories.make_timeline(factories.make_trial())
    factories.end_timeline(timeline, "killed")
    assert record.id == trial.id and record.specification == trial.specification and record.label == trial.label
    assert record.summary["steps_done"] == len(timeline.steps)
    assert record.manifest["t_worker_ns"] == factories.worker_began_ns()
    assert record.manifest["phases"][-1]["end_ns"] == timeline.end_ns
    assert timeline.end_ns <= record.manifest["t_end_ns"] <= timeline.end_ns + SECOND_NS
    assert record.manifest["phase_sums"]["cpu_seconds"]["difference"] == pytest.approx(0.0, abs=1e-9)
    assert record.manifest["canary"] == {"before": {"compute_s": 0.001, "memory_s": 0.002}}
    assert record.not_measured["canary"] == "the harness was killed before the canary after the worker"
    assert record.verify() == []
    assert not Store(tmp_path).finished(trial)
    assert keep_abandoned(tmp_path).records == []


@pytest.mark.parametrize("name", ["samples.bin", "events.jsonl", "steps.bin", "launcher.jsonl", "sampler-report.json"])
@pytest.mark.parametrize("cut", [0.0, 0.6])
def test_whatever_is_cut_or_missing_a_record_comes_out(tmp_path: Path, name: str, cut: float) -> None:
    path = left_behind(tmp_path) / name
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * cut)])
    (record,) = keep_abandoned(tmp_path).records
    assert record.termination == "killed"
    for key, value in record.summary.items():
        assert (value is None) == (key in record.not_measured)


def test_a_trial_that_had_ended_keeps_its_end(tmp_path: Path) -> None:
    outcome = factories.ended_trial(tmp_path, factories.make_trial(), "diverged")
    write_end(outcome)
    kept = read_outcome(outcome.folder)
    assert kept is not None and kept.ended and kept.outcome == outcome
    orphaned(outcome.folder)
    (record,) = keep_abandoned(tmp_path).records
    assert record.termination == "diverged"
    assert record.manifest["t_end_ns"] == outcome.t_end_ns


def test_a_folder_whose_record_is_there_already_is_only_removed(tmp_path: Path) -> None:
    outcome = factories.ended_trial(tmp_path, factories.make_trial())
    write_end(outcome)
    orphaned(outcome.folder)
    kept = [(path.name, path.read_bytes()) for path in outcome.folder.iterdir()]
    assert len(keep_abandoned(tmp_path).records) == 1
    outcome.folder.mkdir()
    for name, content in kept:
        (outcome.folder / name).write_bytes(content)
    found = keep_abandoned(tmp_path)
    assert (found.records, found.removed) == ([], [outcome.folder])
    assert len(Store(tmp_path).records(latest=False)) == 1


def test_without_a_word_of_the_trial_there_is_nothing_to_keep(tmp_path: Path) -> None:
    folder = orphaned(new_trial_folder(tmp_path, "0123456789abcdef"))
    for name in ("samples.bin", "launcher.jsonl"):
        (folder / name).write_bytes(b"")
    found = keep_abandoned(tmp_path)
    assert (found.records, found.removed, found.unreadable) == ([], [folder], [])
    assert not folder.exists()


@pytest.mark.parametrize("name", ["samples.bin", "events.jsonl", "steps.bin"])
def test_what_was_measured_is_never_removed_for_want_of_a_word_of_the_trial(tmp_path: Path, name: str) -> None:
    folder = left_behind(tmp_path, started=False)
    content = (folder / name).read_bytes()
    for path in folder.iterdir():
        if path.name not in (name, OWNER_FILE):
            path.unlink()
    found = keep_abandoned(tmp_path)
    (kept,) = found.unreadable
    assert (found.records, found.removed) == ([], [])
    assert kept == tmp_path / UNPUBLISHED_FOLDER / folder.name and not folder.exists()
    assert content and (kept / name).read_bytes() == content
    assert keep_abandoned(tmp_path) == Salvaged()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"ended": false, "termination": {"kind": "lunch"}}', "\0"])
def test_a_garbled_outcome_is_no_outcome(tmp_path: Path, content: str) -> None:
    folder = left_behind(tmp_path)
    (folder / OUTCOME_FILE).write_text(content)
    assert read_outcome(folder) is None
    found = keep_abandoned(tmp_path)
    assert (found.records, found.removed) == ([], [])
    (kept,) = found.unreadable
    assert (kept / OUTCOME_FILE).read_text() == content and (kept / "samples.bin").stat().st_size > 0


def test_an_outcome_is_on_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = factories.ended_trial(tmp_path, factories.make_trial())
    order: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda _: order.append("synced"))
    monkeypatch.setattr(Path, "replace", lambda *_: order.append("named"))
    write_end(outcome)
    assert order == ["synced", "named"]


def test_a_running_trial_is_left_alone(tmp_path: Path) -> None:
    folder = new_trial_folder(tmp_path, "0123456789abcdef")
    assert keep_abandoned(tmp_path).removed == []
    assert json.loads((folder / OWNER_FILE).read_text())["pid"] == os.getpid()


def test_another_machine_s_trial_is_left_alone(tmp_path: Path) -> None:
    folder = new_trial_folder(tmp_path, "0123456789abcdef")
    owner = json.loads((folder / OWNER_FILE).read_text())
    (folder / OWNER_FILE).write_text(json.dumps({**owner, "host": "elsewhere", "boot_id": "x"}))
    assert keep_abandoned(tmp_path).removed == []


def test_a_folder_without_owner_is_given_time(tmp_path: Path) -> None:
    folder = tmp_path / RUNNING_FOLDER / "fresh"
    folder.mkdir(parents=True)
    assert keep_abandoned(tmp_path).removed == []
    long_ago = time.time() - 2 * UNOWNED_GRACE_S
    os.utime(folder, (long_ago, long_ago))
    assert keep_abandoned(tmp_path).removed == [folder]


def test_a_folder_that_another_run_is_salvaging_is_left_to_it(tmp_path: Path) -> None:
    folder = left_behind(tmp_path)
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    found = keep_abandoned(tmp_path)
    assert (found.records, found.removed) == ([], [])
    os.close(descriptor)
    assert len(keep_abandoned(tmp_path).records) == 1


def test_a_trial_whose_processes_still_run_is_left_for_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = left_behind(tmp_path)
    monkeypatch.setattr("harness.records.salvage.PATIENCE_S", 0.2)
    with psutil.Popen(["sh", "-c", "sleep 60", str(folder)]) as process:
        assert keep_abandoned(tmp_path).left == [folder]
        for child in [*process.children(), process]:
            child.kill()
    assert len(keep_abandoned(tmp_path).records) == 1


class Engine:
    """A stand-in of the engine's client: its containers are theirs whose owners it is given."""

    def __init__(self, *owners: Any) -> None:
        self.containers = self
        self.labels_left = [json.dumps(owner) for owner in owners] + ["not by dlgauge"]
        self.asked, self.closed, self.stubborn = 0, 0, False

    def list(self, **options: Any) -> list[Any]:
        self.asked += 1
        assert options["filters"] == {"label": LABEL}
        return [
            SimpleNamespace(labels={LABEL: label}, remove=partial(self._remove, label)) for label in self.labels_left
        ]

    def _remove(self, label: str, **options: Any) -> None:
        assert options["force"]
        if self.stubborn:
            raise OSError("the engine does not answer")
        self.labels_left.remove(label)

    def close(self) -> None:
        self.closed += 1


def left_behind_in_a_container(store: Path, kind: str = "container") -> tuple[Path, dict[str, Any]]:
    """A trial in a container whose harness died, and its owner."""
    folder = left_behind(store)
    content = json.loads((folder / OUTCOME_FILE).read_text())
    content["environment"]["kind"] = kind
    (folder / OUTCOME_FILE).write_text(json.dumps(content))
    return folder, json.loads((folder / OWNER_FILE).read_text())


def test_the_container_of_a_dead_harness_is_ended_before_its_record_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, owner = left_behind_in_a_container(tmp_path)
    other = {**owner, "pid": owner["pid"] + 1}
    engine = Engine(owner, other)
    engine.stubborn = True
    monkeypatch.setattr("harness.execution.container_launch.connect", lambda: engine)
    assert keep_abandoned(tmp_path) == Salvaged(left=[folder])
    engine.stubborn = False
    assert len(keep_abandoned(tmp_path).records) == 1
    assert engine.labels_left == [json.dumps(other), "not by dlgauge"]
    assert engine.asked == engine.closed == 2


def test_without_an_engine_no_container_can_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left_behind_in_a_container(tmp_path)
    monkeypatch.setattr("harness.execution.engine.engine_addresses", list)
    assert len(keep_abandoned(tmp_path).records) == 1


def test_no_engine_is_asked_about_a_trial_in_a_venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left_behind_in_a_container(tmp_path, kind="venv")
    engine = Engine()
    monkeypatch.setattr("harness.execution.container_launch.connect", lambda: engine)
    assert len(keep_abandoned(tmp_path).records) == 1
    assert engine.asked == 0


# Really killed.


def wait_a_while(longest_s: float) -> None:
    """Until any moment, another one in every run; what is printed is shown with a failure."""
    delay_s = random.Random(os.urandom(4)).uniform(0.0, longest_s)
    print(f"killed after {delay_s} s")
    time.sleep(delay_s)


def kill_one(store: Path, part: str) -> int:
    """Kill a harness's sampler or worker; returns how many processes that were."""
    names, hit = {"sampler": "harness.sampling", "worker": "frameworks.worker"}, 0
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if names[part] in line and str(store) in line[-1]:
            process.send_signal(signal.SIGKILL)
            hit += 1
    return hit


def last_of(record: Any) -> dict[str, int]:
    """The last moment that each table tells of."""
    columns = {"samples": "t_end_ns", "events": "t_ns", "steps": "t_end_ns"}
    return {name: max(record.table(name).column(column).to_pylist()) for name, column in columns.items()}


def test_kill_9_of_the_harness_loses_no_more_than_a_second(tmp_path: Path) -> None:
    study, store = write_study(tmp_path, behaviour="slow", steps=400), tmp_path / "store"
    process = start_in_background(study, store)
    wait_a_while(1.0)
    killed_ns = time.monotonic_ns()
    assert process.poll() is None
    process.kill()
    process.communicate(timeout=30)
    (record,) = keep_abandoned(store).records
    assert record.termination == "killed"
    assert record.manifest["termination"]["reason"] == KILLED_WITH_HARNESS
    assert record.manifest["sampling"]["flags"][-1] == "ended_by_harness_gone"
    assert record.manifest["environment"]["code_sha256"] and record.manifest["host"]["machine"]
    for name, last_ns in last_of(record).items():
        if name != "events":  # the worker says nothing between its marks
            assert last_ns >= killed_ns - 1.5 * SECOND_NS, name
    assert record.summary["steps_done"] > 0 and record.summary["training_cpu_seconds"] is not None
    assert_nothing_left(tmp_path)
    assert run_study(write_study(tmp_path, steps=400), store).ran == [TerminationKind.COMPLETED]
    assert [one.termination for one in Store(store).records(latest=False)] == ["killed", "completed"]


@pytest.mark.parametrize("part", ["sampler", "worker"])
def test_kill_9_of_sampler_or_worker_at_any_moment_leaves_what_was_measured(tmp_path: Path, part: str) -> None:
    study, store = write_study(tmp_path, behaviour="slow", steps=400), tmp_path / "store"
    process = start_in_background(study, store)
    wait_a_while(0.8)
    assert kill_one(store, part) >= 1
    killed_ns = time.monotonic_ns()
    process.communicate(timeout=60)
    record = only_record(store)
    last = last_of(record)
    assert last["samples" if part == "sampler" else "steps"] >= killed_ns - 1.5 * SECOND_NS
    if part == "sampler":
        assert record.termination == "completed"
        assert {"low_coverage", "no_sampler_report"} <= set(record.manifest["sampling"]["flags"])
        assert record.summary["sampling_coverage"] < 0.95
    else:
        assert record.termination == "killed" and "SIGKILL" in record.manifest["termination"]["reason"]
        assert record.summary["sampling_coverage"] > 0.9
    assert_nothing_left(tmp_path)
