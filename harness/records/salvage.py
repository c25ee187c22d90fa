"""What a harness that was killed left behind becomes records: nothing that was measured is lost with it."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from frameworks.worker.protocol import EVENTS_FILE, STEPS_FILE
from harness.execution.container_launch import end_containers_of
from harness.execution.launching import end_from_launcher_log
from harness.execution.outcome import JobOutcome, TrialOutcome
from harness.execution.outcome_file import OUTCOME_FILE, KeptOutcome, read_outcome
from harness.execution.side_by_side import job_folder
from harness.execution.tailing import log_tail
from harness.execution.termination import LOGS
from harness.records.manifest import MANIFEST_FILE
from harness.records.reading import TrialFiles, integer, read_trial_folder
from harness.records.record import Record
from harness.records.running import abandoned_folders, owner_of, remove_tree, set_aside
from harness.records.writer import publish, repetitions
from harness.sampling.schema import SAMPLES_FILE
from harness.study.co_location import job_specifications

PATIENCE_S = 10.0
"""How long the processes of a dead harness's trial get to end: its launcher ends them at once, the sampler follows."""


@dataclass(frozen=True)
class Salvaged:
    """What was made of the folders of dead owners.

    Attributes:
        records: made of what was in them.
        removed: folders that held no trial, or one whose record was there already.
        left: folders whose processes still run; the next run looks again.
        unreadable: folders with measurements of which nobody can say what trial they are, where they lie now.
    """

    records: list[Record] = field(default_factory=list)
    removed: list[Path] = field(default_factory=list)
    left: list[Path] = field(default_factory=list)
    unreadable: list[Path] = field(default_factory=list)


def keep_abandoned(store_path: Path | str) -> Salvaged:
    """Turn what dead processes left under `.running/` into records, and remove it.

    A trial whose end the harness did not see ends `killed`, which is not final: the next run of the study tries it
    again. One that had ended, but was not yet a record, becomes the record it should have been. Measurements without a
    readable `outcome.json` are put aside, to `<store>/.unpublished/`.

    Raises:
        StoreError: the store cannot be written.
    """
    store, found = Path(store_path), Salvaged()
    for folder in abandoned_folders(store):
        with _claimed(folder) as mine:
            if mine:
                _salvage_one(folder, store, found)
    return found


def _salvage_one(folder: Path, store: Path, found: Salvaged) -> None:
    kept = read_outcome(folder)
    if _holds_nothing(folder) if kept is None else _is_record_already(kept.outcome, store):
        remove_tree(folder)
        if not folder.exists():
            found.removed.append(folder)
    elif not (_container_is_gone(folder, kept) and _processes_are_gone(folder)):
        found.left.append(folder)
    elif kept is None:
        found.unreadable.append(set_aside(folder, store))
    else:
        found.records.append(publish(kept.outcome if kept.ended else killed_outcome(kept), store))


def _holds_nothing(folder: Path) -> bool:
    """Whether no trial had begun here: not a word of what it was, and nothing that was measured."""
    measured = (folder / name for name in (SAMPLES_FILE, EVENTS_FILE, STEPS_FILE))
    return not (folder / OUTCOME_FILE).exists() and not any(_size_bytes(path) for path in measured)


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def killed_outcome(kept: KeptOutcome) -> TrialOutcome:
    """The outcome of a trial whose harness was killed: it lasted as long as anything of it gave a sign."""
    outcome = kept.outcome
    jobs = tuple(_killed_job(outcome, number, specification) for number, specification in _several(outcome))
    files = read_trial_folder(outcome.folder)
    started = next((integer(line.get("t_ns")) for line in files.launcher if line["event"] == "started"), None)
    end = end_from_launcher_log(outcome.folder, None, out_of_memory=False)
    termination = replace(
        outcome.termination,
        exit_status=end.exit_status,
        signal=end.signal,
        log_tail=log_tail(outcome.folder, LOGS),
    )
    return replace(
        outcome,
        termination=termination,
        t_worker_ns=started,
        t_end_ns=max([outcome.t_begin_ns, *_signs_of_life(files)]),
        not_measured={"canary": "the harness was killed before the canary after the worker", **outcome.not_measured},
        jobs=jobs,
    )


def _several(outcome: TrialOutcome) -> list[tuple[int, dict[str, Any]]]:
    """Number and specification of each job of a trial that had several; empty for a trial of one job."""
    with suppress(KeyError, TypeError, ValueError):  # a specification that no plan of this version made
        specifications = job_specifications(outcome.trial.specification)
        return list(enumerate(specifications, start=1)) if len(specifications) > 1 else []
    return []


def _killed_job(outcome: TrialOutcome, number: int, specification: dict[str, Any]) -> JobOutcome:
    """What is known of one of several jobs whose harness was killed."""
    folder = job_folder(outcome.folder, number)
    files = read_trial_folder(folder)
    end = end_from_launcher_log(folder, None, out_of_memory=False)
    tail = log_tail(folder, LOGS)
    return JobOutcome(
        job=number,
        cpus=tuple(specification["profile"]["cpus"]),
        termination=replace(outcome.termination, exit_status=end.exit_status, signal=end.signal, log_tail=tail),
        t_worker_ns=next((integer(one.get("t_ns")) for one in files.launcher if one["event"] == "started"), None),
        t_end_ns=max([outcome.t_begin_ns, *_signs_of_life(files)]),
    )


def _signs_of_life(files: TrialFiles) -> Iterator[int]:
    yield from (event["t_ns"] for event in files.events[-1:])
    yield from (int(t_ns) for t_ns in files.steps["t_end_ns"][-1:])
    yield from (t_ns for line in files.launcher[-1:] if (t_ns := integer(line.get("t_ns"))) is not None)
    samples: dict[str, Any] = files.samples or {}
    yield from (t_ns for t_ns in samples.get("t_end_ns", ())[-1:] if t_ns is not None)


def _is_record_already(outcome: TrialOutcome, store: Path) -> bool:
    """Whether the harness died between making the record visible and removing the folder."""
    for _, path in repetitions(store / outcome.trial.study, outcome.trial.id):
        with suppress(OSError, ValueError, AttributeError):
            manifest = json.loads((path / MANIFEST_FILE).read_bytes())
            if (manifest.get("started_at"), manifest.get("t_begin_ns")) == (outcome.started_at, outcome.t_begin_ns):
                return True
    return False


def _container_is_gone(folder: Path, kept: KeptOutcome | None) -> bool:
    """End the container of a trial that ran in one: no process in it names the folder as this machine knows it."""
    if kept is None or kept.outcome.environment.get("kind") != "container":
        return True
    return end_containers_of(owner_of(folder))


def _processes_are_gone(folder: Path) -> bool:
    """Wait for the end of the launchers and samplers of a trial: their command lines name its folder, or one below."""
    deadline = time.monotonic() + PATIENCE_S
    while _has_processes(folder):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.1)
    return True


def _has_processes(folder: Path) -> bool:
    import psutil

    name = str(folder.resolve())
    words = (word for process in psutil.process_iter(["cmdline"]) for word in process.info["cmdline"] or ())
    return any(word == name or word.startswith(f"{name}/") for word in words)


@contextmanager
def _claimed(folder: Path) -> Iterator[bool]:
    """Whether this process alone may handle the folder: another one, started at the same time, finds it locked."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield folder.is_dir()
    finally:
        os.close(descriptor)
