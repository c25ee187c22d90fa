"""Two probes side by side: the first layer and quantity in which they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.parity.probing import Probe
from harness.workloads import Network, parameters

Arrays = Mapping[str, NDArray[Any]]

CONTRACT_TOLERANCES = {
    "weights_before": 0.0,
    "activations_before": 1e-5,
    "gradients": 1e-4,
    "first_update": 1e-3,
    "learning_rate": 1e-6,
    "loss": 1e-5,
    "updates": 1e-3,
    "activations_after": 1e-4,
    "probabilities_after": 1e-4,
}
"""Largest difference allowed in each quantity, float32 against float64, in the small networks of the adapter contract.

Relative to the reference's array (one layer, one parameter), see `BY_NORM`; of loss and rate to each step's own value.
`first_update` is what the first step changed a parameter by, `updates` what all steps together did.
"""

WORKLOAD_TOLERANCES = {
    **CONTRACT_TOLERANCES,
    "activations_before": 1e-4,
    "gradients": 1e-1,
    "first_update": 1e-1,
    "loss": 1e-4,
    "updates": 1e-1,
    "activations_after": 2e-2,
    "probabilities_after": 1e-2,
}
"""The same for whole workloads, in which gradients jump.

Among millions of rectified or pooled units some lie so near to a kink that rounding alone switches their gradient on or
off, in every framework: against itself in float64, the float32 reference differs by up to 1.3e-2 in a gradient of
ResNet-32, and by 3.6e-2 in the updates of 20 steps. Errors of computation show far above that, and in activations and
losses, which do not jump.
"""

BY_NORM = frozenset({"gradients", "first_update", "updates"})
"""Quantities that are judged by Euclidean norms, difference over reference; the others by largest magnitudes."""

SMALLEST_SHARE = 1e-3
"""An array much smaller than the largest of its quantity is judged by this share of the latter: it may be rounding.

The gradient of a bias in front of batch normalisation is 0; in float32 about a millionth of the others is left of it.
"""

HALF_UNIT = 2.0**-24
"""Largest relative error of rounding to float32."""


@dataclass(frozen=True)
class Difference:
    """How far one array of one quantity is from the reference.

    Attributes:
        quantity: a key of `CONTRACT_TOLERANCES`.
        name: layer or parameter; `step N` for the first step of loss and rate beyond the tolerance, else the worst.
        tolerance: the largest `relative` allowed.
        relative: the difference, None where shapes differ, an array is missing or a value is not finite.
        detail: what is wrong in that case.
    """

    quantity: str
    name: str
    tolerance: float
    relative: float | None
    detail: str | None = None

    @property
    def violated(self) -> bool:
        """Beyond the tolerance."""
        return self.relative is None or self.relative > self.tolerance


def compare(
    reference: Probe, probe: Probe, network: Network, tolerances: Mapping[str, float] = WORKLOAD_TOLERANCES
) -> list[Difference]:
    """Every quantity in the order in which an error shows first.

    Weights at the start, activations from the first layer to the last, gradients and the first update from the last to
    the first, rates, losses, then what came out after the steps.
    """
    layers, named = [layer.name for layer in network.layers], list(parameters(network))
    expected, found = _with_updates(reference.arrays, named), _with_updates(probe.arrays, named)
    return [
        *_arrays("weights_before", named, expected, found, tolerances),
        *_arrays("activations_before", layers, expected, found, tolerances),
        *_arrays("gradients", named[::-1], expected, found, tolerances),
        *_arrays("first_update", named[::-1], expected, found, tolerances),
        _steps("learning_rate", expected, found, tolerances),
        _steps("loss", expected, found, tolerances),
        *_arrays("updates", named[::-1], expected, found, tolerances),
        *_arrays("activations_after", layers, expected, found, tolerances),
        *_arrays("probabilities_after", ["softmax"], expected, found, tolerances),
    ]


def first_violation(differences: list[Difference]) -> Difference | None:
    """The first difference beyond its tolerance; None when there is none."""
    return next((difference for difference in differences if difference.violated), None)


def _with_updates(arrays: Arrays, names: list[str]) -> dict[str, NDArray[np.float64]]:
    found = {name: array.astype(np.float64) for name, array in arrays.items()}
    for quantity, until in (("first_update", "weights_first"), ("updates", "weights_after")):
        for name in names:
            before, after = found.get(f"weights_before:{name}"), found.get(f"{until}:{name}")
            if before is not None and after is not None and before.shape == after.shape:
                found[f"{quantity}:{name}"] = after - before
    return found


def _arrays(
    quantity: str, names: list[str], expected: Arrays, found: Arrays, tolerances: Mapping[str, float]
) -> Iterator[Difference]:
    size = _norm if quantity in BY_NORM else _largest
    # How far a parameter moves if it is rounded to float32 in every step; its update may be as small as that.
    rounded_steps = {"first_update": 1, "updates": len(expected["loss"])}.get(quantity, 0)
    overall = max((size(expected[f"{quantity}:{name}"]) for name in names), default=0.0)
    for name in names:
        key = f"{quantity}:{name}"
        unavoidable = rounded_steps * HALF_UNIT * _norm(expected[f"weights_before:{name}"]) if rounded_steps else 0.0
        scale = max(size(expected[key]), SMALLEST_SHARE * overall)
        relative, detail = _relative(expected[key], found.get(key), size, scale)
        allowed = tolerances[quantity] + (unavoidable / scale if scale else 0.0)
        yield Difference(quantity, name, allowed, relative, detail)


def _relative(
    expected: NDArray[Any],
    found: NDArray[Any] | None,
    size: Callable[[NDArray[Any]], float],
    scale: float,
) -> tuple[float | None, str | None]:
    if found is None:
        return None, "missing"
    if expected.shape != found.shape:
        return None, f"shape {found.shape}, expected {expected.shape}"
    if not np.isfinite(found).all():
        return None, "values that are not finite"
    if not np.isfinite(expected).all():
        return None, "values of the reference that are not finite"
    distance = size(expected - found)
    return (distance / scale if scale else distance), None


def _largest(array: NDArray[Any]) -> float:
    return float(np.abs(array).max(initial=0.0))


def _norm(array: NDArray[Any]) -> float:
    return float(np.linalg.norm(array))


def _steps(quantity: str, expected: Arrays, found: Arrays, tolerances: Mapping[str, float]) -> Difference:
    a, b, tolerance = expected[quantity], found[quantity], tolerances[quantity]
    if a.shape != b.shape:
        return Difference(quantity, "steps", tolerance, None, f"{len(b)} steps, expected {len(a)}")
    relative = np.abs(a - b) / np.maximum(np.abs(a), np.finfo(np.float32).tiny)
    beyond = np.flatnonzero(~(relative <= tolerance))
    step = int(beyond[0]) if beyond.size else int(relative.argmax())
    if not np.isfinite(relative[step]):
        return Difference(quantity, f"step {step + 1}", tolerance, None, f"is {b[step]}, expected {a[step]}")
    return Difference(quantity, f"step {step + 1}", tolerance, float(relative[step]))
