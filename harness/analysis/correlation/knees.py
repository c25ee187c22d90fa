"""Thresholds and saturation: where an outcome stops following a factor, such as throughput the batch size.

Each block gives a profile: the mean log outcome at every level, other factors held constant. Three questions follow.

* Is there a bend at all? The parabola through each block's profile has a curvature; without a bend its mean over
  blocks is 0 (t test over blocks). Nothing is searched for here, so no search makes the test too generous.
* Where? Two straight lines on the scale of doublings that meet in a knee (segmented regression; V. M. R. Muggeo,
  Statistics in Medicine 22 (2003)), the knee by least squares; interval by leaving out one block at a time.
* Of throughput: y = plateau × x / (x + half), what a step with a constant part and a part for each sample gives; 90 %
  of the plateau is reached at 9 × half. Outside the levels measured that is an extrapolation and said to be one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.correlation.associations import too_few_blocks
from harness.analysis.correlation.dependence import MOST_LEVELS, Profiles, profiles
from harness.analysis.correlation.factors import Factor
from harness.analysis.correlation.jackknife import FEWEST_BLOCKS, groups_of, jackknife, over_blocks
from harness.analysis.correlation.scopes import POOLED, Scope

if TYPE_CHECKING:
    from numpy.typing import NDArray

KNEE_OUTCOMES = (
    "samples_per_s",
    "achieved_flops_per_s",
    "step_time_median_s",
    "training_time_s",
    "cores_used_mean",
    "peak_memory_bytes",
    "peak_resident_bytes",
)
SATURATING = ("samples_per_s", "achieved_flops_per_s")
"""Outcomes that the curve with a plateau is fitted to."""
FEWEST_LEVELS = 4
KNEE_STEP = 1 / 32
"""Doublings between the places at which a knee is looked for."""
HALF_BEYOND = 8.0
"""Doublings beyond the levels up to which the half-way point of a saturating curve is looked for."""
PLATEAU_SHARE = 0.9
NO_KNEE = "no knee within the range: "


@dataclass(frozen=True)
class Knee:
    """How an outcome bends over a factor on one framework.

    Attributes:
        id: names the row, such as `knee-3`.
        scope, outcome, factor: as in `Association`.
        supported: whether a knee within the range is better than a straight line.
        verdict: the answer in words.
        curvature, curvature_low, curvature_high: second-order coefficient of log outcome per doubling squared.
        knee, knee_low, knee_high: the level at which the two lines meet; None unless `supported`.
        slope_before, slope_after: of log outcome by log level: 1 is proportional, 0 constant.
        change_low, change_high: interval of `slope_after - slope_before`.
        rms_line, rms_knee: root mean square of what a straight line and the two lines leave of the mean profile, as
            log.
        saturation, saturation_low, saturation_high: level that reaches 90 % of the plateau; None where none is fitted.
        plateau: the plateau, in the outcome's unit.
        extrapolated: whether `saturation` lies outside the levels measured.
        levels: those measured.
        trials, blocks: how many it is of.
        reason: why something is None.
    """

    id: str
    scope: str
    outcome: str
    factor: str
    supported: bool
    verdict: str
    curvature: float | None
    curvature_low: float | None
    curvature_high: float | None
    knee: float | None
    knee_low: float | None
    knee_high: float | None
    slope_before: float | None
    slope_after: float | None
    change_low: float | None
    change_high: float | None
    rms_line: float | None
    rms_knee: float | None
    saturation: float | None
    saturation_low: float | None
    saturation_high: float | None
    plateau: float | None
    extrapolated: bool
    levels: tuple[float, ...]
    trials: int
    blocks: int
    reason: str | None = None


@dataclass(frozen=True)
class Segments:
    """Two lines that meet: place of the knee in doublings, slopes, and what they leave."""

    place: float
    before: float
    after: float
    rms: float


def knees(scopes: Sequence[Scope], outcomes: Sequence[str]) -> tuple[Knee, ...]:
    """All bends looked at: framework by framework, for the outcomes of `KNEE_OUTCOMES` among those given."""
    rows = []
    for scope in scopes:
        if scope.name == POOLED:
            continue
        for factor in scope.ordered:
            wanted = [key for key in outcomes if key in KNEE_OUTCOMES]
            found = profiles(scope, factor, wanted) if can_bend(factor) else {}
            rows += [_knee(scope, factor, key, found[key]) for key in wanted if key in found]
    return tuple(replace(row, id=f"knee-{number}") for number, row in enumerate(rows, 1))


def can_bend(factor: Factor) -> bool:
    """Whether a knee can be looked for: on the scale of doublings, with `FEWEST_LEVELS` to `MOST_LEVELS` levels."""
    return factor.doubles and FEWEST_LEVELS <= len(factor.levels) <= MOST_LEVELS


def segments(places: NDArray[np.float64], profile: NDArray[np.float64]) -> Segments:
    """The best two lines that meet between the second and the last but one level, at most.

    Args:
        places: (levels,) in doublings, ascending, four or more.
        profile: (levels,) log outcome.
    """
    candidates, solvers, leftovers = _two_lines(tuple(float(place) for place in places))
    squares = ((leftovers @ profile) ** 2).sum(axis=1)
    best = int(np.argmin(squares))
    coefficients = solvers[best] @ profile
    per_log = np.log(2.0)
    before, change = float(coefficients[1]) / per_log, float(coefficients[2]) / per_log
    return Segments(float(candidates[best]), before, before + change, float(np.sqrt(squares[best] / len(places))))


@lru_cache(maxsize=64)
def _two_lines(places: tuple[float, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Places of a knee (c,), and of each the matrix that gives the coefficients (c, 3, levels) and what is left (c,
    levels, levels).

    Raises:
        ValueError: fewer than four places.
    """
    if len(places) < FEWEST_LEVELS:
        raise ValueError(f"{FEWEST_LEVELS} levels or more are needed, got {len(places)}")
    at = np.array(places)
    candidates = np.arange(at[1], at[-2] + KNEE_STEP / 2, KNEE_STEP)
    over = np.maximum(at[None, :] - candidates[:, None], 0.0)
    design = np.stack([np.ones_like(over), np.broadcast_to(at, over.shape), over], axis=2)
    solvers = np.linalg.pinv(design)
    return candidates, solvers, np.eye(len(at))[None] - design @ solvers


