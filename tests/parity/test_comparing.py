"""Comparing probes: what is wrong is found where it shows first, and named by quantity and layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import frameworks.numpy.adapter as reference_adapter
from frameworks.numpy.adapter import Adapter
from harness.parity.case import Case, case_from
from harness.parity.comparing import CONTRACT_TOLERANCES, WORKLOAD_TOLERANCES, Difference, compare, first_violation
from harness.parity.contract_cases import CLASSES, IMAGES, SGD, STEPS, network, setting
from harness.parity.probing import Probe
from tests.frameworks.reference import probe

LAYERS = (
    {"name": "conv", "kind": "convolution", "filters": 4, "kernel": 3, "biases": False},
    {"name": "pool", "kind": "average_pool", "kernel": 3, "stride": 2, "padding": 1, "rounding": "ceil"},
    {"name": "norm", "kind": "batch_normalisation", "epsilon": 1e-5, "decay": 0.9},
    {
        "name": "lrn",
        "kind": "local_response_normalisation",
        "across": "channels",
        "size": 3,
        "alpha": 1.0,
        "beta": 0.75,
    },
    {"name": "drop", "kind": "dropout", "keep": 0.5},
)


def case(**changes: Any) -> Case:
    return case_from("small", network(*LAYERS), setting(**changes), steps=STEPS, images=IMAGES, classes=CLASSES)


CASE = case()
REFERENCE = probe(CASE)


def violation_of(found: Probe, reference: Probe = REFERENCE, of: Case = CASE) -> Difference | None:
    return first_violation(compare(reference, found, of.network, CONTRACT_TOLERANCES))


def changed(key: str, change: Callable[[np.ndarray], np.ndarray]) -> Probe:
    return Probe({**REFERENCE.arrays, key: change(REFERENCE.arrays[key].copy())})


def test_the_reference_agrees_with_itself_in_both_precisions() -> None:
    assert violation_of(REFERENCE) is None
    assert violation_of(probe(CASE, precision="float32")) is None


def test_every_quantity_layer_and_parameter_is_compared() -> None:
    found = {(one.quantity, one.name) for one in compare(REFERENCE, REFERENCE, CASE.network)}
    layers = [layer.name for layer in CASE.network.layers]
    named = ["conv.weights", *(f"{layer}.{role}" for layer in ("norm", "logits") for role in ("weights", "biases"))]
    expected = {(quantity, layer) for quantity in ("activations_before", "activations_after") for layer in layers}
    expected |= {
        (quantity, name) for quantity in ("weights_before", "gradients", "first_update", "updates") for name in named
    }
    steps = {(quantity, "step 1") for quantity in ("learning_rate", "loss")}
    assert found == expected | steps | {("probabilities_after", "softmax")}


ARRAYS = [
    ("weights_before:conv.weights", "weights_before", "conv.weights"),
    ("activations_before:pool", "activations_before", "pool"),
    ("gradients:norm.biases", "gradients", "norm.biases"),
    ("weights_first:logits.biases", "first_update", "logits.biases"),
    ("weights_after:logits.weights", "updates", "logits.weights"),
    ("activations_after:drop", "activations_after", "drop"),
    ("probabilities_after:softmax", "probabilities_after", "softmax"),
]


@pytest.mark.parametrize(("key", "quantity", "name"), ARRAYS)
def test_one_wrong_element_is_found_and_named(key: str, quantity: str, name: str) -> None:
    def spoil(array: np.ndarray) -> np.ndarray:
        array.flat[-1] += 0.1 * np.abs(array).max()
        return array

    violation = violation_of(changed(key, spoil))
    assert violation is not None
    assert (violation.quantity, violation.name, violation.detail) == (quantity, name, None)
    assert violation.relative is not None and violation.relative > CONTRACT_TOLERANCES[quantity]


@pytest.mark.parametrize(("key", "quantity", "name"), ARRAYS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_found_and_named(key: str, quantity: str, name: str, bad: float) -> None:
    def spoil(array: np.ndarray) -> np.ndarray:
        array.flat[0] = bad
        return array

    violation = violation_of(changed(key, spoil))
    assert violation is not None
    assert (violation.quantity, violation.name) == (quantity, name)
    assert (violation.relative, violation.detail) == (None, "values that are not finite")


@pytest.mark.parametrize(
    ("key", "quantity", "name"), [array for array in ARRAYS if array[1] not in ("first_update", "updates")]
)
def test_another_shape_is_told_with_both_shapes(key: str, quantity: str, name: str) -> None:
    violation = violation_of(changed(key, lambda array: array[:-1]))
    shape = REFERENCE.arrays[key].shape
    assert violation is not None
    assert (violation.quantity, violation.name, violation.relative) == (quantity, name, None)
    assert violation.detail == f"shape {(shape[0] - 1, *shape[1:])}, expected {shape}"


@pytest.mark.parametrize(("key", "quantity", "name"), ARRAYS)
def test_a_missing_array_is_told(key: str, quantity: str, name: str) -> None:
    violation = violation_of(Probe({own: array for own, array in REFERENCE.arrays.items() if own != key}))
    assert violation is not None
    assert (violation.quantity, violation.name, violation.detail) == (quantity, name, "missing")


def test_of_several_wrong_arrays_the_first_in_the_order_of_computation_is_told() -> None:
    arrays = {key: array + (1.0 if key.startswith(("act", "grad", "prob")) else 0.0) for key, array in ARRAY_ITEMS}
    violation = violation_of(Probe(arrays))
    assert violation is not None and (violation.quantity, violation.name) == ("activations_before", "conv")
    gradients = {key: array + (1.0 if key.startswith("grad") else 0.0) for key, array in ARRAY_ITEMS}
    violation = violation_of(Probe(gradients))
    assert violation is not None and (violation.quantity, violation.name) == ("gradients", "logits.biases")


ARRAY_ITEMS = list(REFERENCE.arrays.items())


@pytest.mark.parametrize("quantity", ["loss", "learning_rate"])
def test_the_first_wrong_step_is_named(quantity: str) -> None:
    def spoil(array: np.ndarray) -> np.ndarray:
        array[3:] *= 1.001
        return array

    violation = violation_of(changed(quantity, spoil))
    assert violation is not None
    assert (violation.quantity, violation.name) == (quantity, "step 4")
    assert violation.relative == pytest.approx(0.001)


def test_a_loss_that_is_not_finite_and_missing_steps_are_told() -> None:
    violation = violation_of(changed("loss", lambda array: np.where(np.arange(STEPS) == 2, np.nan, array)))
    assert violation is not None and (violation.name, violation.relative) == ("step 3", None)
    assert violation.detail == f"is nan, expected {REFERENCE.arrays['loss'][2]}"
    violation = violation_of(changed("loss", lambda array: array[:-1]))
    assert violation is not None and violation.detail == f"{STEPS - 1} steps, expected {STEPS}"


@pytest.mark.parametrize("key", ["activations_before:norm", "loss"])
def test_a_reference_that_is_not_finite_proves_nothing(key: str) -> None:
    def spoil(array: np.ndarray) -> np.ndarray:
        array.flat[0] = np.nan
        return array

    violation = first_violation(compare(changed(key, spoil), REFERENCE, CASE.network))
    assert violation is not None and violation.relative is None and violation.detail is not None


def test_a_gradient_of_nothing_but_rounding_is_no_difference() -> None:
    """Batch normalisation takes out whatever a bias in front of it adds."""
    useless = {"name": "conv", "kind": "convolution", "filters": 4, "kernel": 3}
    layers = network(useless, *LAYERS[1:])
    biased = case_from("biased", layers, setting(), steps=STEPS, images=IMAGES, classes=CLASSES)
    exact, rounded = probe(biased), probe(biased, precision="float32")
    assert np.abs(exact.arrays["gradients:conv.biases"]).max() < 1e-12
    assert np.abs(rounded.arrays["gradients:conv.biases"]).max() > 1e-10
    assert first_violation(compare(exact, rounded, biased.network, WORKLOAD_TOLERANCES)) is None


# Adapters with one mistake each, as they are really made.


class LateRate(Adapter):
    """Every step uses the rate of the step before, and tells the one that it was asked for."""

    def build(self, *arguments: Any) -> None:
        super().build(*arguments)
        self.last: float | None = None

    def train_on(self, images: Any, labels: Any, learning_rate: float, masks: Any) -> float:
        rate, self.last = self.last or learning_rate, learning_rate
        return super().train_on(images, labels, rate, masks)

    def applied_rate(self) -> float:
        return self.last or 0.0


class HonestLateRate(LateRate):
    """The same, but it tells what it did."""

    def applied_rate(self) -> float:
        return Adapter.applied_rate(self)


class AlphaNotShared(Adapter):
    """TensorFlow's alpha in place of Caffe's."""

    def build(self, network: Any, loss: str, setting: Any, weights: Any) -> None:
        layers = [{**layer, "alpha": 3.0} if layer["name"] == "lrn" else layer for layer in network["layers"]]
        super().build({**network, "layers": layers}, loss, setting, weights)


class PaddingCounts(Adapter):
    """Torch's average pool in place of TensorFlow's."""

    def build(self, network: Any, loss: str, setting: Any, weights: Any) -> None:
        layers = [{**layer, "divisor": "padded"} if layer["name"] == "pool" else layer for layer in network["layers"]]
        super().build({**network, "layers": layers}, loss, setting, weights)


class BiasesAsWeights(Adapter):
    """Multipliers of the biases are forgotten."""

    def build(self, network: Any, loss: str, setting: Any, weights: Any) -> None:
        settings = {name: {"rate": 1.0, "weight_decay": 0.001} for name in network["parameters"]}
        super().build({**network, "parameters": settings}, loss, setting, weights)


class OtherMomentum(Adapter):
    """The other form of momentum, which shows only where the rate changes."""

    def build(self, network: Any, loss: str, setting: Any, weights: Any) -> None:
        optimizer = {**setting["optimizer"], "momentum_form": "rate_on_velocity"}
        super().build(network, loss, {**setting, "optimizer": optimizer}, weights)


class NoDropout(Adapter):
    """Dropout does nothing in training."""

    def train_on(self, images: Any, labels: Any, learning_rate: float, masks: Any) -> float:
        return super().train_on(images, labels, learning_rate, self.all_of(masks))

    def gradients(self, indices: Any, masks: Any) -> Any:
        return super().gradients(indices, self.all_of(masks))

    def all_of(self, masks: Any) -> Any:
        return {name: np.full_like(mask, 1) for name, mask in masks.items()}


class SumOfLosses(Adapter):
    """The loss is summed over the mini-batch, not averaged."""

    def loss_and_gradients(self, images: Any, labels: Any, context: Any) -> Any:
        loss, gradients = super().loss_and_gradients(images, labels, context)
        return loss * len(labels), {name: gradient * len(labels) for name, gradient in gradients.items()}


class ForgetsThatLastStep(Adapter):
    """A step on given images does not change the parameters."""

    def train_step(self, indices: Any, learning_rate: float, masks: Any) -> float:
        images, labels = self.images["train"][indices], self.labels["train"][indices]
        return super().train_on(images, labels, learning_rate, masks)

    def train_on(self, images: Any, labels: Any, learning_rate: float, masks: Any) -> float:
        self.rate = learning_rate
        context = reference_adapter.Context(True, masks, self.statistics)
        return self.loss_and_gradients(images, labels, context)[0]


@pytest.mark.parametrize(
    ("adapter", "quantity", "name"),
    [
        (AlphaNotShared, "activations_before", "lrn"),
        (PaddingCounts, "activations_before", "pool"),
        (NoDropout, "gradients", "logits.biases"),
        (SumOfLosses, "gradients", "logits.biases"),
        (BiasesAsWeights, "first_update", "logits.biases"),
        (LateRate, "loss", "step 3"),
        (HonestLateRate, "learning_rate", "step 2"),
        (OtherMomentum, "loss", "step 3"),
        (ForgetsThatLastStep, "updates", "logits.biases"),
    ],
)
def test_a_mistake_in_an_adapter_is_found_where_it_shows_first(
    adapter: type[Adapter], quantity: str, name: str
) -> None:
    violation = violation_of(probe(CASE, adapter))
    assert violation is not None
    assert (violation.quantity, violation.name) == (quantity, name)


def test_weight_decay_that_is_forgotten_shows_in_the_first_update() -> None:
    without = case(optimizer={**SGD, "weight_decay": 0.0})
    violation = violation_of(probe(without))
    assert violation is not None and violation.quantity == "first_update"


def test_evaluating_without_the_averages_shows_after_the_steps() -> None:
    averaged = case(weight_average={"decay": 0.8})
    plain, reference = probe(CASE), probe(averaged)
    violation = violation_of(plain, reference, averaged)
    assert violation is not None
    assert (violation.quantity, violation.name) == ("activations_after", "conv")
