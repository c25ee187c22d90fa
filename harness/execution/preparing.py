"""Preparing several environments at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from harness.errors import EnvironmentFailed
from harness.execution.environments import Environment, Readiness, make_environment
from harness.study import FrameworkDescription

AT_ONCE = 4
"""Preparing waits for the network, for pip, for apt: four of them at once keep two cores busy."""


@dataclass(frozen=True)
class Preparation:
    """What preparing one environment came to.

    Attributes:
        before: readiness found at the start.
        error: why it is not ready now; None when it is.
        duration_s: wall time.
    """

    framework: FrameworkDescription
    before: Readiness
    error: EnvironmentFailed | None
    duration_s: float


def prepare_all(
    frameworks: Sequence[FrameworkDescription],
    say: Callable[[str], None],
    environment_for: Callable[[FrameworkDescription], Environment] = make_environment,
) -> list[Preparation]:
    """Prepare every environment, a failure of one leaving the others alone; results in the order of `frameworks`."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures = [pool.submit(_prepare, framework, environment_for(framework), say) for framework in frameworks]
        try:
            for _ in as_completed(futures):
                pass
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]


def _prepare(framework: FrameworkDescription, environment: Environment, say: Callable[[str], None]) -> Preparation:
    begin = time.monotonic()
    state = environment.state()
    error: EnvironmentFailed | None = None
    if state.readiness is Readiness.UNUSABLE:
        error = EnvironmentFailed(state.reason or "unusable", hint=state.hint)
    elif state.readiness is Readiness.NOT_PREPARED:
        try:
            environment.prepare(lambda line: say(f"{framework.name}: {line}"))
        except EnvironmentFailed as failure:
            error = failure
    return Preparation(framework, state.readiness, error, time.monotonic() - begin)
