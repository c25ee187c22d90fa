"""Synthetic stores that figures are drawn from; every number follows from framework, seed and level."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.records import Record
from tests.synthetic import MIB, write_record

FRAMEWORKS = ("caffe", "tensorflow", "torch")
SEEDS = (1, 2, 3)


def write_sweep(
    store: Path,
    batches: Sequence[int] = (16, 64, 256, 1024),
    frameworks: Sequence[str] = FRAMEWORKS,
    seeds: Sequence[int] = SEEDS,
    **more: Any,
) -> None:
    """Batch sizes with known throughput: `speed_of`."""
    for batch in batches:
        for framework in frameworks:
            for seed in seeds:
                write_record(
                    store,
                    framework,
                    seed,
                    study="sweep",
                    varied={"batch_size": batch},
                    setting={"batch_size": batch},
                    summary={
                        "samples_per_s": speed_of(framework, batch, seed),
                        "training_time_s": 25600 / speed_of(framework, batch, seed),
                    },
                    **more,
                )


def speed_of(framework: str, batch: int, seed: int) -> float:
    """Images/s: saturating in the batch, 1 % apart from seed to seed."""
    peak = {"caffe": 2000.0, "tensorflow": 5000.0, "torch": 4000.0}[framework]
    return peak * batch / (batch + 64) * (1 + 0.01 * (seed - 2))


def write_libraries(store: Path) -> None:
    """Caffe on two BLAS, Torch on its own, each with one and two threads."""
    for framework, blas in (("caffe", "openblas"), ("caffe", "atlas"), ("torch", None)):
        for threads in (1, 2):
            for seed in SEEDS:
                write_record(
                    store,
                    framework,
                    seed,
                    study="blas",
                    varied={"threads": threads},
                    profile={"name": blas or "local", "blas": blas, "threads": {"intra_op": threads, "inter_op": 1}},
                    described={"library": {"name": blas or "onednn", "version": "1.2", "kernel": "Zen"}},
                    summary={"samples_per_s": 1000.0 * threads + 10 * seed + (500 if blas == "openblas" else 0)},
                )


POLICIES = (
    {"policy": "FIX", "k0": 0.01},
    {"policy": "TRI", "k0": 0.01, "k1": 0.06, "l": 50},
    {"policy": "STEP", "k0": 0.01, "gamma": 0.1, "l": 100},
)


def write_policies(
    store: Path, frameworks: Sequence[str] = ("caffe", "torch"), policies: Sequence[Any] = POLICIES
) -> None:
    """A study over learning-rate policies."""
    for policy in policies:
        for framework in frameworks:
            for seed in SEEDS:
                write_record(
                    store,
                    framework,
                    seed,
                    study="policies",
                    varied={"learning_rate": policy},
                    setting={"learning_rate": policy},
                )


def write_phases(store: Path, frameworks: Sequence[str] = FRAMEWORKS) -> list[Record]:
    """Records whose phases tell CPU in both modes and peaks."""
    import json

    records = []
    for framework in frameworks:
        for seed in SEEDS:
            record = write_record(store, framework, seed, study="phases")
            for index, phase in enumerate(record.manifest["phases"]):
                phase["cpu_user_seconds"] = 0.8 * phase["cpu_seconds"]
                phase["cpu_system_seconds"] = 0.2 * phase["cpu_seconds"]
                phase["memory_peak_bytes"] = None if phase["phase"] == "teardown" else (100 + 50 * index + seed) * MIB
            (record.path / "manifest.json").write_text(json.dumps(record.manifest), encoding="utf-8")
            records.append(record)
    return records


def half_width(values: Sequence[float]) -> float:
    """Of the 95 % t interval of three values; the quantile t(0.975, 2) is from a printed table."""
    mean = math.fsum(values) / 3
    sd = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / 2)
    return 4.302653 * sd / math.sqrt(3)
