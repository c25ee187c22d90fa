"""Execution: environments, launching, supervision."""

from __future__ import annotations

from harness.execution.environments import Environment, EnvironmentState, Readiness, make_environment
from harness.execution.outcome import FINAL_TERMINATIONS, JobOutcome, Termination, TerminationKind, TrialOutcome
from harness.execution.study_runner import StudyResult, StudyRunner
from harness.execution.trial_runner import run_trial

__all__ = [
    "FINAL_TERMINATIONS",
    "Environment",
    "EnvironmentState",
    "JobOutcome",
    "Readiness",
    "StudyResult",
    "StudyRunner",
    "Termination",
    "TerminationKind",
    "TrialOutcome",
    "make_environment",
    "run_trial",
]
