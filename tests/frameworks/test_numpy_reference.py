"""The reference that parity compares with: its gradients against differences, its layers against their definitions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, get_args

import numpy as np
import pytest

from frameworks.numpy.layers import KINDS, Context, MovingStatistics
from frameworks.worker.masks import DropoutMasks
from frameworks.worker.order import BatchOrder
from harness.parity.contract_cases import BATCH, contract_cases
from harness.workloads import resolve_network
from harness.workloads.networks import Layer
from tests.frameworks.reference import build

CASES = {case.name: case for case in contract_cases()}
STEP = 1e-6
"""Of central differences: in float64 rounding and curvature are then both about 1e-9 of the gradient."""

COORDINATES = 4


def layers_of_all_cases() -> Iterator[Any]:
    """Every layer of the contract once, however many cases have it."""
    seen = set()
    for case in CASES.values():
        for layer in resolve_network(case.network)["layers"]:
            key = str({name: value for name, value in layer.items() if name not in ("name", "inputs")})
            if key not in seen:
                seen.add(key)
                yield pytest.param(layer, id=f"{case.name}-{layer['name']}")


LAYERS = list(layers_of_all_cases())


def differences(loss: Callable[[], float], array: np.ndarray, random: np.random.RandomState) -> Iterator[tuple]:
    """(index, central difference) of a few coordinates of an array, which stays as it is."""
    for index in random.choice(array.size, min(COORDINATES, array.size), replace=False):
        place = np.unravel_index(index, array.shape)
        value = array[place]
        array[place] = value + STEP
        above = loss()
        array[place] = value - STEP
        below = loss()
        array[place] = value
        yield place, (above - below) / (2 * STEP)


def layer_parameters(layer: dict[str, Any], random: np.random.RandomState) -> dict[str, np.ndarray]:
    inputs, outputs = layer["input_shapes"][0], layer["output_shape"][0]
    weights = {
        "convolution": lambda: (layer["filters"], inputs[0] // layer["groups"], layer["kernel"], layer["kernel"]),
        "dense": lambda: (layer["units"], int(np.prod(inputs))),
        "batch_normalisation": lambda: (inputs[0],),
    }.get(layer["kind"])
    if weights is None:
        return {}
    found = {"weights": random.normal(size=weights())}
    if layer.get("biases", True):
        found["biases"] = random.normal(size=outputs)
    return found


def training_context(layer: dict[str, Any], random: np.random.RandomState) -> Context:
    moving = MovingStatistics(layer["output_shape"][0])
    mean, variance = random.normal(size=layer["output_shape"][0]), random.uniform(1, 2, layer["output_shape"][0])
    moving.add(0.9, mean, variance)
    masks = {layer["name"]: random.randint(0, 2, (3, *layer["output_shape"])).astype(np.uint8)}
    return Context(True, masks, {layer["name"]: moving}, keep=True)


def test_every_layer_kind_is_in_the_contract_and_in_the_reference() -> None:
    models = get_args(get_args(Layer)[0])
    kinds = {kind for model in models for kind in get_args(model.model_fields["kind"].annotation)}
    assert kinds == set(KINDS) == {layer.kind for case in CASES.values() for layer in case.network.layers}


@pytest.mark.parametrize("layer", LAYERS)
def test_gradients_of_a_layer_by_its_inputs_and_parameters(layer: dict[str, Any]) -> None:
    random = np.random.RandomState(3)
    inputs = [random.uniform(-1, 1, (3, *shape)) for shape in layer["input_shapes"]]
    parameters = layer_parameters(layer, random)
    context = training_context(layer, random)
    toward = random.normal(size=(3, *layer["output_shape"]))

    def loss() -> float:
        return float((KINDS[layer["kind"]](layer, inputs, parameters, context)[0] * toward).sum())

    output, backward = KINDS[layer["kind"]](layer, inputs, parameters, context)
    assert list(output.shape[1:]) == layer["output_shape"]
    by_inputs, by_parameters = backward(toward)
    assert set(by_parameters) == set(parameters)
    pairs = [*zip(inputs, by_inputs, strict=True), *((parameters[role], by_parameters[role]) for role in parameters)]
    for array, gradient in pairs:
        assert gradient.shape == array.shape
        for place, expected in differences(loss, array, random):
            assert gradient[place] == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_gradients_of_a_whole_network_by_every_parameter(name: str) -> None:
    case = CASES[name]
    adapter, random = build(case), np.random.RandomState(4)
    indices = BatchOrder(case.seed, len(case.train[0]), BATCH).next()
    masks = DropoutMasks(case.seed, resolve_network(case.network), BATCH).next()
    images, labels = case.train[0][indices], case.train[1][indices]

    def loss() -> float:
        context = Context(True, masks, adapter.statistics, keep=True)
        return adapter.loss_and_gradients(images, labels, context)[0]

    gradients = adapter.gradients(indices, masks)
    assert set(gradients) == set(adapter.parameters)
    for parameter, gradient in gradients.items():
        for place, expected in differences(loss, adapter.parameters[parameter], random):
            found = gradient[place]
            assert found == pytest.approx(expected, rel=1e-5, abs=1e-8), f"{parameter}{list(place)}"


def test_gradients_leave_no_trace() -> None:
    case = CASES["batch-normalisation"]
    adapter = build(case)
    indices = np.arange(BATCH, dtype=np.int32)
    before = adapter.activations("test", indices)
    adapter.gradients(indices, None)
    after = adapter.activations("test", indices)
    for name, array in before.items():
        np.testing.assert_array_equal(array, after[name])
    assert adapter.train_step(indices, 0.0, None) == build(case).train_step(indices, 0.0, None)


# What a layer computes, one output at a time.


def padded_at(x: np.ndarray, row: int, column: int, outside: float) -> np.ndarray:
    inside = 0 <= row < x.shape[1] and 0 <= column < x.shape[2]
    return x[:, row, column] if inside else np.full(x.shape[0], outside)


def windows(x: np.ndarray, layer: dict[str, Any], outside: float) -> Iterator[tuple[int, int, np.ndarray]]:
    """(row, column, window `(C, kernel, kernel)`) of every output of an image `(C, H, W)`."""
    kernel, stride, (top, left) = layer["kernel"], layer["stride"], (side[0] for side in layer["padding"])
    for row in range(layer["output_shape"][1]):
        for column in range(layer["output_shape"][2]):
            elements = [
                [padded_at(x, row * stride - top + i, column * stride - left + j, outside) for j in range(kernel)]
                for i in range(kernel)
            ]
            yield row, column, np.array(elements).transpose(2, 0, 1)


def convolution(x: np.ndarray, layer: dict[str, Any], parameters: dict[str, np.ndarray]) -> np.ndarray:
    channels, filters, groups = x.shape[0], layer["filters"], layer["groups"]
    y = np.zeros(layer["output_shape"])
    for row, column, window in windows(x, layer, 0.0):
        for k in range(filters):
            group = k // (filters // groups)
            seen = range(group * channels // groups, (group + 1) * channels // groups)
            connected = layer["connections"][k] if layer["connections"] else seen
            for channel in connected:
                y[k, row, column] += (window[channel] * parameters["weights"][k, channel - seen[0]]).sum()
            if "biases" in parameters:
                y[k, row, column] += parameters["biases"][k]
    return y


def max_pool(x: np.ndarray, layer: dict[str, Any], _parameters: object) -> np.ndarray:
    y = np.zeros(layer["output_shape"])
    for row, column, window in windows(x, layer, -np.inf):
        y[:, row, column] = window.max(axis=(1, 2))
    return y


def average_pool(x: np.ndarray, layer: dict[str, Any], _parameters: object) -> np.ndarray:
    more = layer["explicit_padding"] if layer["divisor"] == "padded" else 0
    counted = np.ones((1, x.shape[1] + 2 * more, x.shape[2] + 2 * more))
    among_counted = {**layer, "padding": [[before - more, 0] for before, _ in layer["padding"]]}
    divisors = {(row, column): window.sum() for row, column, window in windows(counted, among_counted, 0.0)}
    y = np.zeros(layer["output_shape"])
    for row, column, window in windows(x, layer, 0.0):
        y[:, row, column] = window.sum(axis=(1, 2)) / divisors[row, column]
    return y


def local_response_normalisation(x: np.ndarray, layer: dict[str, Any], _parameters: object) -> np.ndarray:
    reach, y = layer["size"] // 2, np.zeros(x.shape)
    channels, height, width = x.shape
    for c, i, j in np.ndindex(x.shape):
        if layer["across"] == "channels":
            near, count = x[max(c - reach, 0) : min(c + reach + 1, channels), i, j], layer["size"]
        else:
            rows, columns = slice(max(i - reach, 0), i + reach + 1), slice(max(j - reach, 0), j + reach + 1)
            near, count = x[c, rows, columns], layer["size"] ** 2
        y[c, i, j] = x[c, i, j] / (layer["bias"] + layer["alpha"] / count * (near**2).sum()) ** layer["beta"]
    return y


DEFINITIONS: dict[str, Callable[..., np.ndarray]] = {
    "convolution": convolution,
    "max_pool": max_pool,
    "average_pool": average_pool,
    "local_response_normalisation": local_response_normalisation,
    "global_average_pool": lambda x, *_: x.reshape(len(x), -1).mean(axis=1),
    "dense": lambda x, _layer, own: own["weights"] @ x.ravel() + own.get("biases", 0.0),
    "relu": lambda x, *_: np.where(x > 0, x, 0.0),
    "tanh": lambda x, *_: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)),
    "sigmoid": lambda x, *_: 1 / (1 + np.exp(-x)),
    "dropout": lambda x, *_: x,
}


@pytest.mark.parametrize("layer", [param for param in LAYERS if param.values[0]["kind"] in DEFINITIONS])
def test_the_output_of_a_layer_is_that_of_its_definition(layer: dict[str, Any]) -> None:
    random = np.random.RandomState(5)
    x = random.uniform(-1, 1, (2, *layer["input_shapes"][0]))
    parameters = layer_parameters(layer, random)
    output, _ = KINDS[layer["kind"]](layer, [x], parameters, Context(False, None, {}))
    for image, found in zip(x, output, strict=True):
        np.testing.assert_allclose(found, DEFINITIONS[layer["kind"]](image, layer, parameters), rtol=1e-6, atol=1e-9)


def test_dropout_keeps_what_the_mask_says_and_scales_it() -> None:
    layer, x = {"name": "drop", "kind": "dropout", "keep": 0.25}, np.array([[1.0, 2.0, 3.0]])
    context = Context(True, {"drop": np.array([[1, 0, 1]], np.uint8)}, {})
    assert KINDS["dropout"](layer, [x], {}, context)[0].tolist() == [[4.0, 0.0, 12.0]]


NORM = {"name": "norm", "kind": "batch_normalisation", "epsilon": 1e-3, "decay": 0.8}


@pytest.mark.parametrize("shape", [(6, 4, 3, 2), (6, 4)])
def test_moving_statistics_are_the_weighted_means_of_the_definition(shape: tuple[int, ...]) -> None:
    random, axes = np.random.RandomState(6), (0, 2, 3)[: len(shape) - 1]
    moving, own = MovingStatistics(4), {"weights": random.normal(size=4), "biases": random.normal(size=4)}
    batches = [random.normal(loc=step, scale=step + 1, size=shape) for step in range(3)]
    for batch in batches:
        KINDS["batch_normalisation"](NORM, [batch], own, Context(True, None, {"norm": moving}))
    count = shape[0] * int(np.prod(shape[2:]))
    shares = np.array([0.8**2, 0.8, 1.0]) / (0.8**2 + 0.8 + 1.0)
    mean = sum(share * batch.mean(axis=axes) for share, batch in zip(shares, batches, strict=True))
    variance = sum(
        share * batch.var(axis=axes) * count / (count - 1) for share, batch in zip(shares, batches, strict=True)
    )
    np.testing.assert_allclose(moving.mean, mean)
    np.testing.assert_allclose(moving.variance, variance)
    x = random.normal(size=shape)
    y, _ = KINDS["batch_normalisation"](NORM, [x], own, Context(False, None, {"norm": moving}))
    wide = (slice(None), *(None,) * (len(shape) - 2))
    expected = own["weights"][wide] * (x - mean[wide]) / np.sqrt(variance[wide] + 1e-3) + own["biases"][wide]
    np.testing.assert_allclose(y, expected)


def test_in_training_every_channel_is_normalised_over_the_mini_batch() -> None:
    random = np.random.RandomState(7)
    own = {"weights": np.array([2.0, 0.5, 1.0]), "biases": np.array([0.0, 1.0, -1.0])}
    context = Context(True, None, {"norm": MovingStatistics(3)})
    y, _ = KINDS["batch_normalisation"](NORM, [random.normal(3.0, 10.0, (8, 3, 5, 5))], own, context)
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), own["biases"], atol=1e-12)
    np.testing.assert_allclose(y.std(axis=(0, 2, 3)), own["weights"], rtol=1e-4)


def test_before_the_first_step_batch_normalisation_changes_nothing_but_scale_and_shift() -> None:
    own, x = {"weights": np.array([2.0]), "biases": np.array([1.0])}, np.array([[3.0]])
    y, _ = KINDS["batch_normalisation"](NORM, [x], own, Context(False, None, {"norm": MovingStatistics(1)}))
    assert y[0, 0] == pytest.approx(2 * 3 / np.sqrt(1.001) + 1)
