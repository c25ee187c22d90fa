"""Dropout masks, the same in every framework. Standard library + NumPy only; Python 3.7 or newer."""

from __future__ import annotations

import numpy as np

from frameworks.worker.layers import dropout_layers
from frameworks.worker.order import derive_seed

LEVELS = 256


class DropoutMasks:
    """Draws the masks of one step after the other from the trial's seed `dropout`.

    A unit is kept where a random byte is below `keep * 256`. `RandomState.bytes` gives the same stream in every NumPy.

    Args:
        network: the resolved network.
        batch_size: of training.
    """

    def __init__(self, seed: int, network: dict, batch_size: int) -> None:
        self._random = np.random.RandomState(derive_seed(seed, "dropout"))
        self._layers = [
            (layer["name"], tuple([batch_size] + layer["output_shape"]), int(layer["keep"] * LEVELS))
            for layer in dropout_layers(network)
        ]

    def next(self) -> "dict | None":
        """Layer name -> uint8 `(batch, *shape)`, 1 where a unit is kept; None for a network without dropout."""
        if not self._layers:
            return None
        masks = {}
        for name, shape, keep in self._layers:
            drawn = np.frombuffer(self._random.bytes(int(np.prod(shape))), np.uint8)
            masks[name] = (drawn < keep).astype(np.uint8).reshape(shape) if keep < LEVELS else np.ones(shape, np.uint8)
        return masks
