"""Dropout masks: the same for the same seed, and as many units kept as asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from frameworks.worker.masks import DropoutMasks
from harness.workloads import resolve_network

BATCH = 16


def masks(seed: int, *keeps: float) -> DropoutMasks:
    dropouts = [{"name": f"drop{i}", "kind": "dropout", "keep": keep} for i, keep in enumerate(keeps)]
    layers: list[dict[str, Any]] = [
        {"name": "tanh", "kind": "tanh"},
        *dropouts,
        {"name": "logits", "kind": "dense", "units": 4},
    ]
    return DropoutMasks(seed, resolve_network({"name": "net", "input": [3, 20, 20], "layers": layers}), BATCH)


def steps(drawn: DropoutMasks, count: int) -> list[dict[str, np.ndarray]]:
    found = [drawn.next() for _ in range(count)]
    return [step for step in found if step is not None]


def test_the_same_seed_gives_the_same_masks_in_every_step() -> None:
    first, again, other = (steps(masks(seed, 0.5, 0.75), 3) for seed in (1, 1, 2))
    for one, two, three in zip(first, again, other, strict=True):
        for name in ("drop0", "drop1"):
            np.testing.assert_array_equal(one[name], two[name])
            assert not np.array_equal(one[name], three[name])


def test_masks_change_from_step_to_step_and_from_layer_to_layer() -> None:
    first, second = steps(masks(1, 0.5, 0.5), 2)
    assert not np.array_equal(first["drop0"], second["drop0"])
    assert not np.array_equal(first["drop0"], first["drop1"])


@pytest.mark.parametrize("keep", [1 / 256, 0.25, 0.5, 0.75, 255 / 256])
def test_the_fraction_kept_is_the_one_asked_for(keep: float) -> None:
    kept = np.concatenate([step["drop0"].ravel() for step in steps(masks(1, keep), 10)])
    deviation = (keep * (1 - keep) / kept.size) ** 0.5
    assert kept.mean() == pytest.approx(keep, abs=4 * deviation)


def test_masks_are_bytes_of_zero_and_one_in_the_shape_of_the_batch() -> None:
    (step,) = steps(masks(1, 0.5), 1)
    assert step["drop0"].shape == (BATCH, 3, 20, 20)
    assert step["drop0"].dtype == np.uint8
    assert set(np.unique(step["drop0"])) == {0, 1}


def test_keeping_all_keeps_all_and_leaves_the_other_layers_alone() -> None:
    both, half = steps(masks(1, 1.0, 0.5), 1), steps(masks(1, 0.5, 0.5), 1)
    assert both[0]["drop0"].all()
    np.testing.assert_array_equal(both[0]["drop1"], half[0]["drop1"])


def test_a_network_without_dropout_has_no_masks() -> None:
    assert masks(1).next() is None
