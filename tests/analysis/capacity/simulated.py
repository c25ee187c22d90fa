"""Trials of a machine whose laws are known: what the models must find again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.comparison import Excluded
from harness.analysis.observations import Observations
from harness.analysis.references import TrialReference

BATCH_SIZES = (16, 32, 64, 128, 256, 512, 1024)
MIB = 2.0**20
NETWORKS = {"lenet-mnist": (431_080.0, 20_194.0, "mnist"), "cnn3": (145_578.0, 40_000.0, "cifar10")}
"""Workload -> parameters, activation values of an image, dataset."""


@dataclass(frozen=True)
class Truth:
    """The laws, by their names in the models; times in seconds, memory in bytes."""

    base_bytes: float = 300 * MIB
    base_of: dict[str, float] = field(default_factory=dict)
    bytes_per_activation: float = 12.0
    bytes_per_parameter: float = 0.0
    bytes_per_worker: float = 8 * MIB
    floor_batch_size: float = 0.0
    image_s: float = 4e-4
    overhead_s: float = 2e-3
    overhead_per_worker_s: float = 0.0
    contention: float = 0.12
    coherency: float = 0.0
    growth: float = 0.0
    shared_contention: float = 1.0
    split_contention: float = 0.85

    def memory_bytes(self, workload: str, batch_size: float, workers: float) -> float:
        parameters, activations, dataset = NETWORKS[workload]
        return (
            self.base_of.get(dataset, self.base_bytes)
            + self.bytes_per_activation * activations * max(batch_size, self.floor_batch_size)
            + self.bytes_per_parameter * parameters
            + self.bytes_per_worker * (workers - 1)
        )

    def samples_per_s(self, batch_size: float, n: float, jobs: float = 1, shared: bool = True) -> float:
        slowdown = 1 + self.contention * (n - 1) + self.coherency * n * (n - 1)
        images_s = self.image_s * batch_size ** (1 + self.growth) * slowdown / n
        beside = 1 + (self.shared_contention if shared else self.split_contention) * (jobs - 1)
        return batch_size / (self.overhead_s + self.overhead_per_worker_s * (n - 1) + images_s) / beside


def row(
    truth: Truth,
    chance: np.random.Generator,
    *,
    framework: str = "torch",
    workload: str = "lenet-mnist",
    batch_size: int = 64,
    cpus: int = 2,
    seed: int = 1,
    noise: float = 0.01,
    level_effect: float = 0.0,
    jobs: int | None = None,
    shared: bool | None = None,
    **more: Any,
) -> dict[str, Any]:
    """One trial, both outcomes with lognormal noise of this relative size."""
    parameters, activations, dataset = NETWORKS[workload]
    k = jobs or 1
    effect = math.exp(level_effect)
    rate = truth.samples_per_s(batch_size, cpus, k, bool(shared)) * effect * math.exp(chance.normal(0, noise))
    name = f"{framework}-{workload}-{batch_size}-{cpus}-{jobs}-{shared}-{seed}"
    return {
        "study": "simulated",
        "trial": name,
        "path": f"/nowhere/{name}",
        "framework": framework,
        "framework_version": "1.0",
        "environment": "venv",
        "workload": workload,
        "setting": "caffe-mnist",
        "profile": f"cpu{cpus}",
        "seed": seed,
        "block": seed,
        "batch_size": batch_size,
        "cpus": cpus,
        "threads": cpus,
        "optimizer": "sgd",
        "precision": "float32",
        "blas": "onednn",
        "host": "machine",
        "content_sha256": dataset,
        "dataset": dataset,
        "network": workload,
        "memory_bytes": math.nan,
        "price_per_hour": math.nan,
        "policy": "INV",
        "learning_rate": 0.01,
        "certificate": "c",
        "code_sha256": "a",
        "parameters": parameters,
        "activation_values_per_sample": activations,
        "jobs": k,
        "cores_shared": bool(shared),
        "peak_memory_bytes": truth.memory_bytes(workload, batch_size, cpus)
        * effect
        * math.exp(chance.normal(0, noise)),
        # The last of several jobs ends alone, and is faster then.
        "samples_per_s": rate if k == 1 else 1.2 * rate,
        "overlap_samples_per_s": math.nan if k == 1 else rate,
        "import_time_s": 2.0 * math.exp(chance.normal(0, noise)),
        "prepare_time_s": 0.5,
        "build_time_s": 0.25,
        "warm_up_time_s": 0.25,
        **more,
    }


def study(
    truth: Truth,
    seed: int = 0,
    *,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    cpus: Sequence[int] = (1, 2),
    blocks: int = 5,
    workloads: Iterable[str] = ("lenet-mnist",),
    level_sd: float = 0.0,
    **of_row: Any,
) -> list[dict[str, Any]]:
    """A randomised complete block study; `level_sd`: of what every batch size has of its own, which no model knows."""
    chance = np.random.default_rng(seed)
    effects = {batch: chance.normal(0, level_sd) for batch in batch_sizes}
    return [
        row(
            truth,
            chance,
            workload=workload,
            batch_size=batch,
            cpus=n,
            seed=block,
            level_effect=effects[batch],
            **of_row,
        )
        for block in range(1, blocks + 1)
        for workload in workloads
        for batch in batch_sizes
        for n in cpus
    ]


def observed(rows: Sequence[dict[str, Any]], **more: Any) -> Observations:
    """The observations that a store with these trials would give."""
    frame = pd.DataFrame(list(rows))
    values: dict[str, Any] = {"varied": ("batch_size", "profile"), "excluded": (), "not_measured": {}, "superseded": ()}
    return Observations(frame=frame, **{**values, **more})


def failed(framework: str, termination: str, reason: str, path: str = "/nowhere") -> Excluded:
    """A trial that did not complete."""
    return Excluded(
        TrialReference(f"failed-{framework}", 1, path), f"{framework} · seed 1", framework, termination, reason
    )
