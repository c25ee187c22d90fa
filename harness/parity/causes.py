"""Known real differences between frameworks, to name when parity is violated."""

from __future__ import annotations

from dataclasses import dataclass

from harness.parity.comparing import Difference
from harness.workloads import Network


@dataclass(frozen=True)
class Cause:
    """A documented difference.

    Attributes:
        name: a short term.
        kinds: layer kinds at which it shows; empty for any.
        quantities: quantities in which it shows first.
        text: what differs between which frameworks.
        optimizer: the only kind of optimizer with which it shows; None for any.
        first_step: the first step whose loss it can change.
    """

    name: str
    kinds: tuple[str, ...]
    quantities: tuple[str, ...]
    text: str
    optimizer: str | None = None
    first_step: int = 1


CAUSES = (
    Cause(
        "max-pool ties",
        ("max_pool",),
        ("gradients", "loss", "updates"),
        "where several inputs of a window are equal, Theano sends the gradient to all of them, Torch, TensorFlow, JAX "
        "and Caffe to one; with images that have equal pixels this is expected, so compare on inputs without ties",
    ),
    Cause(
        "rectifiers at zero",
        ("relu",),
        ("gradients", "loss", "updates"),
        "where the input of a ReLU is exactly 0, Theano's gradient is one half, that of the others 0; it shows on "
        "images with whole patches of zeros and biases that start at 0",
    ),
    Cause(
        "padding of average pools",
        ("average_pool",),
        ("activations_before",),
        "at the edges Caffe and Torch divide by the padded window, TensorFlow and JAX by the elements inside the "
        "image; the network's `divisor` says which is meant",
    ),
    Cause(
        "rounding of pools",
        ("max_pool", "average_pool"),
        ("activations_before",),
        "where windows do not tile the image, Caffe rounds their number up, the others down; "
        "the network's `rounding` says which is meant",
    ),
    Cause(
        "alpha of response normalisation",
        ("local_response_normalisation",),
        ("activations_before",),
        "Caffe and Torch divide alpha by the number of elements in the neighbourhood, TensorFlow takes it as it is; "
        "the network's `alpha` is Caffe's",
    ),
    Cause(
        "variance of batch normalisation",
        ("batch_normalisation",),
        ("activations_after",),
        "for evaluation, Caffe, Torch and TensorFlow's fused kernel average the unbiased variances of mini-batches, "
        "flax the biased ones; the unbiased are meant",
    ),
    Cause(
        "placement of epsilon",
        (),
        ("first_update", "updates", "loss"),
        "in Adam, TensorFlow and Caffe add epsilon before the bias correction, Torch and optax after it; "
        "the setting's `epsilon_placement` says which is meant",
        optimizer="adam",
        first_step=2,
    ),
    Cause(
        "form of momentum",
        (),
        ("loss",),
        "Caffe and Keras keep the rate in the velocity, Torch and optax multiply the velocity by it; with a rate that "
        "changes this shows from the third step on; the setting's `momentum_form` says which is meant",
        optimizer="sgd",
        first_step=3,
    ),
)


def known_causes(difference: Difference, network: Network, optimizer: str) -> list[Cause]:
    """Documented differences between frameworks that could show as this one; the likeliest first."""
    kinds = {layer.name: layer.kind for layer in network.layers}
    own = kinds.get(difference.name.rsplit(".", 1)[0])
    present = set(kinds.values())
    found = []
    for cause in CAUSES:
        if difference.quantity not in cause.quantities or cause.optimizer not in (None, optimizer):
            continue
        if difference.quantity == "loss" and _step(difference) < cause.first_step:
            continue
        at_layer = own in cause.kinds if difference.quantity.startswith("activations") else present & set(cause.kinds)
        if at_layer or not cause.kinds:
            found.append(cause)
    return found


def _step(difference: Difference) -> int:
    """Of `step N`; 0 where the number of steps itself is wrong."""
    number = difference.name.removeprefix("step ")
    return int(number) if number.isdecimal() else 0
