"""From a study's lists to the cells of its matrix."""

from __future__ import annotations

import functools
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError

from harness.fields import FileModel
from harness.schedules import MOST_STEPS, PlateauRule, Policy, PolicyError, candidate_rates, usable_evaluations
from harness.study.frameworks import FrameworkDescription, obstacle
from harness.study.keys import Assignment, Part, UnknownKey, apply, resolve_key
from harness.study.model import Cell
from harness.study.profile import CpusNotThere, Profile, ProfileFile, resolve_profile
from harness.validation import KeyPath, problems_of
from harness.workloads.settings import TOO_LONG, Setting
from harness.workloads.workload import Workload
from harness.yaml_files import YamlDocument, by_line, combined_error

Resolved = TypeVar("Resolved", bound=FileModel)


@dataclass(frozen=True)
class Ingredients:
    """What a study names, loaded.

    Attributes:
        settings: None stands for the setting of the workload's own name.
        own_settings: workload name -> that setting, where the study asks for it.
        length_share: every setting is run for this share of its length.
    """

    frameworks: tuple[FrameworkDescription, ...]
    workloads: tuple[Workload, ...]
    settings: tuple[Setting | None, ...]
    profiles: tuple[ProfileFile, ...]
    length_share: float = 1.0
    own_settings: Mapping[str, Setting] = field(default_factory=dict)


