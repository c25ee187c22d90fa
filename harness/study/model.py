"""A study: what its file says, and what it means."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from harness.fields import FileModel, NonNegativeInt, PositiveInt, Seconds, Slug
from harness.study.co_location import CoLocation, CoLocationRequest
from harness.study.frameworks import FrameworkDescription
from harness.study.profile import Profile
from harness.validation import problems_of
from harness.workloads.settings import Setting
from harness.workloads.workload import Workload

DEFAULT_TIME_LIMIT_S = 3600.0
DEFAULT_PROFILE = "local"


class SeedRange(FileModel):
    """Seeds as `{first, count}`."""

    first: NonNegativeInt = 1
    count: PositiveInt


def _expand_seeds(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    try:
        seeds = SeedRange.model_validate(value)
    except ValidationError as error:
        raise ValueError("; ".join(problem.message for problem in problems_of(error, SeedRange))) from None
    return list(range(seeds.first, seeds.first + seeds.count))


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


OWN_SETTING = "own"
"""Among a study's settings: of each workload the setting that bears its name, as the defaults of the papers do."""

Names = Annotated[tuple[str, ...], BeforeValidator(_as_list), Field(min_length=1)]
Seeds = Annotated[tuple[NonNegativeInt, ...], BeforeValidator(_expand_seeds), Field(min_length=1)]
Values = Annotated[tuple[Any, ...], Field(min_length=1)]


class StudyFile(FileModel):
    """A study as it stands in a file (docs/studies.md explains every key)."""

    study: Slug
    title: str = ""
    frameworks: Names
    workloads: Names
    settings: Names
    profiles: Names = (DEFAULT_PROFILE,)
    seeds: Seeds
    overrides: dict[str, Any] = {}
    vary: dict[str, Values] = {}
    co_location: CoLocationRequest | None = None
    length_share: Annotated[float, Field(strict=True, gt=0, le=1)] = 1.0
    time_limit: Seconds = DEFAULT_TIME_LIMIT_S


@dataclass(frozen=True)
class Cell:
    """One cell of the matrix: a trial but for its seed.

    Attributes:
        setting: with overrides and varied values in it, its length in steps.
        profile: resolved for this machine.
        varied: the keys that the study varies, with this cell's values.
        overrides: what the study sets in place of what setting and profile say, by key.
        label: short text for people, without the seed.
        obstacle: (what, why) where the framework cannot run this cell.
        co_location: how many jobs run side by side and on which CPUs; None for one job alone.
    """

    framework: FrameworkDescription
    workload: Workload
    setting: Setting
    profile: Profile
    varied: dict[str, Any]
    label: str
    overrides: dict[str, Any] = field(default_factory=dict)
    obstacle: tuple[str, str] | None = None
    co_location: CoLocation | None = None


@dataclass(frozen=True)
class Study:
    """A valid study, its matrix expanded.

    Attributes:
        path: the file it came from.
        seeds: one block of the plan each.
        cells: the matrix, in the order of the file.
        time_limit_s: of each trial.
    """

    name: str
    title: str
    path: Path
    seeds: tuple[int, ...]
    cells: tuple[Cell, ...]
    time_limit_s: float
