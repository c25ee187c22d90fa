"""Making learning-rate policies out of names and parameters, plain values, and LRBench's string form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from harness.fields import FileModel
from harness.schedules.base import Compat, PolicyError, PolicyModel, Rates
from harness.schedules.composite import Composite, WarmUp, Functions, with_compat
from harness.schedules.string_form import plain_values, read_with_positions
from harness.validation import Problem, problems_of

Policy = Annotated[
    Functions | Composite | WarmUp, Field(discriminator="policy"), BeforeValidator(plain_values)
]
"""Any learning-rate policy: a field of this type reads plain values and the string form."""

_POLICY: TypeAdapter[Policy] = TypeAdapter(Policy)
_RATE_KEYS = ("k0", "k1", "start")


class _Holder(FileModel):
    learning_rate: Policy


def policy(name: str, **parameters: Any) -> Policy:
    """A policy by its name and parameters: `policy("TRI", k0=0.001, k1=0.06, l=250)`. Errors as `parse_policy`."""
    return parse_policy({"policy": name, **parameters})


def parse_policy(value: Policy | Mapping[str, Any] | str, compat: Compat | None = None) -> Policy:
    """The policy that a value stands for.

    Args:
        value: a policy, its plain values (`{"policy": "TRI", "k0": 0.001, "k1": 0.06, "l": 250}`), or LRBench's string form.
        compat: `lrbench` for what LRBench's code computes, in every part.

    Raises:
        PolicyError: it is none; every reason, in the string form with the place.
    """
    if compat is None and isinstance(value, PolicyModel):
        return cast(Policy, value)
    text = value if isinstance(value, str) else None
    try:
        plain = value if compat is None else with_compat(value, compat)
        return _Holder.model_validate({"learning_rate": plain}).learning_rate
    except ValidationError as error:
        problems = problems_of(error, _Holder)
        raise PolicyError("; ".join(_sentence(problem, text) for problem in problems)) from None


def learning_rates(value: Policy | Mapping[str, Any] | str, steps: int) -> Rates:
    """Learning rates of a training of `steps` steps: float64, shape `(steps,)`, item `t` for the step `t` from 0.

    Raises:
        PolicyError: `steps` is negative, it is no policy, or a rate is not finite or negative.
    """
    return parse_policy(value).trace(steps)


def scaled(value: Policy, factor: float) -> Policy:
    """The policy with every rate multiplied by a factor greater than 0: the scale of the base rate in LRBench's measure of robustness.

    Up to rounding; exactly where the factor is a power of two.
    """
    if not 0 < factor < float("inf"):
        raise PolicyError(f"the factor of a learning rate should be a finite number greater than 0, not {factor!r}")
    return parse_policy(_multiplied(value.model_dump(mode="json"), factor))


def _multiplied(value: Any, factor: float) -> Any:
    if isinstance(value, dict):
        return {
            key: item * factor if key in _RATE_KEYS else _multiplied(item, factor) for key, item in value.items()
        }
    return [_multiplied(item, factor) for item in value] if isinstance(value, list) else value


def _sentence(problem: Problem, text: str | None) -> str:
    message = problem.message.replace("learning_rate.", "").replace(" in learning_rate", "")
    message = message.removeprefix("learning_rate: ").removeprefix("learning_rate ")
    if text is None or len(problem.key_path) < 2:
        return message
    position = read_with_positions(text).position(problem.key_path[1:])
    return f"{message} (position {position} of {text!r})"
