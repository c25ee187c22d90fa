"""Networks as data: framework-neutral layer graphs, their shapes and counts."""

from __future__ import annotations

from harness.workloads.networks.graph import LayerError, Network, load_network, network_names, parse_network
from harness.workloads.networks.layers import Convolution, Dense, Layer, MaxPool, Relu
from harness.workloads.networks.shapes import fan_in, forward_flops, parameter_count, parameter_shapes, shapes

__all__ = [
    "Convolution",
    "Dense",
    "Layer",
    "LayerError",
    "MaxPool",
    "Network",
    "Relu",
    "fan_in",
    "forward_flops",
    "load_network",
    "network_names",
    "parameter_count",
    "parameter_shapes",
    "parse_network",
    "shapes",
]
