"""The sign-flip test: is the mean of paired log-ratios zero? Exact for few blocks, drawn for many.

If neither of two rows is better, a block's log-ratio is as likely to have the one sign as the other. So the 2^n ways to
choose the signs of the values seen are equally likely, and the two-sided p value is the share of them whose mean is at
least as far from zero as the mean seen (R. A. Fisher, The Design of Experiments, 1935, section 21). The smallest p that
n blocks can give is 2 / 2^n: five blocks cannot come below 0.0625, whatever they show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from harness.analysis.inference.bounds import SEED, TIE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EXACT_UP_TO = 13
"""Up to this many blocks all flips are tried: 8,192 of them are fewer than the draws that more blocks take."""

DRAWN = 9_999
"""Flips that are drawn where there are too many to try all, unless a family of many comparisons takes more."""

MOST_DRAWN = 500_000
MARGIN = 4
"""Times more flips than the smallest corrected p of a family needs: some are as far by chance."""

FEW = 5
"""With fewer of the first flips as far, a family that takes more has them drawn."""


@dataclass(frozen=True)
class SignFlips:
    """What the test says.

    Attributes:
        p: two-sided p value of a mean of zero.
        flips: how many choices of signs it rests on.
        exact: whether p is that of all there are, and not of drawn ones.
        smallest_p: the smallest p that this number of blocks can give.
    """

    p: float
    flips: int
    exact: bool
    smallest_p: float


def draws_for(comparisons: int, level: float) -> int:
    """Flips to draw so that p times `comparisons` (Holm's first step) can come below `level`; 500,000 at most."""
    return min(max(DRAWN, math.ceil(MARGIN * comparisons / level)), MOST_DRAWN)


def sign_flip_test(values: Sequence[float], draws: int = DRAWN) -> SignFlips:
    """Test whether the mean of `values` is zero.

    With drawn flips p is `(1 + as far or farther) / (1 + drawn)`, the values seen being one of the choices (B. Phipson
    and G. K. Smyth, Statistical Applications in Genetics and Molecular Biology 9, 2010): it is never 0. Where no two
    values differ in sign, only the flips that give them one sign are as far, so p is exact for any number of blocks.

    Args:
        values: of the blocks.
        draws: flips to draw where the first 9,999 leave p small (`draws_for`).

    Raises:
        ValueError: `values` is empty.
    """
    import numpy as np

    n = len(values)
    if not n:
        raise ValueError("no values to test")
    data = np.asarray(values, dtype=float)
    tie = TIE * float(np.abs(data).sum())
    if n <= EXACT_UP_TO:
        return SignFlips(_as_far(_all_signs(n), data, tie) / 2 ** (n - 1), 2**n, True, smallest_p(n))
    if float(np.abs(data).min()) > tie and (np.all(data > 0) or np.all(data < 0)):
        return SignFlips(smallest_p(n), 2**n, True, smallest_p(n))
    drawn, as_far = DRAWN, _as_far(_drawn_signs(n, DRAWN), data, tie)
    if as_far < FEW and draws > DRAWN:
        drawn, as_far = draws, _as_far(_drawn_signs(n, draws), data, tie)
    return SignFlips((1 + as_far) / (1 + drawn), drawn, False, smallest_p(n))


def _as_far(signs: NDArray[np.float64], data: NDArray[np.float64], tie: float) -> int:
    """How many of the flips have a mean at least as far from zero as the values."""
    import numpy as np

    return int(np.count_nonzero(np.abs(signs @ data) >= abs(float(data.sum())) - tie))


def smallest_p(n: int) -> float:
    """The smallest two-sided p value that `n` blocks can give."""
    return 2.0 ** (1 - n)


@lru_cache(maxsize=EXACT_UP_TO)
def _all_signs(n: int) -> NDArray[np.float64]:
    """Half of all choices, those with the first sign +: the other half mirrors it. Shape (2^(n - 1), n)."""
    import numpy as np

    bits = (np.arange(2 ** (n - 1))[:, None] >> np.arange(n)[None, :]) & 1
    return np.asarray(1.0 - 2.0 * bits)  # of n columns the last has no bit set: it is the one that never flips


@lru_cache(maxsize=4)
def _drawn_signs(n: int, draws: int) -> NDArray[np.float64]:
    import numpy as np

    return np.asarray(1.0 - 2.0 * np.random.default_rng([SEED, n]).integers(0, 2, size=(draws, n)))