def expand(
    document: YamlDocument, ingredients: Ingredients, cpus: Sequence[int], problems: Sequence[tuple[str, str]] = ()
) -> tuple[Cell, ...]:
    """All cells, in the order of the file: workloads, settings, profiles, varied values, frameworks.

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
        return kept, kept_variants

    def check_values(
        self, ingredients: Ingredients, overrides: list[Assignment], variants: list[list[Assignment]]
    ) -> None:
        """Note the values that are wrong in themselves, of a study that has no cells for what else is wrong with it.

        What lies between several keys is passed over: it may follow from one that is misspelt.
        """
        bases: list[tuple[Part, FileModel]] = [
            *(("setting", one) for one in (*ingredients.settings, *ingredients.own_settings.values()) if one),
            *(("profile", one) for one in ingredients.profiles),
        ]
        for part, base in bases:
            for chosen in ((), *((one,) for variant in variants for one in variant)):
                own = [one for one in (*overrides, *chosen) if one.part == part]
                try:
                    type(base).model_validate(apply(base.model_dump(mode="json", exclude_none=True), own))
                except ValidationError as error:
                    for problem in problems_of(error, type(base)):
                        if any(one.touches(problem.key_path) for one in own):
                            self._report(part, problem.key_path, problem.message, own, ())

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
        )
        for workload, (setting_index, setting), (profile_index, profile), chosen in matrix:
            assignments = [*overrides, *chosen]
            base = setting or ingredients.own_settings[workload.name]
            key_path = ("settings", setting_index)
            ready = self._setting(base, assignments, workload, ingredients.length_share, key_path)
            resolved = self._profile(profile, assignments, ("profiles", profile_index))
            if ready is None or resolved is None:
                continue
            varied = {assignment.key: assignment.value for assignment in chosen}
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
                    obstacle=obstacle(framework, resolved, workload.network),
                )

    def _setting(
        self, base: Setting, assignments: list[Assignment], workload: Workload, share: float, key_path: KeyPath
    ) -> Setting | None:
        setting = self._override(base, "setting", assignments, key_path)
        if setting is None:
            return None
        steps = max(math.ceil(share * setting.steps_for(workload.dataset.train)), setting.warm_up_steps + 1)
        wrong = list(_misfits(setting, steps, workload))
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
        touching = [assignment for assignment in own if assignment.touches(path)] or (own if not path else [])
        if not touching:
            self.problems.append((self.document.where(key_path), message))
            return
        holding = [assignment for assignment in touching if len(assignment.path) <= len(path)] or touching
        last = holding[-1]
        # A section given as a mapping stands in the study with its own keys, each in its line.
        self.problems.append((self.document.where((*last.key_path, *path[len(last.path) :])), message))


def _misfits(setting: Setting, steps: int, workload: Workload) -> Iterator[tuple[KeyPath, str]]:
    """What of a valid setting does not fit the workload."""
    if steps > MOST_STEPS:
        message = f"epochs {setting.epochs:g} are {steps} steps, more than the {MOST_STEPS} there may be: {TOO_LONG}"
        yield ("epochs",), message
        return
    dataset, validation = workload.dataset, setting.validation
    trained_on = setting.trained_on(dataset.train)
    if validation and trained_on < 1:
        message = f"validation.images {validation.images} leaves none of the {dataset.train} training images of dataset"
        yield ("validation", "images"), f"{message} {dataset.name!r} to train on"
        return
    if setting.batch_size > trained_on:
        left = f"{trained_on} training images" + (" that are not held out" if validation else "")
        yield ("batch_size",), _too_large("batch_size", setting.batch_size, dataset.name, left)
    counts = {"test": dataset.test}
    if validation and validation.every_steps:
        counts["validation"] = validation.images
    for split, count in counts.items():
        if setting.evaluation.batch_size > count:
            message = _too_large(
                "evaluation.batch_size", setting.evaluation.batch_size, dataset.name, f"{count} {split} images"
            )
            yield ("evaluation", "batch_size"), message
    if setting.early_stopping and validation and validation.every_steps:
        patience, first = setting.early_stopping.patience_steps, max(validation.every_steps, setting.warm_up_steps + 1)
        if patience + 1 < first:
            message = f"early_stopping.patience_steps {patience} would end training before the first validation, which "
            yield ("early_stopping", "patience_steps"), f"{message}comes after {first} steps"
    if setting.warm_up_steps >= steps:
        yield ("warm_up_steps",), f"warm_up_steps {setting.warm_up_steps} should be smaller than the {steps} steps"
    yield from _rate_misfits(setting, steps)


def _rate_misfits(setting: Setting, steps: int) -> Iterator[tuple[KeyPath, str]]:
    """What of the learning rate does not fit the length of the training."""
    rule, validation = setting.learning_rate, setting.validation
    if isinstance(rule, PlateauRule):
        assert validation is not None and validation.every_steps is not None
        every, warm_up = validation.every_steps, setting.warm_up_steps
        looks = usable_evaluations(steps, every, warm_up)
        if every >= steps:
            message = f"validation.every_steps {every} should be smaller than the {steps} steps: "
            yield ("validation", "every_steps"), f"{message}{rule.policy} would never change the rate"
        elif looks < (least := rule.least_evaluations):
            message = f"learning_rate: {rule.policy} changes the rate after {least} evaluations of the validation images"
            when = f"one every {every} steps, after {warm_up} warm-up steps and before the last of {steps} steps"
            yield ("learning_rate",), f"{message} at the soonest, and there are {looks}: {when}"
        try:
            candidate_rates(rule, steps, looks)
        except ValueError as error:
            yield ("learning_rate",), f"learning_rate: {error}"
        return
    if fault := _fault_of_rates(rule, steps):
        yield ("learning_rate",), fault


@functools.lru_cache(maxsize=256)
def _fault_of_rates(policy: Policy, steps: int) -> str | None:
    """What is wrong with the rate at some step; the same policy stands in many cells."""
    try:
        policy.trace(steps)
    except PolicyError as error:
        return str(error)
    return None


def _too_large(key: str, size: int, dataset: str, images: str) -> str:
    return f"{key} {size} is larger than dataset {dataset!r} with its {images}"


def short_value(value: Any) -> str:
    """A value of a varied key as short text, such as `INV k0=0.01 gamma=0.0001 p=0.75`."""
    if isinstance(value, Mapping):
        return " ".join(
            str(item) if key in ("policy", "kind") else f"{key}={short_value(item)}" for key, item in value.items()
        )
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return f"[{', '.join(short_value(item) for item in value)}]"
    return value if isinstance(value, str) else json.dumps(value)
