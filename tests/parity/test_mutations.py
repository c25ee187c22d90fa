"""Parity bites: adapters with one deliberate error each, and the layer and quantity by which each is found.

The mutants are the NumPy reference with one thing wrong, in float32, as a framework would be; they run in this
interpreter through the probe of the worker. One of them goes the whole way, as a folder of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import numpy as np
import pytest

from frameworks.numpy import layers as reference_layers
from frameworks.numpy.adapter import Adapter
from frameworks.numpy.layers import KINDS, MovingStatistics, add_windows, pad, unpad, windows_of
from harness.parity.case import Case, case_from
from harness.parity.contract import judge
from harness.parity.contract_cases import CLASSES, IMAGES, SGD, STEPS, network, setting
from harness.parity.verdict import Outcome, Verdict
from harness.paths import PROJECT_ROOT
from tests.frameworks.reference import probe
from tests.here import copy_framework, dlgauge, use_this_interpreter

CONV = {"kind": "convolution", "filters": 4, "kernel": 3}
TWO = ({**CONV, "name": "first"}, {**CONV, "name": "second", "padding": 1})
POOL = {"name": "pool", "kind": "average_pool", "kernel": 3, "stride": 2, "padding": 1, "rounding": "floor"}
MAXIMUM = {"name": "pool", "kind": "max_pool", "kernel": 2, "stride": 1}
DROP = ({"name": "hidden", "kind": "dense", "units": 16}, {"name": "drop", "kind": "dropout", "keep": 0.5})
LRN = {
    "name": "lrn",
    "kind": "local_response_normalisation",
    "across": "channels",
    "size": 3,
    "alpha": 1.0,
    "beta": 0.75,
}
NORM = {"name": "norm", "kind": "batch_normalisation", "epsilon": 1e-5, "decay": 0.9}
ADAM = {"kind": "adam", "epsilon_placement": "corrected", "epsilon": 0.01}


class Mutant(Adapter):
    """The reference with other layer functions.

    Attributes:
        kinds: layer kind -> function in place of the reference's.
    """

    kinds: ClassVar[dict[str, Callable[..., Any]]] = {}

    def forward(self, *arguments: Any) -> Any:
        with patch.dict(KINDS, self.kinds):
            return super().forward(*arguments)


class ShiftedPadding(Mutant):
    """One row too many above, one too few below."""

    def build(self, network: Any, *others: Any) -> None:
        for layer in network["layers"]:
            if layer["name"] == "second":
                (top, bottom), columns = layer["padding"]
                layer["padding"] = [[top + 1, bottom - 1], columns]
        super().build(network, *others)


def transposed(layer: Any, inputs: Any, parameters: Any, context: Any) -> Any:
    """Rows and columns of the kernels of `second` are swapped."""
    if layer["name"] == "second":
        parameters = {**parameters, "weights": parameters["weights"].transpose(0, 1, 3, 2)}
    return reference_layers.convolution(layer, inputs, parameters, context)


class TransposedKernels(Mutant):
    kinds: ClassVar = {"convolution": transposed}


class LostMultiplier(Mutant):
    """The biases of `second` learn at the rate of the weights."""

    def build(self, network: Any, *others: Any) -> None:
        network["parameters"]["second.biases"]["rate"] = 1.0
        super().build(network, *others)


class LostDecay(Mutant):
    """No weight decay on the weights of `first`."""

    def build(self, network: Any, *others: Any) -> None:
        network["parameters"]["first.weights"]["weight_decay"] = 0.0
        super().build(network, *others)


class LateRate(Mutant):
    """From the second step on, the rate of the step before; it tells the one that it was asked for."""

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


class OtherMomentum(Mutant):
    """Torch's form of momentum in place of Caffe's."""

    def build(self, network: Any, loss: Any, setting: Any, weights: Any) -> None:
        setting["optimizer"]["momentum_form"] = "rate_on_velocity"
        super().build(network, loss, setting, weights)


class OtherEpsilon(Mutant):
    """TensorFlow's placement of epsilon in place of Torch's."""

    def build(self, network: Any, loss: Any, setting: Any, weights: Any) -> None:
        setting["optimizer"]["epsilon_placement"] = "uncorrected"
        super().build(network, loss, setting, weights)


class PaddingCounts(Mutant):
    """The average at the edge is over the padded window."""

    def build(self, network: Any, *others: Any) -> None:
        for layer in network["layers"]:
            if layer["name"] == "pool":
                layer["divisor"] = "padded"
        super().build(network, *others)


class UndividedAlpha(Mutant):
    """TensorFlow's alpha in place of Caffe's."""

    def build(self, network: Any, *others: Any) -> None:
        for layer in network["layers"]:
            if layer["name"] == "lrn":
                layer["alpha"] *= layer["size"]
        super().build(network, *others)


class BiasedStatistics(MovingStatistics):
    """Takes back the correction of the variance of `count` values."""

    def __init__(self, channels: int, count: int) -> None:
        super().__init__(channels)
        self.count = count

    def add(self, decay: float, mean: Any, variance: Any) -> None:
        super().add(decay, mean, variance * (self.count - 1) / self.count)


class BiasedVariance(Mutant):
    """Evaluation uses the biased variances of the mini-batches."""

    def build(self, network: Any, loss: Any, setting: Any, weights: Any) -> None:
        super().build(network, loss, setting, weights)
        channels, rows, columns = next(layer["output_shape"] for layer in network["layers"] if layer["name"] == "norm")
        self.statistics["norm"] = BiasedStatistics(channels, setting["batch_size"] * rows * columns)


def dropout(layer: Any, inputs: Any, parameters: Any, context: Any) -> Any:
    """What is kept is not divided by the probability of keeping it."""
    return reference_layers.dropout({**layer, "keep": 1.0}, inputs, parameters, context)


class NotRescaled(Mutant):
    kinds: ClassVar = {"dropout": dropout}


def all_maxima(layer: Any, inputs: Any, parameters: Any, context: Any) -> Any:
    """Theano's gradient: to every element that equals the maximum."""
    (x,), kernel, stride = inputs, layer["kernel"], layer["stride"]
    padded = pad(x, layer["padding"], -np.inf)
    windows = windows_of(padded, kernel, stride)
    y = windows.max(axis=(4, 5))

    def backward(dy: Any) -> Any:
        d_windows = np.where(windows == y[..., None, None], dy[..., None, None], 0).astype(dy.dtype)
        return [unpad(add_windows(d_windows, padded.shape, kernel, stride), layer["padding"], x.shape)], {}

    return y, backward


