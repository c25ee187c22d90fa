"""What follows from a network's graph: shapes, parameters, counts, work."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from harness.workloads.networks.graph import INPUT, Network, infer_shapes, parse_network
from harness.workloads.networks.layers import Shape

AnyNetwork = Network | Mapping[str, Any]


def shapes(network: AnyNetwork) -> dict[str, Shape]:
    """Output shape of every layer for one image: `(C, H, W)` or `(units,)`, in the order of the layers."""
    found = infer_shapes(parse_network(network))
    return {name: shape for name, shape in found.items() if name != INPUT}


def parameter_shapes(network: AnyNetwork) -> dict[str, Shape]:
    """Shape of every tensor to train, named `<layer>.weights` and `<layer>.biases`, in the order they are drawn."""
    parsed = parse_network(network)
    found = infer_shapes(parsed)
    return {
        f"{layer.name}.{role}": shape
        for layer in parsed.layers
        for role, shape in layer.parameters(found[layer.inputs[0]]).items()
    }


def parameter_count(network: AnyNetwork) -> int:
    """How many numbers are trained."""
    return sum(math.prod(shape) for shape in parameter_shapes(network).values())


def forward_flops(network: AnyNetwork) -> dict[str, int]:
    """Floating-point operations of the multiply-adds of each layer, forward, for one image (a multiply-add is two).

    Biases, activations and pooling are not counted.
    """
    parsed = parse_network(network)
    found = infer_shapes(parsed)
    return {layer.name: layer.forward_flops(found[layer.inputs[0]]) for layer in parsed.layers}


def fan_in(weights_shape: Shape) -> int:
    """Inputs of one output unit: `in * kernel height * kernel width`, or `in` for a dense layer."""
    return math.prod(weights_shape[1:])
