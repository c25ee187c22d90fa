"""The specification of a trial: everything that decides its result (docs/architecture.md section 2)."""

from __future__ import annotations

from typing import Any, Literal

from harness.fields import FileModel, FrameworkName, NonNegativeInt, PositiveNumber, Sha256
from harness.study.co_location import CoLocation
from harness.study.frameworks import FrameworkDescription
from harness.study.profile import Profile
from harness.study.roles import ROLE_KEYS, CanaryPlace
from harness.workloads.settings import Setting
from harness.workloads.workload import Workload

NOT_IN_EVERY = ("co_location", *ROLE_KEYS)
"""Keys that only some trials have, so that the ids of the others do not depend on there being such keys."""


class FrameworkIdentity(FileModel):
    """The framework, its version, the content of its environment, and the name of the adapter that runs it."""

    name: FrameworkName
    adapter: FrameworkName
    version: str
    environment: Literal["venv", "container"]
    environment_sha256: Sha256

    @classmethod
    def of(cls, framework: FrameworkDescription) -> FrameworkIdentity:
        """What identifies a framework in a specification."""
        return cls(
            name=framework.name,
            adapter=framework.adapter,
            version=framework.version,
            environment=framework.environment,
            environment_sha256=framework.environment_sha256,
        )


class Specification(FileModel):
    """The typed form of `Trial.specification`: `Specification.model_validate(trial.specification)`.

    Attributes:
        co_location: how many jobs run side by side; a trial of one job has none.
        arm: 2 for the second arm of an A/A pair; trials of the matrix, first arms among them, have none.
        canary: where a canary stands; other trials have none.
    """

    framework: FrameworkIdentity
    workload: Workload
    setting: Setting
    profile: Profile
    seed: NonNegativeInt
    time_limit_s: PositiveNumber
    co_location: CoLocation | None = None
    arm: Literal[2] | None = None
    canary: CanaryPlace | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain values, exactly the shape of the documentation: the length is in steps, never in epochs or samples."""
        if self.setting.steps is None:
            raise ValueError(f"setting {self.setting.name!r} is not resolved to steps")
        values = self.model_dump(mode="json", exclude={"setting": {"epochs"}})
        return {key: value for key, value in values.items() if key not in NOT_IN_EVERY or value is not None}
