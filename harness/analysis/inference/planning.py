"""How many more blocks would decide a pair, taken that noise and difference stay as they are.

Two things have to be possible: that the sign-flip test, corrected for all comparisons of the family, can come below the
level at all (`fewest_blocks`), and that it would find the difference with probability 0.8. For the latter the paired t
test stands in, which is nearly as powerful:

    (t[1 - level / (2 m), N - 1] + t[0.8, N - 1]) * sd / sqrt(N) <= |mean|

with m comparisons in the family (the first step of Holm's method), after Zar, Biostatistical Analysis, as in
`harness.analysis.noise`. For equivalence the distance from the margin takes the place of the mean and the test is
one-sided. `sd` and `mean` are estimates from few blocks, so the answer is one as well: "about".
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEVEL = 0.05
POWER = 0.80
MOST_MORE = 1_000
"""Above this number of further blocks the answer would be no plan."""


def fewest_blocks(comparisons: int = 1, level: float = LEVEL) -> int:
    """Blocks from which on a two-sided sign-flip test can come below `level` in a family of so many comparisons.

    The smallest p of N blocks is 2 / 2^N, and the smallest one of the family is multiplied by `comparisons`. For one
    comparison it is 6.
    """
    return math.floor(math.log2(2 * comparisons / level)) + 1


def more_blocks(mean: float, sd: float, n: int, comparisons: int, margin: float | None = None) -> int | None:
    """Further blocks that would tell the pair apart or, with a margin, show it equivalent, whichever is sooner.

    Args:
        mean, sd: of the log-ratios seen.
        n: blocks seen.
        comparisons: in the family.
        margin: of equivalence, as a fraction; None where it is not asked for.

    Returns:
        At least 1; None where no number up to 1,000 would do.
    """
    found = [_until(abs(mean), sd, n, LEVEL / (2 * comparisons), fewest_blocks(comparisons))]
    if margin is not None:
        found.append(_until(math.log1p(margin) - abs(mean), sd, n, LEVEL / comparisons, 2))
    return min((more for more in found if more is not None), default=None)


def _until(distance: float, sd: float, n: int, tail: float, fewest: int) -> int | None:
    import numpy as np

    if distance <= 0:
        return None
    first, last = max(n + 1, fewest), n + MOST_MORE
    width = _errors(tail, -(-last // STEP) * STEP)[first : last + 1] * sd
    enough = np.flatnonzero(width <= distance)
    return first + int(enough[0]) - n if len(enough) else None


STEP = 2_000
"""Numbers of blocks are worked out so many at a time."""


@lru_cache(maxsize=64)
def _errors(tail: float, last: int) -> NDArray[np.float64]:
    """`(t[1 - tail, N - 1] + t[0.8, N - 1]) / sqrt(N)` of N = 0 to `last`; infinite below 2."""
    import numpy as np
    from scipy.special import stdtrit

    total = np.arange(2, last + 1)
    errors = (stdtrit(total - 1, 1 - tail) + stdtrit(total - 1, POWER)) / np.sqrt(total)
    return np.concatenate(([np.inf, np.inf], errors))
