"""A study: what its file says, and what it means."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from harness.fields import FileModel, NonNegativeInt, PositiveInt, Seconds, Slug
from harness.study.co_location import CoLocation, CoLocationRequest
from harness.study.conditions import LeaveOut
from harness.study.frameworks import FrameworkDescription
from harness.study.hypercube import LatinHypercube, Values
from harness.study.profile import Profile
from harness.study.repeats import Repeats
from harness.study.roles import CanaryFile
from harness.study.trial import LeftOutCell
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


def _as_canary(value: Any) -> Any:
    if isinstance(value, bool):
        return {} if value else None
    if not isinstance(value, dict):
        raise ValueError(f"should be true, or a mapping such as {{around: block}}, not {value!r}")
    return value


def _as_names(value: Any) -> Any:
    """`true` stands for every framework of the study, `false` for none."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"should be true, or a list of frameworks, not {value!r}")
    return tuple(value)


OWN_SETTING = "own"
"""Among a study's settings: of each workload the setting that bears its name, as the defaults of the papers do."""

Names = Annotated[tuple[str, ...], BeforeValidator(_as_list), Field(min_length=1)]
Seeds = Annotated[tuple[NonNegativeInt, ...], BeforeValidator(_expand_seeds), Field(min_length=1)]


class StudyFile(FileModel):
    """A study as it stands in a file (docs/studies.md explains every key)."""

    study: Slug
    title: str = ""
    frameworks: Names
    workloads: Names
    settings: Names
    profiles: Names = (DEFAULT_PROFILE,)
    seeds: Seeds | None = None
    repeats: Repeats | None = None
    overrides: dict[str, Any] = {}
    vary: dict[str, Values] = {}
    co_location: CoLocationRequest | None = None
    latin_hypercube: LatinHypercube | None = None
    leave_out: tuple[LeaveOut, ...] = ()
    a_a: Annotated[Any, BeforeValidator(_as_names)] = False
    canary: Annotated[CanaryFile | None, BeforeValidator(_as_canary)] = None
    length_share: Annotated[float, Field(strict=True, gt=0, le=1)] = 1.0
    time_limit: Seconds = DEFAULT_TIME_LIMIT_S

    @model_validator(mode="after")
    def _one_number_of_blocks(self) -> Self:
        if self.seeds is None and self.repeats is None:
            raise _problem_at("seeds", "should be given, or repeats, which chooses the number of blocks from a pilot")
        if self.seeds is not None and self.repeats is not None:
            raise _problem_at("repeats", "should not be given beside seeds: either says how many blocks there are")
        return self


def _problem_at(key: str, message: str) -> ValidationError:
    """A problem of several keys, told at the line of one of them."""
    error = PydanticCustomError("of_several_keys", "Value error, {problem}", {"problem": message})
    return ValidationError.from_exception_data("StudyFile", [{"type": error, "loc": (key,), "input": None}])


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
class Canary:
    """A study's canary.

    Attributes:
        cell: the small training that it is, the same at every place.
        around: `study`: before the first and after the last block; `block`: before and after every one.
    """

    cell: Cell
    around: Literal["block", "study"]


@dataclass(frozen=True)
class Study:
    """A valid study, its matrix expanded.

    Attributes:
        path: the file it came from.
        seeds: one block of the plan each; of a study with `repeats` those of the pilot.
        cells: the matrix, in the order of the file, without the cells that are left out.
        time_limit_s: of each trial.
        repeats: how the number of blocks follows from the pilot; None where the file gives the seeds.
        a_a: frameworks whose cells stand twice in every block.
        canary: None where none is asked for.
        hypercube: None where the study has none.
        left_out: cells that a condition of the file leaves out.
        notes: what a reader of the plan should know of the file.
    """

    name: str
    title: str
    path: Path
    seeds: tuple[int, ...]
    cells: tuple[Cell, ...]
    time_limit_s: float
    repeats: Repeats | None = None
    a_a: tuple[str, ...] = ()
    canary: Canary | None = None
    hypercube: LatinHypercube | None = None
    left_out: tuple[LeftOutCell, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_pilot(self) -> bool:
        """Whether the seeds are those of the pilot, from which the number of blocks is to follow."""
        return self.repeats is not None and self.seeds == self.repeats.seeds(self.repeats.pilot)
