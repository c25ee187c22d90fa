"""Initialisers: bounds and spreads from their definitions, missing connections, the same draws for the same seed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from harness.workloads.initialisation import Filler, Weights, connection_mask, draw_weights
from harness.workloads.networks import Parameter, parameters

PARAMETER = Parameter(shape=(60, 20, 5, 5), fan_in=500, fan_out=1500)
UNIFORM_STD = 1 / math.sqrt(3)


def draw(fields: dict[str, Any], parameter: Parameter = PARAMETER) -> np.ndarray:
    filler: Any = TypeAdapter(Filler).validate_python(fields)
    return filler.draw(np.random.RandomState(1), parameter)


@pytest.mark.parametrize(
    ("fields", "bound"),
    [
        ({"kind": "caffe_xavier"}, math.sqrt(3 / 500)),
        ({"kind": "glorot_uniform"}, math.sqrt(6 / 2000)),
        ({"kind": "glorot_uniform", "fan_out_divisor": 4.0}, math.sqrt(6 / 875)),
        ({"kind": "inverse_sqrt_fan_in"}, 1 / math.sqrt(500)),
    ],
)
def test_uniform_ones_fill_their_interval(fields: dict[str, Any], bound: float) -> None:
    values = draw(fields)
    assert values.shape == PARAMETER.shape
    assert 0.999 * bound < values.max() < bound and -bound < values.min() < -0.999 * bound
    assert values.mean() == pytest.approx(0, abs=0.02 * bound)
    assert values.std() == pytest.approx(UNIFORM_STD * bound, rel=0.01)


@pytest.mark.parametrize(
    ("fields", "mean", "std"),
    [
        ({"kind": "gaussian", "std": 0.01}, 0.0, 0.01),
        ({"kind": "gaussian", "mean": 3.0, "std": 0.5}, 3.0, 0.5),
        ({"kind": "he_normal"}, 0.0, math.sqrt(2 / 500)),
    ],
)
def test_normal_ones(fields: dict[str, Any], mean: float, std: float) -> None:
    values = draw(fields)
    assert values.mean() == pytest.approx(mean, abs=0.03 * std)
    assert values.std() == pytest.approx(std, rel=0.02)
    assert (np.abs(values - mean) > 2 * std).mean() == pytest.approx(0.0455, abs=0.005)


def test_a_truncated_normal_has_no_tails_and_is_no_clipped_normal() -> None:
    values = draw({"kind": "truncated_normal", "std": 0.1})
    assert np.abs(values).max() <= 0.2
    assert (np.abs(values) > 0.199).mean() < 0.005, "values beyond are drawn again, not clipped"
    # The deviation of a standard normal cut at two.
    assert values.std() == pytest.approx(0.08796, rel=0.02)
    assert values.mean() == pytest.approx(0, abs=0.002)


def test_a_constant_is_constant() -> None:
    assert (draw({"kind": "constant", "value": -0.25}) == -0.25).all()


def test_a_bias_has_the_fan_in_of_its_layer() -> None:
    bias = Parameter(shape=(4000,), fan_in=400, fan_out=4000)
    assert np.abs(draw({"kind": "inverse_sqrt_fan_in"}, bias)).max() == pytest.approx(1 / 20, rel=0.01)


CONV = {"kind": "convolution", "filters": 8, "kernel": 3}
NETWORK = {
    "name": "net",
    "input": [6, 8, 8],
    "layers": [
        {"name": "map", **CONV, "connections": {"fan_in": 2, "seed": 5}},
        {"name": "norm", "kind": "batch_normalisation", "epsilon": 1e-5, "decay": 0.9},
        {"name": "conv", **CONV, "groups": 2},
        {"name": "logits", "kind": "dense", "units": 4},
    ],
}


def drawn(seed: int, network: dict[str, Any] = NETWORK, **own: dict[str, Any]) -> Weights:
    filler: TypeAdapter[Any] = TypeAdapter(Filler)
    names = [name for name, parameter in parameters(network).items() if parameter.initial is None]
    fields = {**dict.fromkeys(names, {"kind": "gaussian", "std": 1.0}), **own}
    return draw_weights(network, {name: filler.validate_python(one) for name, one in fields.items()}, seed)


def test_weights_without_a_connection_are_zero_and_all_others_are_drawn() -> None:
    mask = connection_mask(parameters(NETWORK)["map.weights"])
    weights = drawn(1)["map.weights"]
    assert mask.sum() == 8 * 2 * 9 == parameters(NETWORK)["map.weights"].count
    assert (weights[mask == 0] == 0).all() and (weights[mask == 1] != 0).all()


def test_a_constant_does_not_make_connections() -> None:
    constant = drawn(1, **{"map.weights": {"kind": "constant", "value": 2.0}})["map.weights"]
    assert constant.sum() == 2.0 * 8 * 2 * 9


def test_batch_normalisation_starts_as_one_and_zero() -> None:
    weights = drawn(1)
    assert (weights["norm.weights"] == 1).all() and (weights["norm.biases"] == 0).all()


def test_the_same_seed_draws_the_same_and_another_seed_something_else() -> None:
    first, again, other = drawn(1), drawn(1), drawn(2)
    assert list(first) == list(parameters(NETWORK))
    for name, parameter in parameters(NETWORK).items():
        assert first[name].dtype == np.float32 and first[name].shape == parameter.shape
        np.testing.assert_array_equal(first[name], again[name])
        if parameter.initial is None:
            assert not np.array_equal(first[name], other[name])


def test_later_layers_and_constants_leave_earlier_draws_alone() -> None:
    shorter = {**NETWORK, "layers": NETWORK["layers"][:1]}  # type: ignore[index]
    np.testing.assert_array_equal(drawn(1)["map.weights"], drawn(1, shorter)["map.weights"])
    changed = drawn(1, **{"logits.biases": {"kind": "constant", "value": 0.0}})
    np.testing.assert_array_equal(changed["logits.weights"], drawn(1)["logits.weights"])
