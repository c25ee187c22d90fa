"""The interface between the worker's training loop and a framework's adapter.

The loop owns order and time; the adapter owns computation. Standard library + NumPy only; Python 3.7 or newer.
"""

from __future__ import annotations

import abc


class Unsupported(Exception):
    """The framework cannot express a part of the workload or setting.

    Args:
        what: the layer, optimizer or option, such as `layer conv1 of kind 'convolution'`.
        why: what is missing.
    """

    def __init__(self, what: str, why: str) -> None:
        super().__init__("%s: %s" % (what, why))
        self.what = what
        self.why = why


class Adapter(abc.ABC):
    """Makes one framework run a workload.

    Life: `__init__` (imports nothing of the framework), `start()` (imports it and sets thread pools), `describe()`,
    `stage()` for the splits, `build()`, then `train_step()` and `predict()` as often as wanted.

    Shapes at this boundary: images float32 `(N, C, H, W)`, labels int32 `(N,)`, convolution weights
    `(out, in / groups, kernel height, kernel width)`, dense weights `(out, in)` over inputs flattened in C order from
    `C, H, W`, biases and the scale and shift of batch normalisation `(out,)`. Parameters are named `<layer>.weights`
    and `<layer>.biases`.

    `masks`: for every dropout layer of the network, by name, uint8 `(batch, *input shape)`, 1 where a unit is kept;
    None for a network without dropout.
    """

    def __init__(self, profile: dict, trial_folder: str) -> None:
        self.profile = profile
        self.trial_folder = trial_folder

    @abc.abstractmethod
    def start(self) -> None:
        """Import the framework and put the profile's threads into force."""

    @abc.abstractmethod
    def describe(self) -> dict:
        """What is in force, seen and not merely told; None where it cannot be known.

        `version`, `devices`, `threads` `{intra_op, inter_op}`, `packages`, `compile_cache`, and `library`: `name` (as a
        profile's `blas`), `version`, `kernel`, `switches`, `unknown` (key -> why it is None). Without `library` the
        worker looks for a BLAS among the mapped files. A pool that `environment.yaml` claims to honour and whose
        threads are None ends the trial `profile_not_in_force`; `frameworks.worker.threads` helps to count them.
        """

    @abc.abstractmethod
    def stage(self, split: str, images, labels) -> None:
        """Put one split (`train`, `test` or `validation`) where the framework reads it fastest.

        The training split is not staged where its images are augmented; `train_on` then gets every mini-batch.
        """

    @abc.abstractmethod
    def build(self, network: dict, loss: str, setting: dict, weights: dict) -> None:
        """Build the network and its training step, holding the given initial weights.

        Args:
            network: `name`, `input` `[C, H, W]`, `layers` (each with its fields, `inputs`, `input_shapes`,
                `output_shape` and, where it has windows, `padding` `[[before, after], [before, after]]` of rows and
                columns; a negative number of rows after means rows that no window covers), and `parameters`: name ->
                `{rate, weight_decay}`. The last layer gives the logits. docs/adding-a-framework.md lists the layers.
            loss: `softmax_cross_entropy`, the mean over the mini-batch. Weight decay is no part of it.
            setting: as in the specification: `optimizer`, `batch_size`, `evaluation.batch_size`, `weight_average`.
            weights: parameter name -> float32 array.

        Raises:
            Unsupported: the framework cannot express a layer, the loss or the optimizer.
        """

    def built(self) -> dict:
        """What is in force in what `build` made.

        `precision`: of the parameters, by NumPy's name (`dtype_names` helps); `library`, where it shows only now.
        """
        return {}

    @abc.abstractmethod
    def train_step(self, indices, learning_rate: float, masks: "dict | None") -> float:
        """One step on the training images at `indices` (int32, `(batch size,)`); the mean loss before the update."""

    @abc.abstractmethod
    def train_on(self, images, labels, learning_rate: float, masks: "dict | None") -> float:
        """As `train_step`, on a mini-batch given as arrays: float32 `(batch, C, H, W)` and int32 `(batch,)`."""

    @abc.abstractmethod
    def applied_rate(self) -> float:
        """The learning rate that the last step's update used, as the framework holds it: rounded to its precision.

        Of the step, before a parameter's own factor. Called after every step, so it costs next to nothing: what was
        kept when the update was made, no computation and no transfer from a device.
        """

    @abc.abstractmethod
    def predict(self, split: str, indices):
        """Class probabilities, float32 `(batch, classes)`; every call has the evaluation batch size.

        In evaluation: no dropout, moving statistics in batch normalisation, averaged weights where the setting asks.
        """

    @abc.abstractmethod
    def weights(self) -> dict:
        """Copies of the parameters in the layout above (never the averages)."""

    @abc.abstractmethod
    def activations(self, split: str, indices) -> dict:
        """For parity: the output of every layer in evaluation, by name, float32 `(batch, *output shape)`.

        Called with the evaluation batch size; may be slow. Images and their order of axes are those of this boundary.
        """

    @abc.abstractmethod
    def gradients(self, indices, masks: "dict | None") -> dict:
        """For parity: the gradient of the mean training loss by every parameter, without weight decay, in their layout.

        Leaves parameters, velocities and moving averages as they are. Called with the training batch size.
        """

    def synchronize(self) -> None:  # noqa: B027 - on a CPU there is nothing to wait for
        """Wait until the device has done all work handed to it."""

    def data_ns(self) -> "int | None":
        """Nanoseconds that the last step spent gathering its mini-batch; None where the adapter cannot tell."""
        return None


def dtype_names(dtypes) -> str:
    """The one name of all these element types, or all names joined with `+`: float32 for an array's, Torch's too."""
    return "+".join(sorted({getattr(dtype, "name", str(dtype)).split(".")[-1] for dtype in dtypes}))


def check_loss(loss: str) -> None:
    """Raise `Unsupported` for a loss that the adapters do not have."""
    if loss != "softmax_cross_entropy":
        raise Unsupported("loss %r" % loss, "known: softmax_cross_entropy")


def unknown_layer(layer: dict) -> Unsupported:
    """What to raise for a layer that an adapter does not have."""
    return Unsupported("layer %s of kind %r" % (layer["name"], layer["kind"]), "this adapter has no such layer")


def check_optimizer(setting: dict) -> dict:
    """The optimizer's description, if it is one that the adapters have.

    Raises:
        Unsupported: neither SGD with one of the two forms of momentum nor Adam with one of the two places of epsilon.
    """
    optimizer = setting["optimizer"]
    options = {"sgd": ("momentum_form", MOMENTUM_FORMS), "adam": ("epsilon_placement", EPSILON_PLACEMENTS)}
    if optimizer["kind"] not in options:
        raise Unsupported("optimizer %r" % optimizer["kind"], "known: %s" % ", ".join(options))
    key, known = options[optimizer["kind"]]
    if optimizer[key] not in known:
        raise Unsupported("%s %r" % (key, optimizer[key]), "known: %s" % ", ".join(known))
    return optimizer


MOMENTUM_FORMS = ("rate_in_velocity", "rate_on_velocity")
EPSILON_PLACEMENTS = ("corrected", "uncorrected")
