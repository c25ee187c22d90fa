"""From a study's lists to the cells of its matrix."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError

from harness.fields import FileModel
from harness.study.assignments import Choices, read_choices
from harness.study.co_location import co_location_obstacle, job_profile
from harness.study.conditions import PLACES, CellValues, Condition, first_that_holds, read_conditions
from harness.study.frameworks import FrameworkDescription, obstacle
from harness.study.hypercube import LatinHypercube
from harness.study.ingredients import Ingredients
from harness.study.keys import Assignment, Part, apply
from harness.study.misfits import misfits
from harness.study.model import Cell
from harness.study.profile import CpusNotThere, Profile, ProfileFile, resolve_profile
from harness.study.trial import LeftOutCell
from harness.validation import KeyPath, problems_of
from harness.workloads.settings import Setting
from harness.workloads.workload import Workload
from harness.yaml_files import YamlDocument, by_line, combined_error

Resolved = TypeVar("Resolved", bound=FileModel)

MOST_TRIED = 1000
"""Most combinations of varied values that are tried for what is wrong with the values themselves."""


@dataclass(frozen=True)
class Matrix:
    """A study's matrix, expanded.

    Attributes:
        cells: in the order of the file: workloads, settings, profiles, varied values, co-location, frameworks.
        left_out: cells that a condition of the file leaves out, in the same order.
        notes: conditions that no cell meets.
        hypercube: None where the study has none.
    """

    cells: tuple[Cell, ...]
    left_out: tuple[LeftOutCell, ...] = ()
    notes: tuple[str, ...] = ()
    hypercube: LatinHypercube | None = None


def expand(
    document: YamlDocument, ingredients: Ingredients, cpus: Sequence[int], problems: Sequence[tuple[str, str]] = ()
) -> Matrix:
    """The matrix of a study.

    Args:
        document: the study file.
        ingredients: what it names, as far as it could be loaded.
        cpus: CPUs that may be used.
        problems: (place, message) of what is wrong already; then only overrides and varied values are looked at.

    Raises:
        FileFormatError: these, unknown keys, and values that do not fit, all of them, with file and line.
    """
    found = list(problems)
    choices = read_choices(document, found)
    # Names that could not be loaded are no mistake of a condition that names them.
    names = None if problems else ingredients.names()
    conditions = read_conditions(document, names, found)
    expansion = _Expansion(document, tuple(cpus), choices, conditions, found)
    if found:
        expansion.check_values(ingredients)
    expansion.stop_on_problems()
    cells = tuple(expansion.cells(ingredients))
    expansion.stop_on_problems()
    unmet = [condition for condition in conditions if condition not in expansion.met]
    notes = [f"leave_out: no cell meets the condition {one.words} ({one.reason}; {one.where})" for one in unmet]
    return Matrix(cells, tuple(expansion.left_out), tuple(notes), choices.hypercube)


@dataclass
class _Expansion:
    """Expands one study and collects what is wrong with it, and what it leaves out."""

    document: YamlDocument
    cpus: tuple[int, ...]
    choices: Choices
    conditions: Sequence[Condition] = ()
    problems: list[tuple[str, str]] = field(default_factory=list)
    left_out: list[LeftOutCell] = field(default_factory=list)
    met: list[Condition] = field(default_factory=list)

    def stop_on_problems(self) -> None:
        if self.problems:
            raise combined_error(by_line(self.document, self.problems))

    def check_values(self, ingredients: Ingredients) -> None:
        """Note the values that are wrong in themselves, of a study that has no cells for what else is wrong with it.

        Wrong in itself is what is wrong with every choice of the other varied keys. What lies between several keys is
        passed over: it may follow from one that is misspelt. So are values of more than `MOST_TRIED` combinations.
        """
        bases: list[tuple[Part, FileModel]] = [
            *(("setting", one) for one in (*ingredients.settings, *ingredients.own_settings.values()) if one),
            *(("profile", one) for one in ingredients.profiles),
        ]
        for part, base in bases:
            fixed = [one for one in self.choices.overrides if one.part == part]
            own = [
                variant
                for variant in self.choices.variants
                if any(one.part == part for alternative in variant for one in alternative)
            ]
            if math.prod(len(variant) for variant in own) > MOST_TRIED:
                continue
            tried = [
                [*fixed, *(one for one in _together(chosen) if one.part == part)] for chosen in itertools.product(*own)
            ]
            self._report_what_stays(base, tried)

    def _report_what_stays(self, base: FileModel, tried: list[list[Assignment]]) -> None:
        """Note each problem that is there in all combinations which hold the value that it comes from."""
        found: dict[tuple[str, str], list[Assignment]] = {}
        for own in tried:
            try:
                type(base).model_validate(apply(_plain_values(base), own))
            except ValidationError as error:
                here = {
                    (self._place(problem.key_path, source), problem.message): source
                    for problem in problems_of(error, type(base))
                    if problem.key_path and (source := _source(problem.key_path, own))
                }
                for problem_there, source in here.items():
                    found.setdefault(problem_there, []).append(source)
        for problem_there, sources in found.items():
            if len(sources) == sum(sources[0] in own for own in tried):
                self.problems.append(problem_there)

    def cells(self, ingredients: Ingredients) -> Iterator[Cell]:
        """Every valid cell that is not left out; what is wrong with the others goes to `problems`."""
        replaced = self._replaced(ingredients)
        shown = len(ingredients.workloads) > 1, len(ingredients.profiles) > 1
        matrix = itertools.product(
            ingredients.workloads,
            enumerate(ingredients.settings),
            enumerate(ingredients.profiles),
            itertools.product(*self.choices.variants),
            ingredients.co_locations,
        )
        for workload, (setting_index, setting), (profile_index, profile), chosen, (co_location, placed) in matrix:
            varied = _together(chosen)
            assignments = [*self.choices.overrides, *varied]
            base = setting or ingredients.own_settings[workload.name]
            values = {**{assignment.key: assignment.value for assignment in varied}, **placed}
            middle = _label(workload.name, base.name, profile.name, values, *shown)
            kept = self._not_left_out(ingredients.frameworks, workload, base, profile, assignments, values, middle)
            if not kept:
                continue  # nothing runs, so nothing has to fit
            key_path = ("settings", setting_index)
            ready = self._setting(base, assignments, workload, ingredients.length_share, key_path)
            resolved = self._profile(profile, assignments, ("profiles", profile_index))
            if ready is None or resolved is None:
                continue
            of_one_job, unplaced = job_profile(resolved, co_location, 1), co_location_obstacle(co_location, resolved)
            for framework in kept:
                yield Cell(
                    framework=framework,
                    workload=workload,
                    setting=ready,
                    profile=resolved,
                    varied=values,
                    label=" · ".join([framework.name, *middle]),
                    overrides=replaced,
                    obstacle=unplaced or obstacle(framework, of_one_job, workload.network),
                    co_location=co_location,
                )

    def _replaced(self, ingredients: Ingredients) -> dict[str, Any]:
        """What the study sets in all cells, and the other keys of its file that decide what is run."""
        replaced = {assignment.key: assignment.value for assignment in self.choices.overrides}
        if ingredients.length_share != 1:
            replaced["length_share"] = ingredients.length_share
        if drawn := self.choices.hypercube:
            replaced["latin_hypercube"] = {"points": drawn.points, "seed": drawn.seed}
        return replaced

    def _not_left_out(
        self,
        frameworks: Sequence[FrameworkDescription],
        workload: Workload,
        setting: Setting,
        profile: ProfileFile,
        assignments: list[Assignment],
        varied: Mapping[str, Any],
        middle: list[str],
    ) -> list[FrameworkDescription]:
        """The frameworks whose cell runs; the cells of the others are noted with the reason."""
        if not self.conditions:
            return list(frameworks)
        own_setting = _with_defaults(setting, [one for one in assignments if one.part == "setting"])
        own_profile = _with_defaults(profile, [one for one in assignments if one.part == "profile"])
        kept = []
        for framework in frameworks:
            names = {
                "framework": framework.name,
                "workload": workload.name,
                "setting": setting.name,
                "profile": profile.name,
                **{key: varied[key] for key in PLACES if key in varied},
            }
            cell = CellValues(names, own_setting, own_profile, len(self.cpus))
            if condition := first_that_holds(self.conditions, cell):
                label = " · ".join([framework.name, *middle])
                self.met.append(condition)
                self.left_out.append(LeftOutCell(description=label, reason=condition.reason, when=condition.words))
            else:
                kept.append(framework)
        return kept

    def _setting(
        self, base: Setting, assignments: list[Assignment], workload: Workload, share: float, key_path: KeyPath
    ) -> Setting | None:
        setting = self._override(base, "setting", assignments, key_path)
        if setting is None:
            return None
        steps = max(math.ceil(share * setting.steps_for(workload.dataset.train)), setting.warm_up_steps + 1)
        wrong = list(misfits(setting, steps, workload))
        for path, message in wrong:
            self._report("setting", path, message, assignments, key_path)
        return None if wrong else setting.model_copy(update={"steps": steps, "epochs": None, "samples": None})

    def _profile(self, base: ProfileFile, assignments: list[Assignment], key_path: KeyPath) -> Profile | None:
        profile = self._override(base, "profile", assignments, key_path)
        if profile is None:
            return None
        try:
            return resolve_profile(profile, self.cpus)
        except CpusNotThere as error:
            here = any(one.part == "profile" and one.touches(("cpus",)) for one in assignments)
            message = str(error) if here else f"profile {profile.name!r}: {error}"
            self._report("profile", ("cpus",), message, assignments, key_path)
            return None

    def _override(
        self, base: Resolved, part: Part, assignments: list[Assignment], key_path: KeyPath
    ) -> Resolved | None:
        own = [assignment for assignment in assignments if assignment.part == part]
        try:
            return type(base).model_validate(apply(_plain_values(base), own))
        except ValidationError as error:
            for problem in problems_of(error, type(base)):
                self._report(part, problem.key_path, problem.message, own, key_path)
            return None

    def _report(
        self, part: Part, path: KeyPath, message: str, assignments: list[Assignment], key_path: KeyPath
    ) -> None:
        """Note a problem at the value of the study that it comes from, else where setting or profile is named."""
        own = [assignment for assignment in assignments if assignment.part == part]
        source = _source(path, own)
        where = self._place(path, source) if source else self.document.where(key_path)
        self.problems.append((where, message))

    def _place(self, path: KeyPath, source: Assignment) -> str:
        """Where a problem stands: a section given as a mapping has its own keys in the study, each in its line."""
        return self.document.where((*source.key_path, *path[len(source.path) :]))


def _source(path: KeyPath, assignments: Sequence[Assignment]) -> Assignment | None:
    """The value that a problem at `path` comes from: the last that holds the place, else the last that touches it.

    A problem of the whole (an empty path) comes from the last value of all.
    """
    touching = [one for one in assignments if not path or one.touches(path)]
    holding = [one for one in touching if len(one.path) <= len(path)]
    return next(reversed(holding or touching), None)


def _plain_values(base: FileModel) -> dict[str, Any]:
    return base.model_dump(mode="json", exclude_none=True)


def _with_defaults(base: FileModel, own: Sequence[Assignment]) -> dict[str, Any]:
    """Plain values of a setting or profile with a study's in them; as they are given where they are no valid one."""
    values = apply(_plain_values(base), own)
    try:
        return _plain_values(type(base).model_validate(values))
    except ValidationError:
        return values


def _together(chosen: Iterable[tuple[Assignment, ...]]) -> list[Assignment]:
    """The values of all keys, of one alternative of each variant."""
    return [one for alternative in chosen for one in alternative]


def _label(
    workload: str, setting: str, profile: str, varied: Mapping[str, Any], show_workload: bool, show_profile: bool
) -> list[str]:
    """The parts of a cell's label behind the framework."""
    return [
        *([workload] if show_workload else []),
        setting,
        *([profile] if show_profile else []),
        *(f"{key}={short_value(value)}" for key, value in varied.items()),
    ]


def short_value(value: Any) -> str:
    """A value of a varied key as short text, such as `INV k0=0.01 gamma=0.0001 p=0.75`."""
    if isinstance(value, Mapping):
        return " ".join(
            str(item) if key in ("policy", "kind") else f"{key}={short_value(item)}" for key, item in value.items()
        )
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return f"[{', '.join(short_value(item) for item in value)}]"
    return value if isinstance(value, str) else json.dumps(value)
