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
    """

    name: str
    kinds: tuple[str, ...]
    quantities: tuple[str, ...]
    text: str


CAUSES = (
    Cause(
        "max-pool ties",
        ("max_pool",),
        ("gradients", "loss", "updates"),
        "where several inputs of a window are equal, Theano sends the gradient to all of them, Torch, TensorFlow, JAX "
        "and Caffe to one; with images that have equal pixels this is expected, so compare on inputs without ties",
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
        "placement of epsilon",
        (),
        ("updates", "loss"),
        "in Adam, TensorFlow and Caffe add epsilon before the bias correction, Torch and optax after it; "
        "the setting's `epsilon_placement` says which is meant",
    ),
)


def known_causes(difference: Difference, network: Network, optimizer: str) -> list[Cause]:
    """Documented differences between frameworks that could show as this one; the likeliest first."""
    kinds = {layer.name: layer.kind for layer in network.layers}
    own = kinds.get(difference.name.rsplit(".", 1)[0])
    present = set(kinds.values())
    found = []
    for cause in CAUSES:
        if difference.quantity not in cause.quantities:
            continue
        at_layer = own in cause.kinds if difference.quantity.startswith("activations") else present & set(cause.kinds)
        if at_layer or (not cause.kinds and optimizer == "adam"):
            found.append(cause)
    return found
