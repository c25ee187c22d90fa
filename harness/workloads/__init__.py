"""Workloads: datasets, preprocessing, networks, settings. Data files stand beside their loaders."""

from __future__ import annotations

from harness.workloads.datasets import Dataset, load_dataset
from harness.workloads.initialisation import Initialisation, initial_weights
from harness.workloads.networks import (
    Network,
    forward_flops,
    load_network,
    parameter_count,
    parameter_shapes,
    parse_network,
    shapes,
)
from harness.workloads.prepared import PreparedData, prepare
from harness.workloads.settings import Setting, load_setting
from harness.workloads.workload import Workload, load_workload, parse_workload

__all__ = [
    "Dataset",
    "Initialisation",
    "Network",
    "PreparedData",
    "Setting",
    "Workload",
    "forward_flops",
    "initial_weights",
    "load_dataset",
    "load_network",
    "load_setting",
    "load_workload",
    "parameter_count",
    "parameter_shapes",
    "parse_network",
    "parse_workload",
    "prepare",
    "shapes",
]
