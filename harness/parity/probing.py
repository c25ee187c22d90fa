"""Running cases in a framework's environment and in the reference implementation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frameworks.worker.protocol import EVENTS_FILE, PROBE_FILE, PROTOCOL_VERSION, TRIAL_FILE
from harness.errors import EnvironmentFailed
from harness.execution.environments import Environment
from harness.execution.outcome import TerminationKind
from harness.execution.tailing import EventTail
from harness.execution.termination import Evidence, classify
from harness.parity.case import Case
from harness.study import Profile
from harness.study.specification import FrameworkIdentity

REFERENCE = "numpy"
"""The framework that every other is compared with."""

TIME_LIMIT_S = 1800.0


def reference_profile(profile: Profile) -> Profile:
    """The same in float64, in which the reference computes."""
    return profile.model_copy(update={"precision": "float64"})


@dataclass(frozen=True)
class Probe:
    """What one adapter computed on one case; see `frameworks.worker.probe.take_probe`.

    Attributes:
        arrays: quantities by name; empty where there are none.
        unsupported: why the adapter refused the case.
        error: what it raised instead, with its traceback.
    """

    arrays: Mapping[str, NDArray[Any]]
    unsupported: str | None = None
    error: str | None = None


def probe_framework(
    environment: Environment, cases: Sequence[Case], folder: Path, profile: Profile
) -> tuple[dict[str, Probe], dict[str, Any]]:
    """Every case in a framework's environment, in one worker.

    Args:
        folder: does not exist yet; its name has to be one of its own among the trials that run at the same time.

    Returns:
        Probes by case, and the worker's own description (versions, threads, BLAS).

    Raises:
        EnvironmentFailed: the worker could not be started, or ended before it had gone through all cases.
    """
    for case in cases:
        case.write(folder / case.name)
    specification = {
        "framework": FrameworkIdentity.of(environment.framework).model_dump(mode="json"),
        "profile": profile.model_dump(mode="json"),
        "time_limit_s": TIME_LIMIT_S,
    }
    trial = {
        "protocol": PROTOCOL_VERSION,
        "specification": specification,
        "honours": environment.framework.honours.model_dump(mode="json"),
        "cases": [case.description(case.name) for case in cases],
    }
    (folder / TRIAL_FILE).write_text(json.dumps(trial))
    launch = environment.launch(folder, folder, specification)
    try:
        if not launch.wait(TIME_LIMIT_S):
            launch.kill()
    except BaseException:
        launch.kill()
        raise
    finally:
        end = launch.finish()
    tail = EventTail(folder / EVENTS_FILE)
    events = tail.read(at_end=True)
    termination = classify(Evidence(events=events, protocol_error=tail.protocol_error, end=end), folder)
    if termination.kind is not TerminationKind.COMPLETED:
        log = "\n  ".join(termination.log_tail)
        name = environment.framework.name
        raise EnvironmentFailed(f"{name} did not go through the cases: {termination.reason}\n  {log}")
    described = next((event for event in events if event["event"] == "describe"), {})
    return {event["name"]: _probe(event, folder) for event in events if event["event"] == "case"}, described


def _probe(event: Mapping[str, Any], folder: Path) -> Probe:
    if refusal := event.get("unsupported"):
        return Probe({}, unsupported=f"{refusal['what']}: {refusal['why']}")
    if event.get("error"):
        return Probe({}, error=f"{event['error']}\n{event.get('traceback', '')}")
    with np.load(folder / event["name"] / PROBE_FILE) as archive:
        return Probe({name: archive[name] for name in archive.files})
