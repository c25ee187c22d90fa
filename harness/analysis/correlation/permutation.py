"""The test for what is the same in every block: permutations inside blocks.

Where leaving out any block changes nothing, the jackknife has no spread and no test. If the factor did nothing, any
order of a block's outcomes would be as likely as the one found; the p-value is the share of such orders, drawn at
random, whose rank correlation is as strong (R. A. Fisher, The Design of Experiments, section 21; B. F. J. Manly,
Randomization, chapter 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.correlation.ranks import midranks

if TYPE_CHECKING:
    from numpy.typing import NDArray

DRAWS = 999


def permutation_p(
    factor: NDArray[np.float64], outcome: NDArray[np.float64], strata: NDArray[np.int64], draws: int = DRAWS
) -> float:
    """Two-sided p-value of Spearman's coefficient, at least 1 / (draws + 1); the same for the same data every time.

    Args:
        factor, outcome: (n,) numbers.
        strata: (n,) codes: outcomes change places only with those of the same code.
        draws: how many orders are drawn.
    """
    x, y = (midranks(np.unique(one, return_inverse=True)[1]) for one in (factor, outcome))
    x, y = x - x.mean(), y - y.mean()
    chance = np.random.default_rng(0)
    places = np.argsort(strata, kind="stable")
    found = abs(float(x @ y))
    as_strong = 0
    for _ in range(draws):
        shuffled = np.lexsort((chance.random(len(y)), strata))
        as_strong += abs(float(x[places] @ y[shuffled])) >= found * (1 - 1e-9)
    return (1 + as_strong) / (draws + 1)
