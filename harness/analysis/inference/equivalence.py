"""Equivalence: is the ratio of two rows surely within a margin? Two one-sided t tests (TOST).

D. J. Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15 (1987) 657-680. A margin of 3 % means a ratio from
1 / 1.03 to 1.03, symmetric in its logarithm. That no difference was found is no proof of equivalence; this is.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.inference.blocks import deviation
from harness.analysis.statistics import t_cumulative
from harness.errors import DlgaugeError


@dataclass(frozen=True)
class Equivalence:
    """What the two one-sided tests say.

    Attributes:
        margin: largest difference that counts as none, as a fraction: 0.03 is a ratio from 1 / 1.03 to 1.03.
        p: the larger of the two one-sided p values; None of one block.
        p_holm: the same by Holm within the family.
    """

    margin: float
    p: float | None
    p_holm: float | None = None


def parse_margin(text: str) -> float:
    """The fraction that a text such as `3%` or `0.5 %` means.

    Raises:
        DlgaugeError: no percentage above 0 and below 100.
    """
    number, percent, rest = text.partition("%")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not percent or rest.strip() or not 0 < value < 100:
        what = f"--equivalence {text!r} should be a percentage above 0 and below 100"
        raise DlgaugeError(what, hint="such as --equivalence 3%")
    return value / 100


def equivalence_p(logs: Sequence[float], margin: float, floor: float = 0.0) -> float | None:
    """p value of the hypothesis that the mean log-ratio lies outside `± log(1 + margin)`; None of one value.

    `floor` is the standard deviation that the grain of the values alone leaves (`grain_deviation`).
    """
    n = len(logs)
    if n < 2:
        return None
    mean, limit = statistics.fmean(logs), math.log1p(margin)
    error = max(deviation(logs), floor) / math.sqrt(n)
    distance = limit - abs(mean)
    if error == 0:
        return 0.0 if distance > 0 else 1.0
    return t_cumulative(-distance / error, n - 1)
