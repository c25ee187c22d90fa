"""Stores of synthetic records that vary a batch size, for tests of `dlgauge correlate`."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.synthetic import MIB, write_record

BATCHES = (16, 32, 64, 128)


def fill(
    store: Path,
    frameworks: Sequence[str] = ("caffe", "torch"),
    seeds: Sequence[int] = (1, 2, 3, 4),
    batches: Sequence[int] = BATCHES,
    **of_record: Any,
) -> None:
    """All cells and seeds: memory grows by 12 MiB a doubling, throughput saturates, accuracy is chance."""
    for seed in seeds:
        for framework in frameworks:
            for batch in batches:
                write_batch(store, framework, seed, batch, **of_record)


def write_batch(store: Path, framework: str, seed: int, batch: int, **of_record: Any) -> None:
    """One record of `fill`."""
    chance = random.Random(f"{framework}-{seed}-{batch}")
    doublings = (batch // 16).bit_length() - 1
    plateau = {"caffe": 3000.0, "torch": 5000.0}.get(framework, 4000.0)
    summary = {
        "samples_per_s": plateau * batch / (batch + 20) * chance.uniform(0.99, 1.01) * (1 + 0.01 * seed),
        "peak_memory_bytes": (300 + 12 * doublings + chance.uniform(-0.5, 0.5) + seed) * MIB,
        "top1_percent": 97 + chance.uniform(-0.2, 0.2),
    }
    defaults: dict[str, Any] = {"varied": {"batch_size": batch}, "setting": {"batch_size": batch}, "summary": summary}
    write_record(store, framework, seed, **{**defaults, **of_record})
