"""What one machine can do within a horizon: patterns, the columns of the fleet's integer programme.

A pattern is how often each kind of work is done on one machine, one after the other. It is the formulation of Gilmore
and Gomory for cutting stock (Operations Research 9, 1961): a programme over whole machines that packs exactly, where
a sum of hours would cut jobs in two.
"""

from __future__ import annotations

from collections.abc import Sequence

MOST_PATTERNS = 200_000


class TooManyPatterns(ValueError):
    """More ways to fill a machine than are enumerated."""


def maximal_patterns(times_s: Sequence[float], horizon_s: float, most: Sequence[int]) -> list[tuple[int, ...]]:
    """All ways to fill the horizon to which no more work can be added; nothing is lost by the others, which do less.

    Args:
        times_s: of each kind of work, positive.
        most: how often each kind is wanted at most.

    Raises:
        TooManyPatterns: there are more than `MOST_PATTERNS`.
    """
    found: list[tuple[int, ...]] = []
    slack = horizon_s * 1e-12  # sums of rounded numbers

    def extend(index: int, counts: list[int], left_s: float) -> None:
        if index == len(times_s):
            if not any(count < most[i] and times_s[i] <= left_s + slack for i, count in enumerate(counts)) and any(
                counts
            ):
                found.append(tuple(counts))
                if len(found) > MOST_PATTERNS:
                    raise TooManyPatterns(f"more than {MOST_PATTERNS} ways to fill a machine")
            return
        largest = min(most[index], int((left_s + slack) / times_s[index]))
        for count in range(largest, -1, -1):
            extend(index + 1, [*counts, count], left_s - count * times_s[index])

    extend(0, [], horizon_s)
    return found
