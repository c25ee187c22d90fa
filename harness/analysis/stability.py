"""How far a cell's numbers can be trusted, and what would make them better (in the manner of pyperf)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.analysis.host import logical_cpus
from harness.analysis.statistics import Statistics, seeds_for_precision
from harness.records.shared_values import shared_values
from harness.records.summary_columns import summary_columns

if TYPE_CHECKING:
    from harness.records import Record

WANTED_HALF_WIDTH = 0.05
"""Half width of the 95 % interval of the mean training time that a comparison should reach, as a fraction of it."""

FOREIGN_SHARE = 0.05
"""Share of the machine's cores that other programs may use before a cell is flagged as disturbed."""


@dataclass(frozen=True)
class Stability:
    """Noise of a cell's training time.

    Attributes:
        n: seeds with a training time.
        coefficient_of_variation: sd ÷ mean; None for n < 2.
        more_seeds: seeds still wanted for a 95 % half width of 5 % of the mean; None where it cannot be told.
        foreign_share: mean share of the machine's cores that other programs used; None where not measured.
    """

    n: int
    coefficient_of_variation: float | None
    more_seeds: int | None
    foreign_share: float | None

    @property
    def disturbed(self) -> bool:
        """Whether other programs used more of the machine than `FOREIGN_SHARE`."""
        return self.foreign_share is not None and self.foreign_share > FOREIGN_SHARE

    @property
    def sentence(self) -> str:
        """The judgement in words."""
        return f"{self._noise()}{self._disturbance()}"

    def _noise(self) -> str:
        if self.n == 0:
            return "no training time was measured"
        if self.coefficient_of_variation is None:
            return f"n = {self.n}: the noise cannot be judged, run at least 2 seeds"
        noise = f"training time varies by {100 * self.coefficient_of_variation:.1f} % (sd ÷ mean, n = {self.n})"
        target = f"for a 95 % interval of ± {100 * WANTED_HALF_WIDTH:.0f} %"
        if self.more_seeds is None:
            return f"{noise}: too noisy {target}, look for the cause first"
        if self.more_seeds == 0:
            return f"{noise}: enough seeds {target}"
        return f"{noise}: about {self.more_seeds} more seed{'s' if self.more_seeds > 1 else ''} {target}"

    def _disturbance(self) -> str:
        if not self.disturbed or self.foreign_share is None:
            return ""
        share = f"{100 * self.foreign_share:.0f} % of the machine's cores"
        return f"; DISTURBED: other programs used {share} during training (mean of the trials)"


def judge_stability(records: Sequence[Record], training_time: Statistics | None) -> Stability:
    """Judge a cell from its records and the statistics of its training time."""
    variation = training_time.coefficient_of_variation if training_time else None
    n = training_time.n if training_time else 0
    more = None
    if variation is not None:
        needed = seeds_for_precision(variation, WANTED_HALF_WIDTH)
        more = None if needed is None else max(0, needed - n)
    return Stability(n, variation, more, _foreign_share(records))


def _foreign_share(records: Sequence[Record]) -> float | None:
    every = summary_columns(records, ["foreign_cores_mean"])["foreign_cores_mean"]
    shares = [
        foreign / cpus
        for foreign, cpus in zip(every, shared_values(records, ("host",), _cpus_of), strict=True)
        if isinstance(foreign, int | float) and cpus
    ]
    return sum(shares) / len(shares) if shares else None


def _cpus_of(record: Record) -> int | None:
    host = record.manifest.get("host")
    return logical_cpus(host) if isinstance(host, Mapping) else None
