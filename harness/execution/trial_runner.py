"""One trial from its specification to its outcome: files, canaries, and the job or jobs between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import EnvironmentFailed
from harness.execution.canary import CanaryError, run_canary
from harness.execution.environments import Environment
from harness.execution.host import clock_anchor, describe_host
from harness.execution.in_force import code_hash
from harness.execution.job import Job, Observer
from harness.execution.outcome import Termination, TerminationKind, TrialOutcome
from harness.execution.outcome_file import write_start
from harness.execution.side_by_side import job_folder, run_jobs
from harness.execution.stopping import StopRequest
from harness.execution.tailing import log_tail
from harness.execution.trial_files import write_trial_files
from harness.study import Trial
from harness.study.co_location import job_specifications
from harness.workloads import PreparedData

__all__ = ["Canary", "Observer", "outcome_without_run", "run_trial"]

Canary = Callable[[Sequence[int]], dict[str, Any]]
"""Does a fixed amount of work on the given CPUs and returns how long it took; see `harness.execution.canary`."""


@dataclass
class _Canaries:
    """What the canaries of a trial have told.

    Attributes:
        found: `before` and `after`, as far as they were run.
        missing: why there is not both of them; None where there is.
    """

    found: dict[str, dict[str, Any]] = field(default_factory=dict)
    missing: str | None = None

    def run(self, canary: Canary | None, when: str, trial: Trial) -> None:
        """One canary on the trial's CPUs, while nothing else of the trial runs; the trial does not depend on it."""
        if canary is None:
            self.missing = self.missing or f"no canary was run {when} the worker"
            return
        try:
            self.found[when] = canary(trial.specification["profile"]["cpus"])
        except CanaryError as error:
            self.missing = str(error)

    @property
    def not_measured(self) -> dict[str, str]:
        """`canary` with the reason, where one is missing."""
        return {} if self.missing is None else {"canary": self.missing}


def run_trial(
    trial: Trial,
    environment: Environment,
    data: PreparedData,
    folder: Path,
    observer: Observer,
    stop: StopRequest | None = None,
    canary: Canary | None = run_canary,
) -> TrialOutcome:
    """Run one trial in a fresh folder; whatever happens to it becomes its termination.

    Args:
        folder: a fresh trial folder on the store's filesystem.
        observer: is told of events and progress, of several jobs of the first one's.
        stop: when it is requested, the trial ends `cancelled`.
        canary: run before the trial begins and after it ended, so that its time is not the trial's; None runs none.
    """
    host, facts, canaries = describe_host(), {}, _Canaries()
    canaries.run(canary, "before", trial)
    started_at, begin, end = _utc_now(), clock_anchor(), None
    jobs = _jobs(trial, folder, observer)
    try:
        facts = {**environment.facts(), "code_sha256": code_hash(environment.framework.adapter_folder)}
        write_start(folder, trial, started_at, host, facts, begin, canaries.found, canaries.not_measured)
        data_folder = environment.data_folder_seen(data.folder)
        for job in jobs:
            job.folder.mkdir(parents=True, exist_ok=True)
            own = (job.number, job.specification) if len(jobs) > 1 else None
            write_trial_files(job.folder, trial, data_folder, environment.framework.honours, own)
        limit_s = trial.specification["time_limit_s"]
        termination = run_jobs(jobs, environment, data, stop or StopRequest(), limit_s)
        end = clock_anchor()
        was_cancelled = termination.kind is TerminationKind.CANCELLED
        canaries.run(None if was_cancelled else canary, "after", trial)
    except (EnvironmentFailed, OSError) as error:
        tail = log_tail(folder, ("launcher.log", "stderr.log"))
        termination = Termination(TerminationKind.ENVIRONMENT_FAILED, str(error), log_tail=tail)
    end = end or clock_anchor()
    if "after" not in canaries.found:
        canaries.run(None, "after", trial)
    several = len(jobs) > 1
    return TrialOutcome(
        trial=trial,
        folder=folder,
        termination=termination,
        started_at=started_at,
        t_begin_ns=begin["monotonic_ns"],
        t_worker_ns=jobs[0].t_worker_ns,
        t_end_ns=(jobs[0].t_end_ns if several else None) or end["monotonic_ns"],
        host=host,
        environment=facts,
        not_measured={**canaries.not_measured, **jobs[0].not_measured},
        canary=canaries.found,
        clock_anchors={"begin": begin, "end": end},
        jobs=tuple(job.outcome(termination) for job in jobs) if several else (),
    )


def _jobs(trial: Trial, folder: Path, observer: Observer) -> list[Job]:
    """The jobs of a trial. All have the trial's seed: they do the same work, so that only their place differs."""
    return [
        Job(number, job_folder(folder, number), specification, observer if number == 1 else None)
        for number, specification in enumerate(job_specifications(trial.specification), start=1)
    ]


def outcome_without_run(trial: Trial, folder: Path, termination: Termination) -> TrialOutcome:
    """The outcome of a trial that ended before anything of it could start."""
    anchor = clock_anchor()
    return TrialOutcome(
        trial=trial,
        folder=folder,
        termination=termination,
        started_at=_utc_now(),
        t_begin_ns=anchor["monotonic_ns"],
        t_worker_ns=None,
        t_end_ns=anchor["monotonic_ns"],
        host=describe_host(),
        clock_anchors={"begin": anchor, "end": anchor},
    )


def _utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
