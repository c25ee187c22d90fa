"""The interface between the worker's training loop and a framework's adapter.

The loop owns order and time; the adapter owns computation. Standard library + NumPy only; Python 3.7 or newer.
"""

from __future__ import annotations

import abc


class Unsupported(Exception):
    """The framework cannot express a part of the workload or setting.

    Args:
        what: the layer, optimizer or option, such as `layer kind 'lrn'`.
        why: what is missing.
    """

    def __init__(self, what: str, why: str) -> None:
        super().__init__("%s: %s" % (what, why))
        self.what = what
        self.why = why


class Adapter(abc.ABC):
    """Makes one framework run a workload.

    Life: `__init__` (imports nothing of the framework), `start()` (imports it and sets thread pools), `describe()`,
    `stage()` for each split, `build()`, then `train_step()` and `predict()` as often as wanted.

    Shapes at this boundary: images float32 `(N, C, H, W)`, labels int32 `(N,)`, convolution weights
    `(out, in, kernel height, kernel width)`, dense weights `(out, in)` over inputs flattened in C order from
    `C, H, W`, biases `(out,)`. Parameters are named `<layer>.weights` and `<layer>.biases`.
    """

    def __init__(self, profile: dict, trial_folder: str) -> None:
        self.profile = profile
        self.trial_folder = trial_folder

    @abc.abstractmethod
    def start(self) -> None:
        """Import the framework and put the profile's threads into force."""

    @abc.abstractmethod
    def describe(self) -> dict:
        """What is in force, as the framework itself reports it; None where it cannot tell.

        `version`, `devices`, `threads` `{intra_op, inter_op}`, `packages`, `compile_cache`.
        """

    @abc.abstractmethod
    def stage(self, split: str, images, labels) -> None:
        """Put one split (`train` or `test`) where the framework reads it fastest."""

    @abc.abstractmethod
    def build(self, network: dict, loss: str, setting: dict, weights: dict) -> None:
        """Build the network and its training step, holding the given initial weights.

        Args:
            network: `name`, `input` `[C, H, W]`, `layers`, and `shapes`: layer name -> output shape of one image.
            loss: `softmax_cross_entropy`.
            setting: as in the specification.
            weights: parameter name -> float32 array.

        Raises:
            Unsupported: the framework cannot express a layer, the loss or the optimizer.
        """

    @abc.abstractmethod
    def train_step(self, indices, learning_rate: float) -> float:
        """One step on the training images at `indices` (int32, `(batch size,)`); the mean loss before the update."""

    @abc.abstractmethod
    def predict(self, split: str, indices):
        """Class probabilities, float32 `(batch, classes)`; every call has the evaluation batch size."""

    @abc.abstractmethod
    def weights(self) -> dict:
        """Copies of the parameters in the layout above."""

    def synchronize(self) -> None:  # noqa: B027 - on a CPU there is nothing to wait for
        """Wait until the device has done all work handed to it."""

    def data_ns(self) -> "int | None":
        """Nanoseconds that the last `train_step` spent gathering its mini-batch; None where the adapter cannot tell."""
        return None


def layer_input_name(layer: dict) -> str:
    """Name of the only input of a layer with one input."""
    return layer["inputs"][0]


def rate_multipliers(setting: dict, kind: str) -> "tuple[float, float]":
    """(rate multiplier, decay multiplier) of a parameter kind, `weights` or `biases`."""
    chosen = setting["multipliers"][kind]
    return float(chosen["rate"]), float(chosen["decay"])


def check_optimizer(setting: dict) -> dict:
    """The optimizer's description, if it is one that the adapters have.

    Raises:
        Unsupported: not SGD with one of the two forms of momentum.
    """
    optimizer = setting["optimizer"]
    if optimizer["kind"] != "sgd":
        raise Unsupported("optimizer %r" % optimizer["kind"], "this adapter has sgd")
    if optimizer["momentum_form"] not in ("rate_in_velocity", "rate_on_velocity"):
        raise Unsupported("momentum_form %r" % optimizer["momentum_form"], "known: rate_in_velocity, rate_on_velocity")
    return optimizer
