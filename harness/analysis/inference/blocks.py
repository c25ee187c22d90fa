"""Two rows block by block: the logarithms of their ratios, and the blocks that give none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class LogRatios:
    """`log(value / reference)` of every block that both rows have.

    Attributes:
        seeds: the blocks, rising.
        logs: natural logarithms, in the same order.
        left_out: why a block of one of the rows gives no ratio -> its seeds.
        reason: why there is no ratio at all; None where there is one.
    """

    seeds: tuple[int, ...]
    logs: tuple[float, ...]
    left_out: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    reason: str | None = None


def deviation(values: Sequence[float]) -> float:
    """Sample standard deviation (n - 1) of two values or more, by exact sums: what `statistics.stdev` gives, sooner."""
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) * (value - mean) for value in values) / (len(values) - 1))


def log_ratios(values: Mapping[int, float], reference: Mapping[int, float], names: tuple[str, str]) -> LogRatios:
    """Pair two rows by seed.

    Args:
        values, reference: seed -> value, in one unit.
        names: of the two rows, for the reasons.

    Returns:
        No ratio at all where any shared value is not positive: a ratio means nothing there, and to leave out the
        blocks that happen to be zero would bend the others' mean.
    """
    lonely = {
        f"only {name} has a value": tuple(sorted(own.keys() - other.keys()))
        for name, own, other in ((names[0], values, reference), (names[1], reference, values))
    }
    left_out = {why: seeds for why, seeds in lonely.items() if seeds}
    shared = sorted(values.keys() & reference.keys())
    if not shared:
        return LogRatios((), (), left_out, "no block has a value of both")
    for name, own in zip(names, (values, reference), strict=True):
        bad = [seed for seed in shared if own[seed] <= 0]
        if bad:
            why = f"{name} is {own[bad[0]]:g} in block {bad[0]}: only positive values have a ratio"
            return LogRatios((), (), left_out, why)
    return LogRatios(tuple(shared), tuple(math.log(values[seed] / reference[seed]) for seed in shared), left_out)
