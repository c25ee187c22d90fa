"""Networks as data: framework-neutral layer graphs, their shapes and counts."""

from __future__ import annotations

from harness.workloads.networks.graph import LayerError, Network, load_network, network_names, parse_network
from harness.workloads.networks.layer import Parameter, Shape
from harness.workloads.networks.layers import Layer
from harness.workloads.networks.shapes import (
    LayerCounts,
    forward_flops,
    layer_counts,
    parameter_count,
    parameters,
    resolve_network,
    shapes,
    training_flops,
)

__all__ = [
    "Layer",
    "LayerCounts",
    "LayerError",
    "Network",
    "Parameter",
    "Shape",
    "forward_flops",
    "layer_counts",
    "load_network",
    "network_names",
    "parameter_count",
    "parameters",
    "parse_network",
    "resolve_network",
    "shapes",
    "training_flops",
]