def saturation(places: NDArray[np.float64], profile: NDArray[np.float64]) -> tuple[float, float, bool]:
    """Half-way point of the saturating curve in doublings, log plateau, and whether the search ended inside its range.

    Args:
        places: (levels,) log2 of the level.
        profile: (levels,) log outcome.
    """
    grid = np.arange(places[0] - HALF_BEYOND, places[-1] + HALF_BEYOND, KNEE_STEP)
    squares, heights = _of_halves(grid, places, profile)
    best = int(np.argmin(squares))
    inside = 0 < best < len(grid) - 1
    half = float(grid[best])
    if inside:
        # The least of the parabola through the three points around the best one.
        left, middle, right = squares[best - 1 : best + 2]
        bend = left - 2 * middle + right
        half += float(0.5 * (left - right) / bend * KNEE_STEP) if bend > 0 else 0.0
        heights = _of_halves(np.array([half]), places, profile)[1]
        return half, float(heights[0]), True
    return half, float(heights[best]), False


def _of_halves(
    halves: NDArray[np.float64], places: NDArray[np.float64], profile: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Squares left, and the log plateau, of curves with these half-way points."""
    curve = -np.log1p(2.0 ** (halves[:, None] - places[None, :]))
    rest = profile[None, :] - curve
    height = rest.mean(axis=1)
    return ((rest - height[:, None]) ** 2).sum(axis=1), height


def _knee(scope: Scope, factor: Factor, key: str, profile: Profiles) -> Knee:
    found = profile.values
    levels = tuple(float(level) for level in factor.levels)
    nothing = Knee(
        *("", scope.name, key, factor.name, False, ""),
        *(None,) * 16,
        extrapolated=False,
        levels=levels,
        trials=profile.trials,
        blocks=len(found),
    )
    if not profile.logarithmic:
        why = "a value is not positive: there is no log scale to look for a knee on"
        return replace(nothing, verdict=why, reason=why)
    if len(found) < FEWEST_BLOCKS:
        why = too_few_blocks(len(found)) + " (blocks with every level)"
        return replace(nothing, verdict=why, reason=why)
    if float(np.ptp(found)) == 0.0:
        why = NO_KNEE + "the outcome has one value"
        return replace(nothing, verdict=why, reason=why)
    places = np.log2(np.array(levels))
    return _with_saturation(_with_segments(nothing, places, found), places, found, key)


def _with_segments(nothing: Knee, places: NDArray[np.float64], found: NDArray[np.float64]) -> Knee:
    # The parabola is taken of places around their middle, so that its second coefficient stands alone.
    around = places - places.mean()
    design = np.stack([np.ones_like(around), around, around**2], axis=1)
    curvatures = (np.linalg.pinv(design) @ found.T)[2]
    mean, spread = over_blocks(curvatures)
    whole, parts = _leaving_out(found, lambda profile: _numbers(segments(places, profile)))
    around_all = jackknife(whole, parts)
    line = np.stack([np.ones_like(places), places], axis=1)
    profile = found.mean(axis=0)
    rest = profile - line @ np.linalg.lstsq(line, profile, rcond=None)[0]
    bends = bool(spread.low > 0 or spread.high < 0)
    changes = bool(around_all.low[3] > 0 or around_all.high[3] < 0)
    within = bool(places[1] < around_all.low[0] or around_all.high[0] < places[-2])
    supported = bends and changes and within
    why = None
    if not bends:
        why = "the bend over the levels is not distinguishable from none"
    elif not changes:
        why = "the slopes before and after it are not distinguishable"
    elif not within:
        why = "its place is not determined by these levels"
    level = [
        float(2.0 ** np.clip(one, places[0], places[-1])) for one in (whole[0], around_all.low[0], around_all.high[0])
    ]
    return replace(
        nothing,
        supported=supported,
        verdict=f"knee at {level[0]:.3g}" if supported else NO_KNEE + str(why),
        curvature=float(mean),
        curvature_low=float(spread.low),
        curvature_high=float(spread.high),
        knee=level[0] if supported else None,
        knee_low=level[1] if supported else None,
        knee_high=level[2] if supported else None,
        slope_before=float(whole[1]),
        slope_after=float(whole[2]),
        change_low=float(around_all.low[3]),
        change_high=float(around_all.high[3]),
        rms_line=float(np.sqrt((rest**2).mean())),
        rms_knee=segments(places, profile).rms,
        reason=NO_KNEE + why if why else None,
    )


def _with_saturation(knee: Knee, places: NDArray[np.float64], found: NDArray[np.float64], key: str) -> Knee:
    if key not in SATURATING:
        return knee
    half, height, inside = saturation(places, found.mean(axis=0))
    if not inside:
        falls = half < places[0]
        why = "no rise to a plateau over the range" if falls else "no plateau in sight: it still grows with the level"
        return replace(knee, reason="; ".join(one for one in (knee.reason, why) if one))
    whole, parts = _leaving_out(found, lambda profile: np.array([saturation(places, profile)[0]]))
    spread = jackknife(whole, parts)
    factor = PLATEAU_SHARE / (1 - PLATEAU_SHARE)
    level, low, high = (float(factor * 2.0 ** float(one)) for one in (whole[0], spread.low[0], spread.high[0]))
    return replace(
        knee,
        saturation=level,
        saturation_low=low,
        saturation_high=high,
        plateau=float(np.exp(height)),
        extrapolated=not knee.levels[0] <= level <= knee.levels[-1],
    )


def _numbers(found: Segments) -> NDArray[np.float64]:
    return np.array([found.place, found.before, found.after, found.after - found.before])


def _leaving_out(
    found: NDArray[np.float64], of: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A number of the mean profile, and of the mean profile without each group of blocks."""
    groups, count = groups_of(np.arange(len(found)), len(found))
    return of(found.mean(axis=0)), np.array([of(found[groups != group].mean(axis=0)) for group in range(count)])
