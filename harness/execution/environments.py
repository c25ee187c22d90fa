"""Where an adapter's interpreter lives: what every kind of environment can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from frameworks.worker.limits import GPU_VARIABLE, visible_gpus
from harness.execution.launching import Launch
from harness.study import FrameworkDescription, Profile

Say = Callable[[str], None]


class Readiness(StrEnum):
    """Whether trials can run in an environment now."""

    READY = "ready"
    NOT_PREPARED = "not prepared"
    UNUSABLE = "unusable"


@dataclass(frozen=True)
class EnvironmentState:
    """Readiness with its reason, and the command that changes it."""

    readiness: Readiness
    reason: str | None = None
    hint: str | None = None


class Environment(Protocol):
    """A managed venv or a container image holding one framework."""

    framework: FrameworkDescription

    def state(self) -> EnvironmentState:
        """Whether a trial could be launched now; changes nothing."""

    def prepare(self, say: Say) -> None:
        """Make it ready; does nothing when it is.

        Args:
            say: takes one line of progress at a time.

        Raises:
            EnvironmentFailed: it cannot be made ready.
        """

    def facts(self) -> dict[str, Any]:
        """What identifies this environment in a record: kind, place, content hash."""

    def launch(self, trial_folder: Path, data_folder: Path, specification: Mapping[str, Any]) -> Launch:
        """Start a worker on a written trial folder.

        Raises:
            EnvironmentFailed: it cannot be started.
        """

    def data_folder_seen(self, data_folder: Path) -> str:
        """The prepared data's folder as the worker sees it."""


def make_environment(framework: FrameworkDescription) -> Environment:
    """The environment that a framework's `environment.yaml` asks for."""
    from harness.execution.containers import ContainerEnvironment
    from harness.execution.venvs import VenvEnvironment

    return VenvEnvironment(framework) if framework.environment == "venv" else ContainerEnvironment(framework)


def worker_variables(
    framework: FrameworkDescription, specification: Mapping[str, Any], base: Mapping[str, str]
) -> dict[str, str]:
    """The worker's whole environment: a clean base, the framework's own, the profile's BLAS, GPUs and variables.

    Nothing of the user's shell gets in, so a record does not depend on it.
    """
    profile = Profile.model_validate(specification["profile"])
    variables = {"LANG": "C.UTF-8", "PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1", **base}
    variables[GPU_VARIABLE] = ",".join(visible_gpus(profile.gpus))
    if profile.blas and profile.blas in framework.blas_folders:
        variables["LD_LIBRARY_PATH"] = framework.blas_folders[profile.blas]
    return {**variables, **framework.variables(profile)}
