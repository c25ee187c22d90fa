"""The mixed-effects model: log outcome on framework × factor, with a random intercept of the block.

    log y = a_framework + sum over factors (b_framework,factor × change) + u_block + e

Each framework has its own intercept and its own slope of every factor (framework × parameter interactions in their
plainest form); u and e are normal. Fitted by restricted maximum likelihood (`statsmodels` MixedLM; Laird and Ware,
Biometrics 38 (1982)). Slopes are differences inside blocks: their intervals take Student's t with the residual degrees
of freedom of the fit within blocks, n - blocks - slopes, exact in complete blocks, where MixedLM's own normal quantile
is too narrow.

Where MixedLM does not converge or finds no variance between blocks, the same model is fitted with a fixed effect for
each block (least squares on what differs from the block's mean). In complete blocks both give the same slopes and
errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.correlation.alignment import ROUNDING
from harness.analysis.correlation.associations import FALSE_DISCOVERY_RATE, benjamini_hochberg
from harness.analysis.correlation.effects import Contrast, contrasts_of
from harness.analysis.correlation.factors import Factor
from harness.analysis.correlation.jackknife import CONFIDENCE
from harness.analysis.correlation.mixed_fit import Fit, centred, fit_blocks, fit_fixed
from harness.analysis.correlation.scopes import Scope, logarithm_if_positive

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIXED, FIXED = "MixedLM, random intercept of block", "least squares, fixed effect of block"
DETERMINED = 1e-9
"""Share of a column's sum of squares below which blocks and columns before it determine it."""
NOTHING_LEFT = "blocks and factors determine the outcome wholly: nothing is left to test with"
NO_DEGREES = "no degrees of freedom are left: more trials a cell or fewer factors are needed"


@dataclass(frozen=True)
class Slope:
    """The change of one outcome with one change of a factor on one framework.

    Attributes:
        id: names the row, such as `slope-3`.
        framework, factor, change: as in `Effect`.
        value, low, high: on the model's scale: natural logarithm where `Model.logarithmic`, else the outcome's unit.
        p: of no change.
        reason: why they are None.
    """

    id: str
    framework: str
    factor: str
    change: str
    value: float | None
    low: float | None
    high: float | None
    p: float | None
    reason: str | None = None


@dataclass(frozen=True)
class Interaction:
    """Whether a factor changes the outcome alike on all frameworks.

    Attributes:
        id: names the row, such as `interaction-3`.
        factor: the factor.
        frameworks: those that have slopes of it.
        f, degrees: Wald F and its degrees of freedom (numerator, denominator).
        p, q: of equal slopes; `q` after Benjamini and Hochberg over all interactions of the study.
    """

    id: str
    factor: str
    frameworks: tuple[str, ...]
    f: float
    degrees: tuple[int, int]
    p: float
    q: float | None = None

    @property
    def found(self) -> bool:
        """Whether the slopes are distinguishable at the false discovery rate held."""
        return self.q is not None and self.q <= FALSE_DISCOVERY_RATE


@dataclass(frozen=True)
class Model:
    """The fit for one outcome.

    Attributes:
        id: names the model, such as `model-3`.
        outcome: summary key.
        logarithmic: whether it is of the natural logarithm of the outcome.
        method: `MIXED` or `FIXED`.
        fallback: why it is not the mixed model; None where it is.
        block_sd: standard deviation between blocks, on the model's scale; None from fixed effects.
        residual_sd: of what the model leaves.
        slopes, interactions: see there.
        trials, blocks: how many it is of.
        left_out: factors that it could not take, with the reason.
        reason: why there is no model; None where there is one.
    """

    id: str
    outcome: str
    logarithmic: bool
    method: str | None
    fallback: str | None
    block_sd: float | None
    residual_sd: float | None
    slopes: tuple[Slope, ...]
    interactions: tuple[Interaction, ...]
    trials: int
    blocks: int
    left_out: tuple[str, ...] = ()
    reason: str | None = None


