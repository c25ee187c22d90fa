"""From the options of a command to a study: the same trials, checks and errors as a study file gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from harness.errors import FileFormatError
from harness.study import FrameworkDescription, Study, study_of
from harness.study.model import OWN_SETTING
from harness.validation import nearest
from harness.workloads.settings import Setting, load_setting
from harness.workloads.workload import Workload, load_workload
from harness.yaml_files import YamlDocument, combined_error

HELD_OUT_SHARE = 0.1
"""Share of the training images that is held out where the setting holds none out: a tenth, as many papers do on MNIST
and CIFAR-10 (5,000 to 10,000 of 50,000 to 60,000)."""

EVALUATION_COUNTS = (8, 10, 6, 5, 9, 7, 4, 3, 2)
"""How many evaluations of the validation images a run has, the first of these that divides its steps."""


@dataclass(frozen=True)
class Experiment:
    """What a command is to train, as its options say.

    Attributes:
        workload, setting, profile: names, or paths of files.
        frameworks: names.
        setting: `own` for that of the workload's name.
        steps: of every run; None: as long as the setting says.
        hold_out: validation images; None: those of the setting, else a tenth.
    """

    study: str
    title: str
    workload: str
    setting: str
    frameworks: tuple[str, ...]
    profile: str = "local"
    seeds: tuple[int, ...] = (1,)
    steps: int | None = None
    hold_out: int | None = None
    time_limit_s: float = 3600.0


class _Source(StrEnum):
    OPTION = "as --hold-out says"
    SETTING = "as the setting says"
    DEFAULT = "the setting holds no validation images out, so by default"

    @classmethod
    def of(cls, experiment: Experiment, setting: Setting) -> _Source:
        """Where the number of images comes from."""
        if experiment.hold_out:
            return cls.OPTION
        return cls.SETTING if setting.validation else cls.DEFAULT


@dataclass(frozen=True)
class HeldOut:
    """The images on which policies are compared.

    Attributes:
        images: how many.
        source: who says that they are held out.
        every_steps: how often they are evaluated; it divides the steps, so that the last step is.
    """

    images: int
    source: _Source
    every_steps: int

    @property
    def sentence(self) -> str:
        """For people: which images decide."""
        return f"{self.source}, {self.images} training images are held out and decide; the test images decide nothing"


class _Options(YamlDocument):
    """A document made of a command's options; an error names the option in place of a line."""

    def where(self, key_path: Sequence[str | int] = ()) -> str:
        names = {"workloads": "WORKLOAD", "settings": "--setting", "frameworks": "--framework", "profiles": "--profile"}
        others = {"seeds": "--seeds", "study": "--study"}
        path = tuple(key_path)
        if path[:1] == ("overrides",):
            return {"steps": "--steps"}.get(str(path[-1]), "the setting")
        if path[:1] == ("vary",):
            return f"the policy {self.get(path)}"
        return {**names, **others}.get(str(path[0]) if path else "", "the options")


def study_and_validation(
    experiment: Experiment,
    policies: Sequence[Mapping[str, Any]] = (),
    *,
    evaluate_once: bool = False,
    known: Mapping[str, FrameworkDescription] | None = None,
    also: Sequence[tuple[str, str]] = (),
) -> tuple[Study, HeldOut]:
    """The study of an experiment, with images held out for validation whatever its setting says.

    Args:
        policies: values of `learning_rate`, each a row of cells; none: the setting's own.
        evaluate_once: the validation images after the last step only.
        known: the frameworks there are; default all.
        also: (option, message) of problems found already, told together with those found here.

    Raises:
        FileFormatError: everything that is wrong with the options, nearest names offered.
    """
    workload, setting = _names_or_all_problems(experiment, known, also)
    steps = experiment.steps or setting.steps_for(workload.dataset.train)
    held_out = _held_out(experiment, workload, setting, steps, evaluate_once)
    overrides: dict[str, Any] = {
        "steps": steps,
        "evaluation.every_steps": steps,
        "validation": {
            "images": held_out.images,
            "position": setting.validation.position if setting.validation else "last",
            "every_steps": held_out.every_steps,
        },
        # Patience would end runs at different steps, and the policies are compared over the same ones.
        "early_stopping": None,
    }
    values: dict[str, Any] = {
        "study": experiment.study,
        "title": experiment.title,
        "workloads": [experiment.workload],
        "settings": [experiment.setting],
        "frameworks": list(experiment.frameworks),
        "profiles": [experiment.profile],
        "seeds": list(experiment.seeds),
        "overrides": overrides,
        "time_limit": experiment.time_limit_s,
    }
    if policies:
        values["vary"] = {"learning_rate": [dict(policy) for policy in policies]}
    study = study_of(_Options(Path("options"), values, {}), frameworks=known)
    if unable := [cell for cell in study.cells if cell.obstacle]:
        problems = [("--framework", f"{cell.label}: {': '.join(cell.obstacle or ())}") for cell in unable]
        raise combined_error(problems)
    return study, held_out


def _names_or_all_problems(
    experiment: Experiment, known: Mapping[str, FrameworkDescription] | None, also: Sequence[tuple[str, str]]
) -> tuple[Workload, Setting]:
    """Workload and setting; what is wrong with any name of the experiment, in one error."""
    from harness.study import load_frameworks, load_profile

    problems = list(also)
    found: list[Any] = []
    setting = experiment.workload.split("@")[0] if experiment.setting == OWN_SETTING else experiment.setting
    loads = (("WORKLOAD", load_workload, experiment.workload), ("--setting", load_setting, setting))
    for option, load, name in (*loads, ("--profile", load_profile, experiment.profile)):
        try:
            found.append(load(name))
        except FileFormatError as error:
            problems.append((error.where or option, error.what))
    there = load_frameworks() if known is None else known
    for name in experiment.frameworks:
        if name not in there:
            problems.append(("--framework", f"unknown framework {name!r}{nearest(name, there)}"))
    if not experiment.frameworks:
        problems.append(("--framework", "no framework is named"))
    if experiment.steps is not None and experiment.steps < 2:
        problems.append(("--steps", f"{experiment.steps} is too short: at least 2"))
    if experiment.hold_out is not None and experiment.hold_out < 1:
        problems.append(("--hold-out", f"{experiment.hold_out} images are none: at least 1"))
    if problems:
        raise combined_error(problems)
    return found[0], found[1]


def _held_out(experiment: Experiment, workload: Workload, setting: Setting, steps: int, evaluate_once: bool) -> HeldOut:
    own, batch = setting.validation, setting.evaluation.batch_size
    images = experiment.hold_out or (own.images if own else max(int(HELD_OUT_SHARE * workload.dataset.train), batch))
    return HeldOut(images, _Source.of(experiment, setting), steps if evaluate_once else evaluation_period(steps))


def evaluation_period(steps: int) -> int:
    """Steps between two evaluations of the validation images: a divisor, about an eighth of the run."""
    return next((steps // count for count in EVALUATION_COUNTS if steps % count == 0), steps)
