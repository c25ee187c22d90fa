"""`outcome.json` in a trial folder: what its record will say, for whoever finds the folder without its owner.

It is written when the trial begins, with the termination that holds if nothing more is heard, and again when it ended.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.execution.outcome import JobOutcome, Termination, TerminationKind, TrialOutcome
from harness.study.trial import Trial

OUTCOME_FILE = "outcome.json"
KILLED_WITH_HARNESS = "the harness was killed"


@dataclass(frozen=True)
class KeptOutcome:
    """What `outcome.json` says.

    Attributes:
        outcome: of the trial; without an end, `t_worker_ns` is None and `t_end_ns` the trial's begin.
        ended: whether the harness lived to see the trial's end.
    """

    outcome: TrialOutcome
    ended: bool


def write_start(
    folder: Path,
    trial: Trial,
    started_at: str,
    host: Mapping[str, Any],
    environment: Mapping[str, Any],
    anchor: Mapping[str, int],
    canary: Mapping[str, dict[str, Any]],
    not_measured: Mapping[str, str],
) -> None:
    """Write what is known when a trial begins.

    Args:
        anchor: the begin, see `clock_anchor`.
        canary: `before`, where it was run.
        not_measured: what is known to be missing already.

    Raises:
        OSError: the folder cannot be written.
    """
    begun = TrialOutcome(
        trial=trial,
        folder=folder,
        termination=Termination(TerminationKind.KILLED, KILLED_WITH_HARNESS),
        started_at=started_at,
        t_begin_ns=anchor["monotonic_ns"],
        t_worker_ns=None,
        t_end_ns=anchor["monotonic_ns"],
        host=dict(host),
        environment=dict(environment),
        not_measured=dict(not_measured),
        canary=dict(canary),
        clock_anchors={"begin": dict(anchor)},
    )
    _write(begun, ended=False)


def write_end(outcome: TrialOutcome) -> None:
    """Write the outcome of a trial that ended, before it becomes a record.

    Raises:
        OSError: the folder cannot be written.
    """
    _write(outcome, ended=True)


def read_outcome(folder: Path) -> KeptOutcome | None:
    """Read `outcome.json`; None where there is none that could be used."""
    try:
        content = json.loads((folder / OUTCOME_FILE).read_bytes())
        ended, termination = bool(content.pop("ended")), _termination(content.pop("termination"))
        trial = Trial.model_validate(content.pop("trial"))
        jobs = tuple(_job(told) for told in content.pop("jobs", ()))
        outcome = TrialOutcome(trial=trial, folder=folder, termination=termination, jobs=jobs, **content)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return KeptOutcome(outcome, ended)


def _termination(told: dict[str, Any]) -> Termination:
    kind, tail = TerminationKind(told.pop("kind")), tuple(told.pop("log_tail"))
    return Termination(kind, **told, log_tail=tail)


def _job(told: dict[str, Any]) -> JobOutcome:
    termination = _termination(told.pop("termination"))
    return JobOutcome(cpus=tuple(told.pop("cpus")), termination=termination, **told)


def _write(outcome: TrialOutcome, *, ended: bool) -> None:
    apart = ("trial", "folder", "termination", "jobs")
    content = {key: value for key, value in vars(outcome).items() if key not in apart}
    content |= {
        "trial": outcome.trial.model_dump(),
        "termination": _plain(outcome.termination),
        "jobs": [{**asdict(job), "termination": _plain(job.termination)} for job in outcome.jobs],
        "ended": ended,
    }
    path = outcome.folder / OUTCOME_FILE
    temporary = path.with_suffix(".tmp")
    with temporary.open("w") as file:
        file.write(json.dumps(content, default=str) + "\n")
        file.flush()
        os.fsync(file.fileno())  # else a power cut may leave the name with nothing in it
    temporary.replace(path)


def _plain(termination: Termination) -> dict[str, Any]:
    return {**asdict(termination), "kind": str(termination.kind)}
