"""POLICY on a command line: LRBench's string form, a file, a setting of the project, or a function's name."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from harness.schedules import LearningRate, Policy
    from harness.yaml_files import YamlDocument

MOST_STEPS = 10_000_000
YAML_SUFFIXES = (".yaml", ".yml")
SOLVER_SUFFIX = ".prototxt"
PLATEAU_RULES = ("REDUCE_ON_PLATEAU", "CHANGE_ON_PLATEAU")
POLICY_HELP = (
    "A policy in LRBench's string form (lrPolicy_TRI+k0_0.001+k1_0.06+l_250), a settings file (.yaml), a Caffe solver "
    "(.prototxt), or a setting of the project (caffe-mnist)."
)
STEPS = typer.Option(..., "--steps", min=1, max=MOST_STEPS, help="Number of steps; they are counted from 0.")
DRAWN_STEPS = typer.Option(2000, "--steps", min=1, max=MOST_STEPS, help="Number of steps to draw.")


class Compat(StrEnum):
    """What is followed where the paper's table and another source differ."""

    LRBENCH = "lrbench"


COMPAT = typer.Option(
    None, "--compat", help="lrbench: what LRBench's code computes where it differs from the table of its paper."
)


def read_policy(text: str, compat: Compat | None = None, *, example: bool = False) -> Policy:
    """The policy that an argument names; a plateau rule is refused. Otherwise as `read_learning_rate`."""
    from harness.errors import DlgaugeError
    from harness.schedules import PlateauRule

    found = read_learning_rate(text, compat, example=example)
    if isinstance(found, PlateauRule):
        raise DlgaugeError(
            f"{found.policy} follows the validation images and has no trace",
            where=text,
            hint="dlgauge lr verify, dlgauge lr robustness and dlgauge run train with it",
        )
    return found


def read_learning_rate(text: str, compat: Compat | None = None, *, example: bool = False) -> LearningRate:
    """The policy or plateau rule that an argument names.

    Args:
        text: see `POLICY_HELP`.
        compat: None: what the policy itself says.
        example: a function's name alone stands for that function with the parameters of its example.

    Raises:
        DlgaugeError: it names none, or one that is not valid.
    """
    from harness.errors import DlgaugeError
    from harness.schedules import FUNCTIONS
    from harness.validation import nearest
    from harness.workloads.settings import load_setting, setting_names

    path = Path(text)
    if path.suffix.lower() in YAML_SUFFIXES:
        return _from_file(path, compat)
    if path.suffix.lower() == SOLVER_SUFFIX:
        return _from_solver(path, compat)
    if text.removeprefix("lrPolicy_").partition("+")[0] in PLATEAU_RULES:
        raise DlgaugeError(
            f"{text!r}: a plateau rule has no string form",
            hint="give a file (.yaml); docs/studies.md has the keys and an example",
        )
    if text.startswith("lrPolicy") or "+" in text:
        return _parsed(text, compat)
    if text in FUNCTIONS:
        if example:
            return example_policy(text, compat)
        raise DlgaugeError(
            f"{text} needs its parameters: {', '.join(FUNCTIONS[text].parameters)}",
            hint=f"for example {_example_text(text)}; dlgauge lr show {text} tells what they mean",
        )
    if text in setting_names():
        return _parsed(load_setting(text).learning_rate, compat, where=f"setting {text}")
    if path.is_file():
        return _from_file(path, compat)
    raise DlgaugeError(
        f"{text!r} is no learning-rate policy{nearest(text, [*FUNCTIONS, *setting_names()])}",
        hint="give one in LRBench's string form, such as lrPolicy_FIX+k0_0.01, or a settings file (.yaml)",
    )


def example_policy(name: str, compat: Compat | None = None) -> Policy:
    """The function `name` of `FUNCTIONS` with the parameters of its example."""
    from harness.schedules import FUNCTIONS, parse_policy

    function = FUNCTIONS[name]
    parameters = function.lrbench_example if compat and function.lrbench_example else function.example
    return parse_policy({"policy": name, **parameters}, compat=compat.value if compat else None)


def label(policy: Policy) -> str:
    """A policy on one line for people: `TRI k0=0.001 k1=0.06 l=250`, and what is put together in the string form."""
    from harness.schedules import FUNCTIONS, string_form

    return policy.short() if policy.policy in FUNCTIONS else string_form(policy)


def _example_text(name: str) -> str:
    from harness.schedules import string_form

    return string_form(example_policy(name))


def _parsed(value: Any, compat: Compat | None, *, where: str | None = None) -> LearningRate:
    from harness.errors import DlgaugeError
    from harness.schedules import PlateauRule, PolicyError, parse_policy

    if isinstance(value, PlateauRule):
        if compat:
            what = f"--compat is for functions: {value.policy} is not one"
            raise DlgaugeError(what, where=where, hint="write compat: lrbench into the policies of its list")
        return value
    try:
        return parse_policy(value, compat=compat.value if compat else None)
    except PolicyError as error:
        raise DlgaugeError(error.what, where=where or error.where, hint=error.hint) from None


def _from_file(path: Path, compat: Compat | None) -> LearningRate:
    """The policy or plateau rule of a settings file, or of a file that holds one alone."""
    from pydantic import ConfigDict

    from harness import schedules
    from harness.fields import FileModel
    from harness.yaml_files import load_yaml, validate

    class Part(FileModel):
        """What counts of a settings file here."""

        model_config = ConfigDict(extra="ignore")
        learning_rate: schedules.LearningRate

    document = load_yaml(path)
    if "policy" in document.value:
        document = _as_setting(document)
    part = validate(document, Part)
    return _parsed(part.learning_rate, compat, where=document.where(("learning_rate",)))


def _from_solver(path: Path, compat: Compat | None) -> LearningRate:
    from harness.schedules.prototxt import load_solver_policy

    return _parsed(load_solver_policy(path), compat, where=str(path))


def _as_setting(document: YamlDocument) -> YamlDocument:
    from harness.yaml_files import YamlDocument

    lines = {("learning_rate", *path): line for path, line in document.lines.items()}
    return YamlDocument(document.path, {"learning_rate": document.value}, lines)
