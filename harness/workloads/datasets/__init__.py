"""Datasets: named arrays with published checksums."""

from __future__ import annotations

from harness.workloads.datasets.dataset import Dataset, content_sha256, load_dataset
from harness.workloads.datasets.description import DatasetDescription, dataset_names, load_description

__all__ = ["Dataset", "DatasetDescription", "content_sha256", "dataset_names", "load_dataset", "load_description"]