def models(scope: Scope, frameworks: Sequence[str], outcomes: Sequence[str]) -> tuple[Model, ...]:
    """A model for each outcome that a trial has.

    Args:
        scope: all trials.
        frameworks: their names, in the order of the numbers in `scope.frameworks`.
        outcomes: summary keys.
    """
    found = [_model(scope, frameworks, key, mask) for keys, mask in scope.with_outcomes(outcomes) for key in keys]
    found.sort(key=lambda model: list(outcomes).index(model.outcome))
    return _numbered(found)


def _numbered(found: Sequence[Model]) -> tuple[Model, ...]:
    every = [one for model in found for one in model.interactions]
    corrected = iter(zip(every, benjamini_hochberg([one.p for one in every]), strict=True))
    slopes = interactions = 0
    result = []
    for number, model in enumerate(found, 1):
        own = []
        for _ in model.interactions:
            one, q = next(corrected)
            interactions += 1
            own.append(replace(one, id=f"interaction-{interactions}", q=q))
        named = tuple(replace(one, id=f"slope-{slopes + i}") for i, one in enumerate(model.slopes, 1))
        slopes += len(named)
        result.append(replace(model, id=f"model-{number}", slopes=named, interactions=tuple(own)))
    return tuple(result)


def _model(scope: Scope, frameworks: Sequence[str], key: str, mask: NDArray[np.bool_]) -> Model:
    values, logarithmic = logarithm_if_positive(scope.frame[key].to_numpy(dtype=float)[mask])
    own = scope.frameworks[mask]
    blocks = np.unique(scope.blocks[mask], return_inverse=True)[1]
    count = int(blocks.max()) + 1
    numbers = np.unique(own)
    columns, names, absent, left_out = _design(scope, mask, own, numbers, blocks)
    nothing = Model("", key, logarithmic, None, None, None, None, (), (), len(values), count, left_out)
    degrees = len(values) - count - (len(numbers) - 1) - columns.shape[1]
    if not names:
        return replace(nothing, reason="no factor varies within a framework")
    if count < 2:
        return replace(nothing, reason="too few blocks: 1, 2 are needed")
    if degrees < 1:
        return replace(nothing, reason=NO_DEGREES)
    if float(np.ptp(values)) <= ROUNDING * float(np.abs(values).max()):
        return replace(nothing, reason="the outcome has one value")
    intercepts = (own[:, None] == numbers[None, :]).astype(float)
    plain = fit_fixed(values, intercepts, columns, blocks, degrees, "")
    if not np.sqrt(plain.residual_variance) > ROUNDING * max(1.0, float(np.abs(values).max())):
        return replace(nothing, reason=NOTHING_LEFT)
    fit = fit_blocks(values, intercepts, columns, blocks, degrees)
    slopes = [
        _slope(frameworks[framework], contrast, fit, index, degrees)
        for index, (framework, contrast) in enumerate(names)
    ]
    slopes += [
        Slope("", frameworks[framework], factor, "", None, None, None, None, why) for framework, factor, why in absent
    ]
    return replace(
        nothing,
        method=MIXED if fit.fallback is None else FIXED,
        fallback=fit.fallback,
        block_sd=None if fit.block_variance is None else float(np.sqrt(fit.block_variance)),
        residual_sd=float(np.sqrt(fit.residual_variance)),
        slopes=tuple(slopes),
        interactions=tuple(_interactions(frameworks, names, fit, degrees)),
    )


Named = list[tuple[int, Contrast]]


