"""From a study's lists to the cells of its matrix."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError

from harness.fields import FileModel
from harness.study.co_location import NO_CO_LOCATION, Variant, co_location_obstacle, job_profile
from harness.study.frameworks import FrameworkDescription, obstacle
from harness.study.keys import Assignment, Part, UnknownKey, apply, resolve_key
from harness.study.misfits import misfits
from harness.study.model import Cell
from harness.study.profile import CpusNotThere, Profile, ProfileFile, resolve_profile
from harness.validation import KeyPath, problems_of
from harness.workloads.settings import Setting
from harness.workloads.workload import Workload
from harness.yaml_files import YamlDocument, by_line, combined_error

Resolved = TypeVar("Resolved", bound=FileModel)

MOST_TRIED = 1000
"""Most combinations of varied values that are tried for what is wrong with the values themselves."""


@dataclass(frozen=True)
class Ingredients:
    """What a study names, loaded.

    Attributes:
        settings: None stands for the setting of the workload's own name.
        own_settings: workload name -> that setting, where the study asks for it.
        length_share: every setting is run for this share of its length.
        co_locations: jobs alone and side by side, with the varied values that stand for each.
    """

    frameworks: tuple[FrameworkDescription, ...]
    workloads: tuple[Workload, ...]
    settings: tuple[Setting | None, ...]
    profiles: tuple[ProfileFile, ...]
    length_share: float = 1.0
    own_settings: Mapping[str, Setting] = field(default_factory=dict)
    co_locations: tuple[Variant, ...] = NO_CO_LOCATION


def expand(
    document: YamlDocument, ingredients: Ingredients, cpus: Sequence[int], problems: Sequence[tuple[str, str]] = ()
) -> tuple[Cell, ...]:
    """All cells, in the order of the file: workloads, settings, profiles, varied values, co-location, frameworks.

    Args:
        document: the study file.
        ingredients: what it names, as far as it could be loaded.
        cpus: CPUs that may be used.
        problems: (place, message) of what is wrong already; then only overrides and varied values are looked at.

    Raises:
        FileFormatError: these, unknown keys, and values that do not fit, all of them, with file and line.
    """
    expansion = _Expansion(document, tuple(cpus), list(problems))
    overrides, variants = expansion.read_assignments()
    if expansion.problems:
        expansion.check_values(ingredients, overrides, variants)
    expansion.stop_on_problems()
    cells = tuple(expansion.cells(ingredients, overrides, variants))
    expansion.stop_on_problems()
    return cells


@dataclass
class _Expansion:
    """Expands one study and collects what is wrong with it."""

    document: YamlDocument
    cpus: tuple[int, ...]
    problems: list[tuple[str, str]] = field(default_factory=list)

    def stop_on_problems(self) -> None:
        if self.problems:
            raise combined_error(by_line(self.document, self.problems))

    def read_assignments(self) -> tuple[list[Assignment], list[list[Assignment]]]:
        """The overrides, and for every varied key its alternatives: all that have the form of one."""
        overrides = [self._assign(("overrides", key), key, value) for key, value in self._section("overrides")]
        variants = [
            [self._assign(("vary", key, index), key, value) for index, value in enumerate(values)]
            for key, values in self._section("vary")
            if isinstance(values, list)
        ]
        kept = [assignment for assignment in overrides if assignment]
        kept_variants = [[assignment for assignment in variant if assignment] for variant in variants]
        self._refuse_repeated([*kept, *(variant[0] for variant in kept_variants if variant)])
        self._refuse_inside_varied(kept, kept_variants)
        return kept, kept_variants

    def check_values(
        self, ingredients: Ingredients, overrides: list[Assignment], variants: list[list[Assignment]]
    ) -> None:
        """Note the values that are wrong in themselves, of a study that has no cells for what else is wrong with it.

        Wrong in itself is what is wrong with every choice of the other varied keys. What lies between several keys is
        passed over: it may follow from one that is misspelt. So are values of more than `MOST_TRIED` combinations.
        """
        bases: list[tuple[Part, FileModel]] = [
            *(("setting", one) for one in (*ingredients.settings, *ingredients.own_settings.values()) if one),
            *(("profile", one) for one in ingredients.profiles),
        ]
        for part, base in bases:
            fixed = [one for one in overrides if one.part == part]
            own = [variant for variant in variants if any(one.part == part for one in variant)]
            if math.prod(len(variant) for variant in own) > MOST_TRIED:
                continue
            tried = [[*fixed, *(one for one in chosen if one.part == part)] for chosen in itertools.product(*own)]
            self._report_what_stays(base, tried)

    def _report_what_stays(self, base: FileModel, tried: list[list[Assignment]]) -> None:
        """Note each problem that is there in all combinations which hold the value that it comes from."""
        found: dict[tuple[str, str], list[Assignment]] = {}
        for own in tried:
            try:
                type(base).model_validate(apply(base.model_dump(mode="json", exclude_none=True), own))
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

    def _section(self, name: str) -> list[tuple[str, Any]]:
        section = self.document.get((name,))
        return list(section.items()) if isinstance(section, dict) else []

    def _assign(self, key_path: KeyPath, key: str, value: Any) -> Assignment | None:
        try:
            part, path = resolve_key(key, value)
        except UnknownKey as error:
            where = self.document.where(key_path[:2])
            self.problems.append((where, f"unknown key {key!r} in {key_path[0]}{error}"))
            return None
        return Assignment(key, value, part, path, self.document.where(key_path), key_path)

    def _refuse_repeated(self, assignments: list[Assignment]) -> None:
        first: dict[tuple[str, ...], Assignment] = {}
        for assignment in assignments:
            if other := first.get(assignment.path):
                what = f"{assignment.key!r} is already set as {other.key!r} ({other.where})"
                self.problems.append((assignment.where, what))
            first.setdefault(assignment.path, assignment)

    def _refuse_inside_varied(self, overrides: list[Assignment], variants: list[list[Assignment]]) -> None:
        """Refuse what would win over a part of a varied value: records and tables would tell a value that did not run.

        A key varied inside a section that is varied too is refused for the same reason.
        """
        keys = [[one] for one in overrides] + variants
        for inner, outer in itertools.product(keys, variants):
            inside = (one for one in inner for varied in outer if _lies_inside(one, varied))
            if inner is not outer and (found := next(inside, None)):
                what = f"{found.key!r} lies inside {outer[0].key!r}, which is varied ({outer[0].where})"
                self.problems.append((found.where, f"{what}: give it in each of the varied values"))

    def cells(
        self,
        ingredients: Ingredients,
        overrides: list[Assignment],
        variants: list[list[Assignment]],
    ) -> Iterator[Cell]:
        """Every valid cell; what is wrong with the others goes to `problems`."""
        replaced = {assignment.key: assignment.value for assignment in overrides}
        if ingredients.length_share != 1:
            replaced["length_share"] = ingredients.length_share
        show_workload, show_profile = len(ingredients.workloads) > 1, len(ingredients.profiles) > 1
        matrix = itertools.product(
            ingredients.workloads,
            enumerate(ingredients.settings),
            enumerate(ingredients.profiles),
            itertools.product(*variants),
            ingredients.co_locations,
        )
        for workload, (setting_index, setting), (profile_index, profile), chosen, (co_location, placed) in matrix:
            assignments = [*overrides, *chosen]
            base = setting or ingredients.own_settings[workload.name]
            key_path = ("settings", setting_index)
            ready = self._setting(base, assignments, workload, ingredients.length_share, key_path)
            resolved = self._profile(profile, assignments, ("profiles", profile_index))
            if ready is None or resolved is None:
                continue
            varied = {**{assignment.key: assignment.value for assignment in chosen}, **placed}
            own_profile = job_profile(resolved, co_location, 1)
            unplaced = co_location_obstacle(co_location, resolved)
            middle = [
                *([workload.name] if show_workload else []),
                ready.name,
                *([resolved.name] if show_profile else []),
                *(f"{key}={short_value(value)}" for key, value in varied.items()),
            ]
            for framework in ingredients.frameworks:
                yield Cell(
                    framework=framework,
                    workload=workload,
                    setting=ready,
                    profile=resolved,
                    varied=varied,
                    label=" · ".join([framework.name, *middle]),
                    overrides=replaced,
                    obstacle=unplaced or obstacle(framework, own_profile, workload.network),
                    co_location=co_location,
                )

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
        return None if wrong else setting.model_copy(update={"steps": steps, "epochs": None})

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
        values = base.model_dump(mode="json", exclude_none=True)
        own = [assignment for assignment in assignments if assignment.part == part]
        try:
            return type(base).model_validate(apply(values, own))
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


def _lies_inside(assignment: Assignment, section: Assignment) -> bool:
    """Whether one key stands for a part of what another stands for."""
    length = len(section.path)
    return (
        assignment.part == section.part and len(assignment.path) > length and assignment.path[:length] == section.path
    )


def short_value(value: Any) -> str:
    """A value of a varied key as short text, such as `INV k0=0.01 gamma=0.0001 p=0.75`."""
    if isinstance(value, Mapping):
        return " ".join(
            str(item) if key in ("policy", "kind") else f"{key}={short_value(item)}" for key, item in value.items()
        )
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return f"[{', '.join(short_value(item) for item in value)}]"
    return value if isinstance(value, str) else json.dumps(value)