class AllMaxima(Mutant):
    kinds: ClassVar = {"max_pool": all_maxima}


@dataclass(frozen=True)
class Mutation:
    """An error, where it can show, and how it has to be reported.

    Attributes:
        layers: of the network.
        quantity, name: of the first difference.
        steps: of the training; after one alone, `updates` tells a parameter.
        causes: the documented differences that are named.
        optimizer: of the setting.
        tied: whether all pixels of an image are equal.
    """

    mutant: type[Adapter]
    layers: tuple[dict[str, Any], ...]
    quantity: str
    name: str
    causes: tuple[str, ...] = ()
    optimizer: tuple[tuple[str, Any], ...] = tuple({**SGD, "weight_decay": 0.1}.items())
    tied: bool = False

    def case(self) -> Case:
        own_setting = setting(optimizer=dict(self.optimizer))
        case = case_from("mutation", network(*self.layers), own_setting, steps=STEPS, images=IMAGES, classes=CLASSES)
        return replace(case, train=_tied(case.train), test=_tied(case.test)) if self.tied else case


def _tied(split: Any) -> Any:
    images, labels = split
    return np.broadcast_to(images[:, :, :1, :1], images.shape).copy(), labels


POOLS = ("padding of average pools", "rounding of pools")
ALPHA = ("alpha of response normalisation",)
VARIANCE = ("variance of batch normalisation",)
MOMENTUM = ("form of momentum",)
EPSILON = ("placement of epsilon",)
ADAM_ITEMS = tuple(ADAM.items())
MUTATIONS = [
    Mutation(ShiftedPadding, TWO, "activations_before", "second"),
    Mutation(TransposedKernels, TWO, "activations_before", "second"),
    Mutation(PaddingCounts, (CONV, POOL), "activations_before", "pool", causes=POOLS),
    Mutation(UndividedAlpha, (CONV, LRN), "activations_before", "lrn", causes=ALPHA),
    Mutation(NotRescaled, DROP, "gradients", "logits.biases"),
    Mutation(AllMaxima, (*TWO, MAXIMUM), "gradients", "second.biases", causes=("max-pool ties",), tied=True),
    Mutation(LostMultiplier, TWO, "first_update", "second.biases"),
    Mutation(LostDecay, TWO, "first_update", "first.weights"),
    Mutation(LateRate, TWO, "loss", "step 3", causes=MOMENTUM),
    Mutation(HonestLateRate, TWO, "learning_rate", "step 2"),
    Mutation(OtherMomentum, TWO, "loss", "step 3", causes=MOMENTUM),
    Mutation(OtherEpsilon, TWO, "first_update", "logits.biases", causes=EPSILON, optimizer=ADAM_ITEMS),
    Mutation(BiasedVariance, (CONV, NORM), "activations_after", "norm", causes=VARIANCE),
]


def judged(mutation: Mutation, adapter: type[Adapter]) -> Verdict:
    case = mutation.case()
    return judge(case, probe(case), probe(case, adapter, precision="float32"))


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: f"{mutation.mutant.__name__}-{mutation.quantity}")
def test_an_error_is_caught_and_located(mutation: Mutation) -> None:
    verdict = judged(mutation, mutation.mutant)
    assert verdict.outcome is Outcome.FAILED
    assert verdict.violation is not None
    assert (verdict.violation.quantity, verdict.violation.name) == (mutation.quantity, mutation.name)
    assert tuple(cause.name for cause in verdict.causes) == mutation.causes


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: f"{mutation.mutant.__name__}-{mutation.quantity}")
def test_without_the_error_the_same_case_passes(mutation: Mutation) -> None:
    """Also on tied inputs: of an image of one colour, every winner of a tie has the same gradient."""
    verdict = judged(mutation, Mutant)
    assert verdict.outcome is Outcome.OK, verdict.text()


def test_a_mutant_in_a_folder_of_its_own_fails_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All the way: found through `DLGAUGE_FRAMEWORKS`, run in a worker, judged and reported by the program."""
    use_this_interpreter(monkeypatch, tmp_path / "cache")
    folder = copy_framework(PROJECT_ROOT / "frameworks" / "numpy", tmp_path / "frameworks", "mutant", monkeypatch)
    source = (folder / "adapter.py").read_text()
    right, wrong = 'rate * own["rate"])', "rate)"
    assert source.count(right) == 1
    assert dlgauge("adapter", "check", "mutant", "--only", "dense").exit_code == 0
    (folder / "adapter.py").write_text(source.replace(right, wrong))
    result = dlgauge("adapter", "check", "mutant", "--only", "dense", "--json")
    assert result.exit_code == 1
    (check,) = json.loads(result.stdout)["checks"]
    assert (check["check"], check["outcome"]) == ("dense-no-biases", "failed")
    assert (check["violation"]["quantity"], check["violation"]["name"]) == ("first_update", "logits.biases")
