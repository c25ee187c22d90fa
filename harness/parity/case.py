"""A case: a small training that every adapter has to go through with the same result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frameworks.worker.protocol import LEARNING_RATES_FILE, WEIGHTS_FILE
from harness.schedules import learning_rates, starting_policy
from harness.workloads import Network, Setting, initial_weights, parameter_settings, parse_network, resolve_network

RATE_FACTOR = 0.8
"""A case's learning rate falls by this factor in every step: under a constant rate, one applied late would not show."""


@dataclass(frozen=True)
class Case:
    """Network, setting, data and seed.

    Attributes:
        name: also that of its folder.
        train, test: `(images float32 (N, C, H, W), labels int32 (N,))`.
        steps: training steps to run.
        rate_scale: factor on all learning rates, smaller where a case has smaller mini-batches than its setting.
    """

    name: str
    network: Network
    setting: Setting
    train: tuple[NDArray[np.float32], NDArray[np.int32]]
    test: tuple[NDArray[np.float32], NDArray[np.int32]]
    steps: int
    seed: int = 1
    loss: str = "softmax_cross_entropy"
    rate_scale: float = 1.0

    def description(self, folder: str) -> dict[str, Any]:
        """What the worker gets of it, see `frameworks.worker.probe.run_cases`."""
        return {
            "name": self.name,
            "folder": folder,
            "network": {
                **resolve_network(self.network),
                "parameters": parameter_settings(self.network, self.setting),
            },
            "loss": self.loss,
            "setting": self.setting.model_dump(mode="json"),
            "seed": self.seed,
            "steps": self.steps,
        }

    def rates(self) -> NDArray[np.float64]:
        """The learning rate of every step; of a plateau rule, of the policy that it starts with."""
        policy = starting_policy(self.setting.learning_rate)
        return self.rate_scale * learning_rates(policy, self.steps) * RATE_FACTOR ** np.arange(self.steps)

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """The initial weights by parameter."""
        return dict(initial_weights(self.network, self.setting, self.seed))

    def write(self, folder: Path) -> None:
        """Write weights, learning rates and data into a new folder."""
        folder.mkdir(parents=True)
        weights: dict[str, Any] = dict(self.weights())
        np.savez(folder / WEIGHTS_FILE, **weights)
        np.save(folder / LEARNING_RATES_FILE, self.rates())
        for split, (images, labels) in (("train", self.train), ("test", self.test)):
            np.save(folder / f"{split}_images.npy", images)
            np.save(folder / f"{split}_labels.npy", labels)


def case_from(
    name: str, network: Mapping[str, Any], setting: Mapping[str, Any], *, steps: int, images: int, classes: int
) -> Case:
    """A case on random images without ties, uniform in [0, 1)."""
    parsed = parse_network(network)
    random = np.random.RandomState(7)
    splits = [
        (
            random.uniform(0.0, 1.0, (images, *parsed.input)).astype(np.float32),
            random.randint(0, classes, images).astype(np.int32),
        )
        for _ in range(2)
    ]
    return Case(name, parsed, Setting.model_validate(setting), splits[0], splits[1], steps)
