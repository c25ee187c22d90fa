"""The reference's optimizers against their formulas, with one number by hand; averaged weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from frameworks.numpy.adapter import make_update
from harness.parity.contract_cases import contract_cases
from tests.frameworks.reference import build

GRADIENTS, RATES, START = (1.0, -2.0, 0.5), (0.1, 0.05, 0.2), 3.0


def trained(rate: float = 1.0, decay: float = 0.0, **optimizer: Any) -> float:
    parameters = {"w": np.array([START])}
    update = make_update(optimizer, {"w": {"rate": rate, "weight_decay": decay}}, parameters)
    for gradient, step_rate in zip(GRADIENTS, RATES, strict=True):
        update({"w": np.array([gradient])}, step_rate)
    return float(parameters["w"][0])


def sgd(**changes: Any) -> dict[str, Any]:
    return {"kind": "sgd", "momentum": 0.5, "momentum_form": "rate_in_velocity", "nesterov": False, **changes}


def adam(placement: str) -> dict[str, Any]:
    return {"kind": "adam", "beta1": 0.9, "beta2": 0.99, "epsilon": 0.1, "epsilon_placement": placement}


def test_momentum_with_the_rate_in_the_velocity() -> None:
    v1 = 0.1
    v2 = 0.5 * v1 - 0.1
    v3 = 0.5 * v2 + 0.1
    assert trained(**sgd()) == pytest.approx(START - v1 - v2 - v3)
    nesterov = START - (0.5 * v1 + 0.1) - (0.5 * v2 - 0.1) - (0.5 * v3 + 0.1)
    assert trained(**sgd(nesterov=True)) == pytest.approx(nesterov)


def test_momentum_with_the_rate_on_the_velocity() -> None:
    v1 = 1.0
    v2 = 0.5 * v1 - 2.0
    v3 = 0.5 * v2 + 0.5
    on_velocity = sgd(momentum_form="rate_on_velocity")
    assert trained(**on_velocity) == pytest.approx(START - 0.1 * v1 - 0.05 * v2 - 0.2 * v3)
    nesterov = START - 0.1 * (1.0 + 0.5 * v1) - 0.05 * (-2.0 + 0.5 * v2) - 0.2 * (0.5 + 0.5 * v3)
    assert trained(**{**on_velocity, "nesterov": True}) == pytest.approx(nesterov)


@pytest.mark.parametrize("placement", ["corrected", "uncorrected"])
def test_adam(placement: str) -> None:
    w = START
    for t in range(1, 4):
        m = sum(0.1 * 0.9 ** (t - i) * GRADIENTS[i - 1] for i in range(1, t + 1))
        v = sum(0.01 * 0.99 ** (t - i) * GRADIENTS[i - 1] ** 2 for i in range(1, t + 1))
        c1, c2 = 1 - 0.9**t, 1 - 0.99**t
        epsilon = 0.1 if placement == "corrected" else 0.1 / c2**0.5
        w -= RATES[t - 1] * (m / c1) / ((v / c2) ** 0.5 + epsilon)
    assert trained(**adam(placement)) == pytest.approx(w)


def test_rate_multiplier_and_weight_decay_of_a_parameter() -> None:
    w = START
    for gradient, rate in zip(GRADIENTS, RATES, strict=True):
        w -= 2 * rate * (gradient + 0.25 * w)
    assert trained(rate=2.0, decay=0.25, **sgd(momentum=0.0)) == pytest.approx(w)


def test_averaged_weights_are_used_in_evaluation_and_nowhere_else() -> None:
    (case,) = (case for case in contract_cases() if case.name == "weight-average")
    adapter = build(case)
    average = {name: value.astype(np.float64) for name, value in adapter.weights().items()}
    for indices in (np.arange(8), np.arange(8, 16), np.arange(16, 24)):
        adapter.train_step(indices, 0.1, None)
        for name, value in adapter.parameters.items():
            average[name] = 0.8 * average[name] + 0.2 * value
    for name, value in average.items():
        np.testing.assert_allclose(adapter.averages[name], value)
        assert not np.allclose(adapter.weights()[name], value)
    plain = build(case)
    plain.parameters.update(average)
    plain.decay = None
    np.testing.assert_array_equal(adapter.predict("test", np.arange(5)), plain.predict("test", np.arange(5)))
