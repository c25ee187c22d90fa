"""Workloads: datasets, preprocessing, networks, settings. Data files stand beside their loaders."""

from __future__ import annotations

from harness.workloads.datasets import Dataset, load_dataset
from harness.workloads.networks import (
    Network,
    forward_flops,
    layer_counts,
    load_network,
    parameter_count,
    parameters,
    parse_network,
    resolve_network,
    shapes,
    training_flops,
)
from harness.workloads.prepared import PreparedData, prepare
from harness.workloads.settings import Setting, initial_weights, load_setting, parameter_settings
from harness.workloads.workload import Workload, load_workload, parse_workload

__all__ = [
    "Dataset",
    "Network",
    "PreparedData",
    "Setting",
    "Workload",
    "forward_flops",
    "initial_weights",
    "layer_counts",
    "load_dataset",
    "load_network",
    "load_setting",
    "load_workload",
    "parameter_count",
    "parameter_settings",
    "parameters",
    "parse_network",
    "parse_workload",
    "prepare",
    "resolve_network",
    "shapes",
    "training_flops",
]
