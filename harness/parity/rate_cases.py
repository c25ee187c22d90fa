"""The rate in force: steps from whose updates alone the learning rate is known, through the rates of every function.

A network of one dense layer sees images of zeros, so its logits are its biases. The bias of class 0 starts so high that
its probability is 1 and every other 0, to the last bit of float32; step `i` trains on images of class `i + 1` alone, so
the gradient is exactly 1 at the bias of class 0, -1 at that of class `i + 1`, and 0 elsewhere. A bias that started at 0
therefore holds, after all steps, the rate that its one step used: one reading of the weights gives the rates of all
steps, each rounded to float32 once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frameworks.worker.protocol import RATES_PROBE
from harness.parity.case import Case
from harness.parity.contract_cases import setting
from harness.parity.probing import Probe
from harness.schedules import FUNCTIONS, policy
from harness.workloads import Setting, parse_network

Rates = NDArray[np.float64]

STEPS_EACH = 60
STRIDE = 37
"""Of every function the rates at each 37th step: prime to the lengths of cycles, and the whole range of the step."""
FEW = 150
"""Steps of the cases that are about the form of an update, in which all functions' rates are thinned to this number."""
MOMENTUM = 0.5
TOLERANCE = 1e-6
"""Largest relative difference from the function's own value in float64; rounding to float32 alone is 6e-8."""
SMALLEST = float(np.finfo(np.float32).tiny)
MARGIN = 1000.0


def function_rates() -> dict[str, Rates]:
    """Learning-rate function -> `STEPS_EACH` of its rates, with its example parameters."""
    t = STRIDE * np.arange(STEPS_EACH, dtype=np.float64)
    return {name: policy(name, **function.example).rates(t) for name, function in FUNCTIONS.items()}


@dataclass(frozen=True, kw_only=True)
class RateCase(Case):
    """A case in which every step has a given rate and a known gradient.

    Attributes:
        given: the rate of every step.
        named: what the rate of every step is, in words.
        expected: what the update adds to the bias of each step's class, from the rates of all steps.
    """

    given: Rates
    named: tuple[str, ...]
    expected: Callable[[Rates], Rates]

    def rates(self) -> Rates:
        """See `Case`."""
        return self.given

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """All zero but the bias of class 0, which stays far above all that is added to another."""
        biases = np.zeros(self.steps + 1, np.float32)
        biases[0] = MARGIN + 4.0 * self.given.sum()
        return {"logits.weights": np.zeros((self.steps + 1, 1), np.float32), "logits.biases": biases}

    def description(self, folder: str) -> dict[str, Any]:
        """See `Case`."""
        return {**super().description(folder), "probe": RATES_PROBE}


def rate_cases() -> list[RateCase]:
    """Every function in plain steps; a choice of their rates through the other forms of an update."""
    rates, names = function_rates(), []
    for name in rates:
        names += [f"{name} at step {STRIDE * i}" for i in range(STEPS_EACH)]
    every = list(zip(np.concatenate(list(rates.values())).tolist(), names, strict=True))
    few = every[:: max(1, len(every) // FEW)]
    momentum = {"kind": "sgd", "momentum": MOMENTUM}
    return [
        _case("rate-in-force", every, {"kind": "sgd"}, lambda given: given),
        _case("rate-in-force-in-velocity", few, {**momentum, "momentum_form": "rate_in_velocity"}, _in_velocity),
        _case("rate-in-force-on-velocity", few, {**momentum, "momentum_form": "rate_on_velocity"}, _on_velocity),
        _case(
            "rate-in-force-adam",
            few,
            # Without memory, of a gradient g of 1 or -1, Adam's step is the rate times g.
            {"kind": "adam", "beta1": 0.0, "beta2": 0.0, "epsilon_placement": "corrected"},
            lambda given: given,
        ),
    ]


def _case(
    name: str, steps: list[tuple[float, str]], optimizer: Mapping[str, Any], expected: Callable[[Rates], Rates]
) -> RateCase:
    count = len(steps)
    layers = [{"name": "logits", "kind": "dense", "units": count + 1}]
    own = setting(
        steps=count,
        batch_size=2,
        optimizer=dict(optimizer),
        multipliers={"weights": {"rate": 1.0, "decay": 1.0}, "biases": {"rate": 1.0, "decay": 1.0}},
    )
    images = np.zeros((count, 1, 1, 1), np.float32)
    labels = np.arange(1, count + 1, dtype=np.int32)
    return RateCase(
        name,
        parse_network({"name": "rates", "input": [1, 1, 1], "layers": layers}),
        Setting.model_validate(own),
        (images, labels),
        (images, labels),
        count,
        given=np.array([rate for rate, _ in steps], np.float64),
        named=tuple(named for _, named in steps),
        expected=expected,
    )


def _in_velocity(given: Rates) -> Rates:
    """`v = m v + r g; b -= v`: the step's rate, and what its velocity moves on through the steps that are left."""
    left = len(given) - np.arange(len(given))
    moved: Rates = given * (1.0 - MOMENTUM**left) / (1.0 - MOMENTUM)
    return moved


def _on_velocity(given: Rates) -> Rates:
    """`v = m v + g; b -= r v`: a gradient of 1 times the rate of its step and, fading, of those that follow."""
    found, total = np.zeros_like(given), 0.0
    for step in range(len(given) - 1, -1, -1):
        total = given[step] + MOMENTUM * total
        found[step] = total
    return found


def wrong_rate(case: RateCase, probe: Probe) -> str | None:
    """What is wrong with the rates that a probe shows, the first step of them; None where they are in force.

    What the update did is judged first: it is the evidence. What the adapter tells has to agree with it.
    """
    shown: list[tuple[str, NDArray[Any] | None, Rates]] = [
        ("the update moved its bias by", _moved(probe), case.expected(case.given)),
        ("applied_rate() told", probe.arrays.get("learning_rate"), case.given),
    ]
    for what, found, expected in shown:
        if found is None or found.shape != expected.shape:
            return f"{what}: nothing of the right shape"
        wrong = ~(np.abs(found - expected) <= TOLERANCE * np.abs(expected) + SMALLEST)
        if wrong.any():
            step = int(np.flatnonzero(wrong)[0])
            right = f"with the rate {case.given[step]:.9g} it should be {expected[step]:.9g}"
            where = f"{case.named[step]} ({wrong.sum()} of {len(wrong)} steps)"
            return f"{where}: {what} {float(found[step]):.9g}; {right} to {TOLERANCE:g}"
    return None


def _moved(probe: Probe) -> NDArray[Any] | None:
    after = probe.arrays.get("weights_after:logits.biases")
    return None if after is None else after.astype(np.float64)[1:]
