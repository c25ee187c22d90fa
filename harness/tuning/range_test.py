"""The range test: short runs at constant rates over a log grid, and the range of rates that serve.

The idea is Smith's (arXiv 1506.01186, section 3.3), who raises the rate within one run; LRBench's own example
(ImageNet, ResNet-18) makes a run for each rate, and so does this: every run starts from the same weights, so that what
a rate does is not mixed with what the rates before it did.

The rule. Of every rate two gains are measured, both in its mean over the seeds:

* of the training loss: the first mini-batch's loss, before any update, minus the mean over the last fifth of the steps;
* of the accuracy: top-1 on the validation images after the last step, minus that of guessing (1 / classes).

A rate is **usable** when no seed of it diverged or failed and both gains are at least `1 - tolerance` of the best gain
at any rate. The loss alone would let pass a rate whose weights have grown so large that it fits the mini-batches and
nothing else; the accuracy alone is coarse on few images. Shares of gains need no unit and no knowledge of the
workload. The **usable range** is the unbroken run of usable rates around the one with the largest gain of the loss: a
usable rate beyond one that is not is luck, and no cyclic policy may pass through the gap. `k0` and `k1` are suggested
as the ends of the range. A short run cannot see what a rate does later: small rates look worse than they are in a long
run, and rates near the upper end may diverge after more steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from harness.errors import DlgaugeError
from harness.tuning.outcomes import Outcome

DEFAULT_TOLERANCE = 0.1


def rate_grid(first: float, last: float, points: int) -> tuple[float, ...]:
    """`points` rates with equal ratios from `first` to `last`, to four significant digits.

    More digits are kept where the rates lie so close that rounding would move one by a tenth of their distance or more.

    Raises:
        DlgaugeError: there are not so many different numbers between the two.
    """
    exact = np.geomspace(first, last, points)
    distance = float(np.diff(exact).min())
    for digits in range(4, 18):
        rounded = np.array([float(f"{rate:.{digits}g}") for rate in exact])
        if np.abs(rounded - exact).max() < 0.1 * distance:
            return tuple(rounded.tolist())
    what = f"there are no {points} different rates from {first!r} to {last!r}"
    raise DlgaugeError(what, where="--points", hint="take fewer, or another range")


@dataclass(frozen=True)
class RatePoint:
    """One rate, over its seeds.

    Attributes:
        outcomes: of the seeds that have a record, by seed.
        loss, top1: means over the seeds, None where one of them has none.
        loss_gain, top1_gain: see the module; None likewise.
        ended: in how many seeds the run ended otherwise than completed, by word.
        usable: by the rule; `why_not` says what speaks against it.
    """

    rate: float
    outcomes: tuple[Outcome, ...]
    loss: float | None
    top1: float | None
    loss_gain: float | None
    top1_gain: float | None
    ended: dict[str, int]
    usable: bool = False
    why_not: str | None = None


@dataclass(frozen=True)
class UsableRange:
    """The result of a range test on one framework.

    Attributes:
        points: every rate, rising.
        best: the usable rate with the largest gain of the loss; None where no rate is usable.
        low, high: ends of the usable range, None likewise.
        remarks: what a reader must know: a range that touches the end of the grid, why there is none.
    """

    framework: str
    points: tuple[RatePoint, ...]
    tolerance: float
    best: float | None
    low: float | None
    high: float | None
    remarks: tuple[str, ...]


def judge(
    framework: str,
    rates: Sequence[float],
    outcomes: Iterable[Outcome],
    *,
    seeds: int,
    classes: int,
    tolerance: float = DEFAULT_TOLERANCE,
) -> UsableRange:
    """Apply the rule of the module to the outcomes of one framework.

    Args:
        rates: the grid, rising.
        seeds: how many runs each rate should have.
        classes: of the dataset.
        tolerance: share of the best gain that a usable rate may lack.
    """
    by_rate: dict[float, list[Outcome]] = {rate: [] for rate in rates}
    for outcome in outcomes:
        by_rate[float(outcome.learning_rate["k0"])].append(outcome)
    points = [_point(rate, sorted(found, key=lambda one: one.seed), classes) for rate, found in by_rate.items()]
    clean = [point for point in points if len(point.outcomes) == seeds and not point.ended]
    best_loss = max((point.loss_gain for point in clean if point.loss_gain is not None), default=None)
    best_top1 = max((point.top1_gain for point in clean if point.top1_gain is not None), default=None)
    judged = tuple(_judged(point, seeds, best_loss, best_top1, tolerance) for point in points)
    return _range(framework, judged, tolerance)


def _point(rate: float, outcomes: Sequence[Outcome], classes: int) -> RatePoint:
    loss = _mean([one.final_loss for one in outcomes])
    first = _mean([one.first_loss for one in outcomes])
    top1 = _mean([one.top1 for one in outcomes])
    ended: dict[str, int] = {}
    for one in outcomes:
        if not one.completed:
            ended[one.termination] = ended.get(one.termination, 0) + 1
    return RatePoint(
        rate=rate,
        outcomes=tuple(outcomes),
        loss=loss,
        top1=top1,
        loss_gain=None if loss is None or first is None else first - loss,
        top1_gain=None if top1 is None else top1 - 1 / classes,
        ended=ended,
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def _judged(
    point: RatePoint, seeds: int, best_loss: float | None, best_top1: float | None, tolerance: float
) -> RatePoint:
    why = _why_not(point, seeds, best_loss, best_top1, tolerance)
    return replace(point, usable=why is None, why_not=why)


def _why_not(
    point: RatePoint, seeds: int, best_loss: float | None, best_top1: float | None, tolerance: float
) -> str | None:
    if point.ended:
        return ", ".join(f"{kind} in {count} of {seeds}" for kind, count in point.ended.items())
    if len(point.outcomes) < seeds:
        return f"{len(point.outcomes)} of {seeds} runs so far"
    if point.loss_gain is None or point.top1_gain is None:
        return "no finite loss or accuracy"
    if best_loss is None or best_loss <= 0 or point.loss_gain <= 0:
        return "the loss did not fall"
    if best_top1 is None or best_top1 <= 0 or point.top1_gain <= 0:
        return "no better than guessing"
    if point.loss_gain < (1 - tolerance) * best_loss:
        return f"loss fell by {100 * point.loss_gain / best_loss:.0f} % of the best fall"
    if point.top1_gain < (1 - tolerance) * best_top1:
        return f"top-1 gained {100 * point.top1_gain / best_top1:.0f} % of the best gain"
    return None


def _range(framework: str, points: tuple[RatePoint, ...], tolerance: float) -> UsableRange:
    usable = [index for index, point in enumerate(points) if point.usable]
    if not usable:
        what = "no rate of the grid is usable: no run learned, or none is good in both loss and accuracy"
        return UsableRange(framework, points, tolerance, None, None, None, (what,))
    best = max(usable, key=lambda index: points[index].loss_gain or 0.0)
    low = high = best
    while low - 1 in usable:
        low -= 1
    while high + 1 in usable:
        high += 1
    return UsableRange(
        framework=framework,
        points=points,
        tolerance=tolerance,
        best=points[best].rate,
        low=points[low].rate,
        high=points[high].rate,
        remarks=tuple(_remarks(points, usable, low, high)),
    )


def _remarks(points: Sequence[RatePoint], usable: Sequence[int], low: int, high: int) -> Iterable[str]:
    if low == 0:
        yield f"the range reaches the lowest rate of the grid, {points[low].rate:g}: its end may lie below (--from)"
    if high == len(points) - 1:
        yield f"the range reaches the highest rate of the grid, {points[high].rate:g}: its end may lie above (--to)"
    if low == high:
        yield "one rate of the grid alone is usable, which gives no range to cycle in: take more points (--points)"
    if outside := [points[index].rate for index in usable if not low <= index <= high]:
        rates = ", ".join(f"{rate:g}" for rate in outside)
        yield f"usable too, but apart from the range: {rates}; more seeds or steps would tell whether by luck"
    waiting = [point for point in points if point.why_not and point.why_not.endswith("runs so far")]
    if waiting:
        yield f"{len(waiting)} rates lack runs: the range is not final"
