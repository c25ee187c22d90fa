"""Two probes side by side: the first layer and quantity in which they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.parity.probing import Probe
from harness.workloads import Network, parameters

TOLERANCES = {
    "weights_before": 0.0,
    "activations_before": 1e-4,
    "gradients": 1e-3,
    "learning_rate": 1e-7,
    "loss": 1e-4,
    "weights_after": 1e-4,
    "activations_after": 1e-3,
    "probabilities_after": 1e-3,
}
"""Largest difference allowed in each quantity, in float32 on inputs without ties, over 20 steps.

Relative: of arrays to the largest magnitude in the reference's array (one layer, one parameter), of loss and rate to
each step's own value. Activations and weights after the steps carry the differences of all steps with them.
"""


@dataclass(frozen=True)
class Difference:
    """How far one array of one quantity is from the reference.

    Attributes:
        quantity: a key of `TOLERANCES`.
        name: layer or parameter; `step N` for the worst step of loss and rate.
        relative: the difference, None where shapes differ, an array is missing or a value is not finite.
        detail: what is wrong in that case.
    """

    quantity: str
    name: str
    relative: float | None
    detail: str | None = None

    @property
    def violated(self) -> bool:
        """Beyond the tolerance."""
        return self.relative is None or self.relative > TOLERANCES[self.quantity]


def compare(reference: Probe, probe: Probe, network: Network) -> list[Difference]:
    """Every quantity in the order in which an error would show first: weights, activations by layer, gradients from the

    last layer to the first, rates, losses, then what came out after the steps.
    """
    order = [layer.name for layer in network.layers]
    named = list(parameters(network))
    names = {
        "weights_before": named,
        "activations_before": order,
        "gradients": named[::-1],
        "learning_rate": None,
        "loss": None,
        "weights_after": named[::-1],
        "activations_after": order,
        "probabilities_after": ["softmax"],
    }
    found: list[Difference] = []
    for quantity, own in names.items():
        if own is None:
            found.append(_steps(quantity, reference.arrays, probe.arrays))
        else:
            found += [_array(quantity, name, reference.arrays, probe.arrays) for name in own]
    return found


def first_violation(differences: list[Difference]) -> Difference | None:
    """The first difference beyond its tolerance; None when there is none."""
    return next((difference for difference in differences if difference.violated), None)


def _array(quantity: str, name: str, a: Mapping[str, NDArray[Any]], b: Mapping[str, NDArray[Any]]) -> Difference:
    key = f"{quantity}:{name}"
    if key not in b:
        return Difference(quantity, name, None, "missing")
    expected, found = a[key].astype(np.float64), b[key].astype(np.float64)
    if expected.shape != found.shape:
        return Difference(quantity, name, None, f"shape {found.shape}, expected {expected.shape}")
    if not np.isfinite(found).all():
        return Difference(quantity, name, None, "values that are not finite")
    largest = float(np.abs(expected).max(initial=0.0))
    distance = float(np.abs(expected - found).max(initial=0.0))
    return Difference(quantity, name, distance / largest if largest else distance)


def _steps(quantity: str, a: Mapping[str, NDArray[Any]], b: Mapping[str, NDArray[Any]]) -> Difference:
    expected, found = a[quantity], b[quantity]
    if expected.shape != found.shape:
        return Difference(quantity, "steps", None, f"{len(found)} steps, expected {len(expected)}")
    relative = np.abs(expected - found) / np.maximum(np.abs(expected), np.finfo(np.float32).tiny)
    beyond = np.flatnonzero(~(relative <= TOLERANCES[quantity]))
    step = int(beyond[0]) if beyond.size else int(relative.argmax())
    if not np.isfinite(found[step]):
        return Difference(quantity, f"step {step + 1}", None, f"is {found[step]}")
    return Difference(quantity, f"step {step + 1}", float(relative[step]))
