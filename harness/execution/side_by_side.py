"""The jobs of a trial from their start to their end: one alone, or several at the same time."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

from frameworks.worker.protocol import START_PIPE
from harness.execution.environments import Environment
from harness.execution.job import Job
from harness.execution.outcome import Termination, TerminationKind
from harness.execution.stopping import StopRequest
from harness.workloads import PreparedData

JOBS_FOLDER = "jobs"
PROGRESS_PERIOD_S = 0.5
START_PERIOD_S = 0.02
"""How often the jobs are looked at while some of them wait for the others: no job has begun to train then."""


def job_folder(trial_folder: Path, job: int) -> Path:
    """Where a job's files lie: those of the first are the trial's own, the others have folders below it.

    The last part of the name is the trial folder's with the number: it names the job's cgroup, which must be unique.
    """
    return trial_folder if job == 1 else trial_folder / JOBS_FOLDER / f"{trial_folder.name}-job-{job}"


def run_jobs(
    jobs: Sequence[Job], environment: Environment, data: PreparedData, stop: StopRequest, time_limit_s: float
) -> Termination:
    """Run the jobs of a trial, all at the same time; returns how the trial ended.

    Several jobs begin to train together: each says when it could, and waits for the word that all can. A job that
    ends in any way but `completed` ends the others: what they would measure from then on is not what was asked for.

    Raises:
        EnvironmentFailed: a worker cannot be started; those that could are ended.
    """
    with ExitStack() as cleaning:
        for job in jobs:
            cleaning.callback(job.close)
        gate = cleaning.enter_context(StartGate(jobs)) if len(jobs) > 1 else None
        for job in jobs:
            job.start_sampler()
        for job in jobs:
            job.launch(environment, data)
        return _until_end(jobs, gate, stop, time_limit_s)


def _until_end(jobs: Sequence[Job], gate: StartGate | None, stop: StopRequest, time_limit_s: float) -> Termination:
    deadline = time.monotonic() + time_limit_s
    running, failed = list(jobs), list[Job]()

    def finish(ended: Sequence[Job]) -> None:
        for job in ended:
            running.remove(job)
            if job.finish().kind is not TerminationKind.COMPLETED:
                failed.append(job)

    while running:
        patience_s = _patience_s(gate, stop, deadline) / len(running)
        ended = [job for job in running if job.wait(patience_s)]
        for job in running:
            if job not in ended:
                job.look()
        finish(ended)
        if gate is not None and not failed:
            gate.open_when_all_are_ready()
        for job in running:
            if stop.requested:
                job.cancelled = stop.reason
            elif time.monotonic() >= deadline:
                job.timed_out_after_s = time_limit_s
            elif failed:
                job.cancelled = f"ended because {_told(failed[0], len(jobs))}"
        doomed = [job for job in running if job.cancelled is not None or job.timed_out_after_s is not None]
        for job in doomed:
            job.kill()
        finish(doomed)
    return _of_the_trial(jobs, failed)


def _patience_s(gate: StartGate | None, stop: StopRequest, deadline: float) -> float:
    period_s = PROGRESS_PERIOD_S if gate is None or gate.is_open else START_PERIOD_S
    return 0.0 if stop.requested else min(period_s, max(0.0, deadline - time.monotonic()))


def _of_the_trial(jobs: Sequence[Job], failed: Sequence[Job]) -> Termination:
    """The first job's end where all completed, else that of the job that failed first, which is named."""
    cause = failed[0] if failed else jobs[0]
    assert cause.termination is not None
    if len(jobs) == 1 or not failed or cause.termination.kind in (TerminationKind.CANCELLED, TerminationKind.TIMED_OUT):
        return cause.termination
    end = cause.termination
    reason = f"job {cause.number} of {len(jobs)}: {end.reason}"
    return Termination(end.kind, reason, end.exit_status, end.signal, end.log_tail)


def _told(job: Job, count: int) -> str:
    assert job.termination is not None
    return f"job {job.number} of {count} ended {job.termination.kind}"


class StartGate:
    """Named pipes behind which the jobs of a trial wait, from their warm-up to the moment when all of them could train.

    The harness holds both ends of every pipe: a job that opens it is never kept waiting by that, and reads the end of
    the file should the harness die.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs
        self._descriptors: list[int] = []
        self.is_open = False

    def __enter__(self) -> StartGate:
        """Make the pipes.

        Raises:
            OSError: the file system has no named pipes.
        """
        try:
            for job in self._jobs:
                path = job.folder / START_PIPE
                os.mkfifo(path, 0o600)
                self._descriptors.append(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
        except BaseException:
            self._close()
            raise
        return self

    def open_when_all_are_ready(self) -> None:
        """Give every job the word, once all of them wait for it."""
        if self.is_open or not all(job.said("ready") for job in self._jobs):
            return
        for descriptor in self._descriptors:
            os.write(descriptor, b"!")
        self.is_open = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        for descriptor in self._descriptors:
            with suppress(OSError):
                os.close(descriptor)
        self._descriptors.clear()
