"""A policy as an object of a framework that the running interpreter has."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import DlgaugeError
from harness.schedules.base import PolicyError
from harness.schedules.policies import Policy, learning_rates

AnyPolicy = Policy | Mapping[str, Any] | str


def torch_scheduler(policy: AnyPolicy, optimizer: Any, steps: int) -> Any:
    """A `torch.optim.lr_scheduler.LRScheduler` for an optimizer: `optimizer.step(); scheduler.step()`.

    Every parameter group gets the policy's rate. The rate is a Python float, exactly that of the trace.

    Args:
        policy: a policy, its mapping in a settings file, or LRBench's string form.
        optimizer: a `torch.optim.Optimizer`; the rate that it was made with plays no part.
        steps: steps of the training; after the last of them the rate stays what it was.

    Raises:
        DlgaugeError: this interpreter has no Torch.
        PolicyError: `policy` is none, or has no learning rate at some step; `steps` is below 1.
    """
    return _module("torch_table", "torch").RateTable(optimizer, _trace(policy, steps))


def keras_schedule(policy: AnyPolicy, steps: int) -> Any:
    """A `keras.optimizers.schedules.LearningRateSchedule`: `keras.optimizers.SGD(learning_rate=schedule)`.

    The rate is that of the trace rounded to float32. Arguments and errors as `torch_scheduler`.
    """
    return _module("keras_table", "keras").RateTable(_trace(policy, steps))


def optax_schedule(policy: AnyPolicy, steps: int) -> Callable[[Any], Any]:
    """A schedule of optax, a function of the step: `optax.sgd(learning_rate=schedule)`.

    The rate is that of the trace rounded to float32 (float64 under `jax_enable_x64`). Arguments and errors as
    `torch_scheduler`; it needs JAX alone.
    """
    schedule: Callable[[Any], Any] = _module("optax_table", "jax").rate_table(_trace(policy, steps))
    return schedule


def _trace(policy: AnyPolicy, steps: int) -> NDArray[np.float64]:
    if steps < 1:
        raise PolicyError(f"steps={steps} should be at least 1")
    return learning_rates(policy, steps)


def _module(name: str, package: str) -> ModuleType:
    try:
        return importlib.import_module(f"harness.schedules.export.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        raise DlgaugeError(
            f"this Python has no {package}",
            hint=f"install it, or write a file for another Python: dlgauge lr export POLICY --steps N "
            f"--to {name.removesuffix('_table')} --out FILE",
        ) from None
