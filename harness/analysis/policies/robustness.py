"""How robust a policy is: the same policy at other base rates, and its spread over seeds.

LRBench names the base-rate scales 0.1, 0.5, 1, 5 and 10 (its notebook `lrbench-mnist-caffe.ipynb`, metric 6) and no
procedure. Here every scale runs with the same seeds; what is kept of the accuracy is the accuracy at a scale divided by
that at scale 1, seed by seed, 0 where training diverged; the figure of a policy is the mean over the scales but 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.analysis.policies.criteria import accuracy_or_zero
from harness.analysis.policies.grouping import Row
from harness.analysis.policies.intervals import ONE_VALUE, Difference, Interval, difference, interval


@dataclass(frozen=True)
class AtScale:
    """A policy at one base-rate scale.

    Attributes:
        accuracy: test top-1 in percent, of the seeds that did not diverge.
        difference: to scale 1, in percentage points, paired by seed.
        kept: accuracy divided by that at scale 1, diverged seeds 0; None where a scale-1 result is missing.
        loss_difference: test loss less training loss, mean over the seeds.
        diverged: (seed, step, rate).
        missing: seeds without a result.
    """

    scale: float
    policy: str | None
    accuracy: Interval | None
    difference: Difference | None
    kept: Interval | None
    loss_difference: Interval | None
    diverged: tuple[tuple[int, int | None, float | None], ...]
    missing: tuple[int, ...]


@dataclass(frozen=True)
class Robustness:
    """The answer.

    Attributes:
        scales: in rising order.
        kept: mean over the scales but 1, seed by seed.
        sd_percent: standard deviation over seeds at scale 1, in percentage points; None with the reason for n < 2.
        range_percent: highest less lowest accuracy over seeds at scale 1.
    """

    scales: tuple[AtScale, ...]
    kept: Interval | None
    kept_reason: str | None
    sd_percent: float | None
    range_percent: float | None
    spread_reason: str | None


def robustness(rows_by_scale: Mapping[float, Sequence[Row]], seeds: Sequence[int]) -> Robustness:
    """Robustness from the trials at each scale, at most one a seed.

    Args:
        rows_by_scale: scale -> trials; 1.0 is the policy itself.
        seeds: that were to run.
    """
    base_rows = rows_by_scale.get(1.0, ())
    base = {row["seed"]: accuracy_or_zero(row) for row in base_rows if row["termination"] != "diverged"}
    grain = max((100.0 / row["test_images"] for row in base_rows if row["test_images"]), default=0.0)
    scales = [_at(scale, rows_by_scale[scale], base, grain, seeds) for scale in sorted(rows_by_scale)]
    others = {
        scale: {row["seed"]: accuracy_or_zero(row) for row in rows}
        for scale, rows in rows_by_scale.items()
        if scale != 1
    }
    complete = [
        seed for seed, value in base.items() if value > 0 and others and all(seed in one for one in others.values())
    ]
    kept = [sum(one[seed] for one in others.values()) / len(others) / base[seed] for seed in sorted(complete)]
    reason = None if kept else "no seed has a result at all scales" if base else "no seed completed at scale 1"
    spread = interval(list(base.values()))
    return Robustness(
        scales=tuple(scales),
        kept=interval(kept),
        kept_reason=reason,
        sd_percent=spread.sd if spread else None,
        range_percent=max(base.values()) - min(base.values()) if len(base) > 1 else None,
        spread_reason=None if len(base) > 1 else ONE_VALUE if base else "no seed completed at scale 1",
    )


def _at(scale: float, rows: Sequence[Row], base: Mapping[int, float], grain: float, seeds: Sequence[int]) -> AtScale:
    converged = {row["seed"]: accuracy_or_zero(row) for row in rows if row["termination"] != "diverged"}
    every = {row["seed"]: accuracy_or_zero(row) for row in rows}
    kept = [value / base[seed] for seed, value in every.items() if base.get(seed)]
    losses = [float(row["loss_difference"]) for row in rows if row["loss_difference"] is not None]
    return AtScale(
        scale=scale,
        policy=rows[0]["policy"] if rows else None,
        accuracy=interval(list(converged.values()), grain),
        difference=None if scale == 1 else difference(converged, base, grain),
        kept=interval(kept),
        loss_difference=interval(losses),
        diverged=tuple(
            (row["seed"], row["diverged_step"], row["diverged_learning_rate"])
            for row in rows
            if row["termination"] == "diverged"
        ),
        missing=tuple(seed for seed in seeds if seed not in every),
    )
