"""POLICY on a command line: LRBench's string form, a file, a setting of the project, or a function's name."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from harness.schedules import Policy
    from harness.yaml_files import YamlDocument

MOST_STEPS = 100_000_000
YAML_SUFFIXES = (".yaml", ".yml")
SOLVER_SUFFIX = ".prototxt"
POLICY_HELP = (
    "LRBench's string form (lrPolicy_TRI+k0_0.001+k1_0.06+l_250), a settings file (.yaml), "
    "a Caffe solver (.prototxt), or a setting of the project (caffe-mnist)."
)


class Compat(StrEnum):
    """Whose definition counts where the table of the paper and the code of LRBench differ."""

    TABLE = "table"
    LRBENCH = "lrbench"


def steps_option(default: Any = ...) -> Any:
    """The option `--steps`."""
    return typer.Option(default, "--steps", min=1, max=MOST_STEPS, help="Steps, counted from 0.")


def compat_option() -> Any:
    """The option `--compat`."""
    return typer.Option(
        None, "--compat", help="lrbench: what LRBench's code computes where it differs from the paper's table."
    )


def read_policy(text: str, compat: Compat | None = None, *, examples: bool = False) -> Policy:
    """The policy that an argument names.

    Args:
        text: see `POLICY_HELP`.
        compat: None: what the policy itself says.
        examples: a function's name alone stands for that function with the parameters of its example.

    Raises:
        DlgaugeError: it names none, or one that is not valid; the message says where and what to do.
    """
    from harness.errors import DlgaugeError
    from harness.schedules import FUNCTIONS
    from harness.validation import nearest
    from harness.workloads.settings import load_setting, setting_names

    path = Path(text)
    if text.startswith("lrPolicy"):
        return _parsed(text, text, compat)
    if path.suffix.lower() in YAML_SUFFIXES:
        return _from_yaml(path, compat)
    if path.suffix.lower() == SOLVER_SUFFIX:
        return _from_solver(path, compat)
    if text in FUNCTIONS:
        example = FUNCTIONS[text].example
        if examples:
            return _parsed(example, text, compat)
        raise DlgaugeError(
            f"{text} needs its parameters: {', '.join(FUNCTIONS[text].parameters)}",
            hint=f"for example {_string_form(example)}; dlgauge lr show {text} tells what they mean",
        )
    if text in setting_names():
        return _parsed(load_setting(text).learning_rate, text, compat)
    if path.is_file():
        return _from_yaml(path, compat)
    raise DlgaugeError(
        f"{text!r} is no learning-rate policy{nearest(text, [*FUNCTIONS, *setting_names()])}",
        hint=f"POLICY is {POLICY_HELP[0].lower()}{POLICY_HELP[1:]}" if POLICY_HELP[0] != "L" else f"POLICY: {POLICY_HELP}",
    )


def rates_of(policy: Policy, steps: int, text: str) -> Any:
    """The policy's rates, float64 of shape `(steps,)`; a policy without a trace is an error that names `text`."""
    from harness.errors import DlgaugeError
    from harness.schedules import learning_rates

    try:
        return learning_rates(policy, steps)
    except ValueError as error:
        raise DlgaugeError(str(error), where=text) from None


def label_of(policy: Policy) -> str:
    """A short name for people: `TRI k0=0.001 k1=0.06 l=250`."""
    from harness.schedules import string_form

    return string_form(policy).replace("lrPolicy_", "").replace("+", " ").replace("_", "=")


def _string_form(example: Any) -> str:
    from harness.schedules import parse_policy, string_form

    return string_form(parse_policy(example))


def _parsed(value: Any, where: str, compat: Compat | None) -> Policy:
    from harness.errors import DlgaugeError
    from harness.schedules import parse_policy

    try:
        return parse_policy(value, compat=compat.value if compat else None)
    except ValueError as error:
        raise DlgaugeError(str(error), where=where) from None


def _from_yaml(path: Path, compat: Compat | None) -> Policy:
    """The policy of a settings file, or of a file that holds nothing but a policy."""
    from harness.yaml_files import load_yaml

    document = load_yaml(path)
    return _parsed(_policy_value(document), document.where(), compat)


def _policy_value(document: YamlDocument) -> Any:
    raise NotImplementedError


def _from_solver(path: Path, compat: Compat | None) -> Policy:
    raise NotImplementedError