def _design(
    scope: Scope, mask: NDArray[np.bool_], own: NDArray[np.int64], numbers: NDArray[np.int64], blocks: NDArray[np.int64]
) -> tuple[NDArray[np.float64], Named, list[tuple[int, str, str]], tuple[str, ...]]:
    """Columns of the slopes with whose they are; those a framework has not; what is determined by columns before it."""
    kept: list[NDArray[np.float64]] = []
    names: Named = []
    absent: list[tuple[int, str, str]] = []
    left_out: list[str] = []
    intercepts = (own[:, None] == numbers[None, :]).astype(float)
    basis = _orthonormal(centred(intercepts, blocks))
    for factor in scope.factors:
        for framework in numbers:
            inside = own == framework
            contrasts = _own_contrasts(factor, scope, mask, inside)
            if not contrasts:
                absent.append((int(framework), factor.name, "one level on this framework"))
            for contrast in contrasts:
                column = np.where(inside, contrast.column - contrast.column[inside].mean(), 0.0)
                inner = centred(column[:, None], blocks)[:, 0]
                rest = inner - basis @ (basis.T @ inner)
                if float(rest @ rest) < DETERMINED * float(column @ column):
                    why = f"{contrast.change}: determined by the factors before it, or by the block"
                    absent.append((int(framework), factor.name, why))
                    left_out.append(factor.name)
                    continue
                basis = np.concatenate([basis, (rest / np.linalg.norm(rest))[:, None]], axis=1)
                kept.append(column)
                names.append((int(framework), contrast))
    columns = np.stack(kept, axis=1) if kept else np.zeros((len(own), 0))
    return columns, names, absent, tuple(dict.fromkeys(left_out))


def _own_contrasts(factor: Factor, scope: Scope, mask: NDArray[np.bool_], inside: NDArray[np.bool_]) -> list[Contrast]:
    """The changes of a factor on one framework: names against the first level that this framework has."""
    codes = factor.codes(scope.frame.loc[mask, factor.name])
    present = np.unique(codes[inside])
    if len(present) < 2:
        return []
    if factor.ordered:
        return contrasts_of([factor], scope, mask)
    reference = factor.levels[int(present[0])]
    return [
        Contrast(factor, f"{factor.levels[int(code)]} against {reference}", (codes == code).astype(float))
        for code in present[1:]
    ]


def _orthonormal(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    vectors, sizes, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(vectors[:, sizes > 1e-9 * max(float(sizes.max(initial=0.0)), 1e-300)])


def _slope(framework: str, contrast: Contrast, fit: Fit, index: int, degrees: int) -> Slope:
    from scipy import special

    value, error = float(fit.coefficients[index]), float(np.sqrt(fit.covariance[index, index]))
    half = float(special.stdtrit(degrees, (1 + CONFIDENCE) / 2)) * error
    p = float(2 * special.stdtr(degrees, -abs(value) / error)) if error > 0 else None
    return Slope("", framework, contrast.factor.name, contrast.change, value, value - half, value + half, p)


def _interactions(frameworks: Sequence[str], names: Named, fit: Fit, degrees: int) -> list[Interaction]:
    from scipy import special

    found = []
    for factor in dict.fromkeys(contrast.factor.name for _, contrast in names):
        by_change: dict[str, list[int]] = {}
        for index, (_, contrast) in enumerate(names):
            if contrast.factor.name == factor:
                by_change.setdefault(contrast.change, []).append(index)
        rows = []
        for places in by_change.values():
            for other in places[1:]:
                row = np.zeros(len(fit.coefficients))
                row[places[0]], row[other] = -1.0, 1.0
                rows.append(row)
        if not rows:
            continue
        contrast_matrix = np.array(rows)
        difference = contrast_matrix @ fit.coefficients
        spread = contrast_matrix @ fit.covariance @ contrast_matrix.T
        f = float(difference @ np.linalg.pinv(spread, hermitian=True) @ difference) / len(rows)
        who = tuple(dict.fromkeys(frameworks[n] for n, contrast in names if contrast.factor.name == factor))
        p = float(special.fdtrc(len(rows), degrees, f))
        found.append(Interaction("", factor, who, f, (len(rows), degrees), p))
    return found
