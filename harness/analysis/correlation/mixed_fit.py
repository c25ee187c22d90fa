"""Fitting the mixed model of one outcome: MixedLM, or fixed effects of the blocks with the reason for it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.correlation.alignment import group_means

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_TRIALS, MOST_BLOCKS = 20_000, 500
"""Beyond these MixedLM, which works block by block, is not tried."""
METHODS = ("bfgs", "powell")
"""Optimisers, the second where the first fails. L-BFGS ends at a variance of 0 where there is one."""
SINGULAR = 1e-6
"""Ratio of the variance between blocks to the residual one below which the former counts as none."""


@dataclass(frozen=True)
class Fit:
    """Coefficients of the slopes, their covariance, and where they come from."""

    coefficients: NDArray[np.float64]
    covariance: NDArray[np.float64]
    residual_variance: float
    block_variance: float | None
    fallback: str | None


def fit_blocks(
    values: NDArray[np.float64],
    intercepts: NDArray[np.float64],
    columns: NDArray[np.float64],
    blocks: NDArray[np.int64],
    degrees: int,
) -> Fit:
    """The mixed model, or the one with fixed effects of the blocks and the reason for it.

    Args:
        values: (n,) outcome.
        intercepts: (n, k) indicator of each framework.
        columns: (n, c) of the slopes, independent of each other and of the intercepts inside the blocks.
        blocks: (n,) codes from 0.
        degrees: of freedom of the residual within blocks.
    """
    count = int(blocks.max()) + 1
    if len(values) > MOST_TRIALS or count > MOST_BLOCKS:
        why = f"{len(values)} trials in {count} blocks: MixedLM is tried up to {MOST_TRIALS} and {MOST_BLOCKS}"
        return fit_fixed(values, intercepts, columns, blocks, degrees, why)
    from statsmodels.regression.mixed_linear_model import MixedLM
    from statsmodels.tools.sm_exceptions import ConvergenceWarning

    design = np.concatenate([intercepts, columns], axis=1)
    unit = float(values.std())  # the optimiser works with numbers around 1, whatever the outcome's unit
    skip = intercepts.shape[1]
    why = ""
    for method in METHODS:
        try:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                found = MixedLM(values / unit, design, groups=blocks).fit(reml=True, method=method)
            variance, scale = float(np.asarray(found.cov_re)[0, 0]), float(found.scale)
            covariance = np.asarray(found.cov_params(), dtype=np.float64)[: design.shape[1], : design.shape[1]][
                skip:, skip:
            ]
        except (np.linalg.LinAlgError, ValueError) as error:
            why = f"MixedLM could not be fitted: {error}"
            continue
        if not found.converged:
            warned = [str(one.message) for one in told if issubclass(one.category, ConvergenceWarning)]
            why = "MixedLM did not converge" + (f": {warned[0]}" if warned else "")
        elif not variance > SINGULAR * scale:
            why = "MixedLM finds no variance between blocks (singular)"
        elif not np.all(np.isfinite(covariance)) or np.any(np.diag(covariance) <= 0):
            why = "MixedLM gives no standard errors"
        else:
            slopes = unit * np.asarray(found.fe_params, dtype=np.float64)[skip:]
            return Fit(
                slopes, np.asarray(unit**2 * covariance, dtype=np.float64), unit**2 * scale, unit**2 * variance, None
            )
    return fit_fixed(values, intercepts, columns, blocks, degrees, why)


def fit_fixed(
    values: NDArray[np.float64],
    intercepts: NDArray[np.float64],
    columns: NDArray[np.float64],
    blocks: NDArray[np.int64],
    degrees: int,
    why: str,
) -> Fit:
    """The model with a fixed effect of each block: least squares on differences from the block's mean.

    Args:
        values, intercepts, columns, blocks, degrees: as in `fit_blocks`.
        why: why it stands for the mixed model.
    """
    inner = centred(np.concatenate([columns, intercepts[:, 1:], values[:, None]], axis=1), blocks)
    design, outcome = inner[:, :-1], inner[:, -1]
    inverse = np.linalg.pinv(design.T @ design, hermitian=True)
    coefficients = inverse @ (design.T @ outcome)
    rest = outcome - design @ coefficients
    variance = float(rest @ rest) / degrees
    count = columns.shape[1]
    covariance = np.asarray(variance * inverse[:count, :count], dtype=np.float64)
    return Fit(coefficients[:count], covariance, variance, None, why)


def centred(columns: NDArray[np.float64], blocks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Columns as differences from the mean of their block."""
    return np.asarray(columns - group_means(columns, blocks, int(blocks.max()) + 1)[blocks])
