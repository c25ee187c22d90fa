"""What follows from a network's graph: shapes, parameters, counts, work, and the form in which a worker gets it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.workloads.networks.graph import INPUT, Network, infer_shapes, parse_network
from harness.workloads.networks.layer import Parameter, Shape

AnyNetwork = Network | Mapping[str, Any]


@dataclass(frozen=True)
class LayerCounts:
    """One line of `dlgauge network show`.

    Attributes:
        parameters: numbers that are trained.
        forward_flops: operations of the multiply-adds for one image, a multiply-add counted as two.
    """

    layer: str
    kind: str
    inputs: tuple[str, ...]
    output_shape: Shape
    parameters: int
    forward_flops: int


def shapes(network: AnyNetwork) -> dict[str, Shape]:
    """Output shape of every layer for one image: `(C, H, W)` or `(units,)`, in the order of the layers."""
    found = infer_shapes(parse_network(network))
    return {name: shape for name, shape in found.items() if name != INPUT}


def parameters(network: AnyNetwork) -> dict[str, Parameter]:
    """Every tensor to train, named `<layer>.weights` and `<layer>.biases`, in the order they are drawn."""
    parsed = parse_network(network)
    found = infer_shapes(parsed)
    return {
        f"{layer.name}.{role}": parameter
        for layer in parsed.layers
        for role, parameter in layer.parameters(found[layer.inputs[0]]).items()
    }


def parameter_count(network: AnyNetwork) -> int:
    """How many numbers are trained."""
    return sum(parameter.count for parameter in parameters(network).values())


def forward_flops(network: AnyNetwork) -> dict[str, int]:
    """Floating-point operations of the multiply-adds of each layer, forward, for one image (a multiply-add is two).

    Biases, activations, pooling and normalisation are not counted.
    """
    return {line.layer: line.forward_flops for line in layer_counts(network)}


def training_flops(network: AnyNetwork) -> int:
    """Floating-point operations of the multiply-adds of one training step, divided by its images.

    Each layer costs its forward work once forward, once for the gradient of its weights and once for that of its input;
    the images need no gradient. What a framework really executes may differ (Winograd, fused or skipped operations).
    """
    parsed = parse_network(network)
    work = forward_flops(parsed)
    return sum(work[layer.name] * (2 if layer.inputs == (INPUT,) else 3) for layer in parsed.layers)


def layer_counts(network: AnyNetwork) -> list[LayerCounts]:
    """Shape, parameters and work of every layer."""
    parsed = parse_network(network)
    found = infer_shapes(parsed)
    return [
        LayerCounts(
            layer=layer.name,
            kind=layer.kind,
            inputs=layer.inputs,
            output_shape=found[layer.name],
            parameters=sum(parameter.count for parameter in layer.parameters(found[layer.inputs[0]]).values()),
            forward_flops=layer.forward_flops(found[layer.inputs[0]]),
        )
        for layer in parsed.layers
    ]


def resolve_network(network: AnyNetwork) -> dict[str, Any]:
    """The network as a worker gets it: plain values in which nothing is left for a framework to understand its own way.

    `name`, `input` `[C, H, W]`, `layers`: each with its fields, its `input_shapes` and `output_shape`, and with
    `padding`, where it has windows, as `[[before, after], [before, after]]` of rows and columns.
    """
    parsed = parse_network(network)
    found = infer_shapes(parsed)
    return {
        "name": parsed.name,
        "input": list(parsed.input),
        "layers": [
            {
                **layer.model_dump(mode="json"),
                **layer.resolved(found[layer.inputs[0]]),
                "input_shapes": [list(found[name]) for name in layer.inputs],
                "output_shape": list(found[layer.name]),
            }
            for layer in parsed.layers
        ],
    }
