"""How work speeds up with workers: Amdahl's law and the universal scalability law.

    speed-up(n) = n / (1 + contention (n - 1) + coherency n (n - 1))

Gunther, Guerrilla Capacity Planning (Springer, 2007), chapter 4; without coherency it is Amdahl's law (AFIPS 1967),
contention the serial share. The same form tells how k jobs side by side slow each other: each runs at `1 / (1 +
contention (k - 1) + coherency k (k - 1))`.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Scaling:
    """One scalability law.

    Attributes:
        contention, coherency: 0 or more, pure numbers.
        of: whose it is, in words.
    """

    contention: float
    coherency: float
    of: str = ""

    def slowdown(self, n: float) -> float:
        """`1 + contention (n - 1) + coherency n (n - 1)`: 1 at n = 1."""
        return 1 + self.contention * (n - 1) + self.coherency * n * (n - 1)


@dataclass(frozen=True)
class Borrowed:
    """The scaling of other frameworks on the same workload and machine, for one measured with one count of workers
    alone.

    Attributes:
        lenders: their laws.
    """

    lenders: tuple[Scaling, ...]

    def slowdown(self, n: float) -> float:
        """Median over the lenders."""
        return statistics.median(one.slowdown(n) for one in self.lenders)

    def sd_log(self, n: float, measured_at: float) -> float | None:
        """Standard deviation over lenders of the logarithm of what going from `measured_at` workers to n does; None
        of one."""
        if len(self.lenders) < 2:
            return None
        return statistics.stdev(math.log(one.slowdown(n) / one.slowdown(measured_at)) for one in self.lenders)

    @property
    def names(self) -> str:
        """Whose they are."""
        return ", ".join(one.of for one in self.lenders)


def borrowed_from(laws: Sequence[Scaling]) -> Borrowed | None:
    """What can be borrowed, None where no other framework has it."""
    return Borrowed(tuple(laws)) if laws else None
