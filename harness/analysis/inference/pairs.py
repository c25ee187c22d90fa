"""Two rows of one set in one outcome: ratio, intervals, test, effect size, and a verdict with its reason."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from harness.analysis.columns import cost_column
from harness.analysis.comparison import Cell
from harness.analysis.costs import TRAINING_JOULES
from harness.analysis.inference.blocks import LogRatios, deviation, log_ratios
from harness.analysis.inference.bounds import BCA_SHOWN_FROM, Bounds, bca_bounds, shown, t_bounds
from harness.analysis.inference.equivalence import Equivalence, equivalence_p
from harness.analysis.inference.grain import grain_deviation
from harness.analysis.inference.planning import LEVEL, fewest_blocks, more_blocks
from harness.analysis.inference.sign_flips import SignFlips, draws_for, sign_flip_test, smallest_p
from harness.analysis.references import TrialReference

DIFFERENT = "different"
EQUIVALENT = "equivalent"
UNDECIDED = "undecided"
NOT_COMPARED = "not compared"

NOT_ASKED = Bounds(None, None, "BCa", f"not asked for: below {BCA_SHOWN_FROM} blocks the t interval is shown")

CAUTION_BELOW = 10
"""Blocks below which a standardised effect size is printed with a warning."""


@dataclass(frozen=True)
class Pair:
    """One row against another in one outcome.

    Attributes:
        outcome: a summary key, or the name of a cost.
        row, reference: names of the two rows.
        trials, reference_trials: the records that the numbers rest on, by seed.
        seeds: the blocks.
        left_out: why a block of one row has no ratio -> its seeds.
        ratio: geometric mean of `row / reference` over the blocks; None where there is none.
        log_sd: standard deviation of the log-ratios, n - 1; None of one block.
        t, bca: 95 % intervals of the ratio.
        test: the sign-flip test; None where there is no ratio.
        p_holm: its p value by Holm's method within the family.
        comparisons: how many comparisons the family has.
        d_z: mean of the log-ratios ÷ their standard deviation; None where that is 0 or does not exist.
        equivalence: None where no margin is given.
        verdict: `different`, `equivalent`, `undecided` or `not compared`.
        reason: why, in words.
        more_blocks: further blocks that would about decide it; None where it is decided or cannot be told.
        disturbed: frameworks, of the two, whose trials were disturbed.
        grain_sd: standard deviation that the grain of the values alone leaves: `log_sd` counts as no smaller in the t
            interval and in the equivalence test.
    """

    outcome: str
    row: str
    reference: str
    trials: tuple[TrialReference, ...]
    reference_trials: tuple[TrialReference, ...]
    seeds: tuple[int, ...]
    left_out: Mapping[str, tuple[int, ...]]
    ratio: float | None
    log_sd: float | None
    t: Bounds
    bca: Bounds
    test: SignFlips | None
    d_z: float | None
    p_holm: float | None = None
    comparisons: int = 0
    equivalence: Equivalence | None = None
    verdict: str = NOT_COMPARED
    reason: str = ""
    more_blocks: int | None = None
    disturbed: tuple[str, ...] = field(default=())
    grain_sd: float = 0.0

    @property
    def n(self) -> int:
        """Number of blocks."""
        return len(self.seeds)

    @property
    def shown(self) -> Bounds:
        """The interval that people are shown, of the ratio."""
        return shown(self.t, self.bca, self.n)


def new_pair(
    outcome: str,
    row: tuple[str, Cell],
    reference: tuple[str, Cell],
    margin: float | None,
    *,
    bootstrap: bool = True,
    comparisons: int = 1,
) -> Pair:
    """The numbers of a pair, still without a verdict: Holm's method needs all pairs of the family.

    Args:
        outcome: what is compared.
        row, reference: names and cells.
        margin: of equivalence, as a fraction; None where it is not asked for.
        bootstrap: whether the BCa interval is worked out where it is not the one shown.
        comparisons: how many the family has at most: it decides how many flips are drawn.
    """
    (name, cell), (other_name, other) = row, reference
    names = (name, other_name)
    found = _logs(outcome, cell, other, names)
    logs, n = found.logs, len(found.logs)
    sd = deviation(logs) if n > 1 else None
    mean = statistics.fmean(logs) if n else None
    floor = grain_deviation(outcome, cell, other)
    return Pair(
        outcome=outcome,
        row=name,
        reference=other_name,
        trials=_of_seeds(cell, found.seeds),
        reference_trials=_of_seeds(other, found.seeds),
        seeds=found.seeds,
        left_out=found.left_out,
        ratio=None if mean is None else math.exp(mean),
        log_sd=sd,
        t=_of_ratio(t_bounds(logs, floor)),
        bca=_of_ratio(bca_bounds(logs)) if bootstrap or n >= BCA_SHOWN_FROM else NOT_ASKED,
        test=sign_flip_test(logs, draws_for(comparisons, LEVEL)) if n else None,
        d_z=mean / sd if mean is not None and sd else None,
        equivalence=Equivalence(margin, equivalence_p(logs, margin, floor)) if margin is not None and n else None,
        reason=found.reason or "",
        disturbed=tuple(dict.fromkeys(one.key.framework for one in (cell, other) if one.is_disturbed)),
        grain_sd=floor,
    )


def judged(pair: Pair, p_holm: float | None, equivalence_p_holm: float | None, comparisons: int) -> Pair:
    """The pair with its corrected p values, its verdict and what would decide it."""
    if pair.test is None or pair.ratio is None:
        return pair
    equivalence = replace(pair.equivalence, p_holm=equivalence_p_holm) if pair.equivalence else None
    known = replace(pair, p_holm=p_holm, comparisons=comparisons, equivalence=equivalence)
    differs = p_holm is not None and p_holm < LEVEL
    alike = equivalence_p_holm is not None and equivalence_p_holm < LEVEL
    if differs and alike:
        return replace(known, verdict=EQUIVALENT, reason="they differ, but surely by less than the margin")
    if differs:
        return replace(known, verdict=DIFFERENT, reason="")
    if alike:
        return replace(known, verdict=EQUIVALENT, reason=_equivalent(pair.n))
    margin = equivalence.margin if equivalence else None
    more = None
    if pair.log_sd is not None:
        sd = max(pair.log_sd, pair.grain_sd)
        more = more_blocks(math.log(pair.ratio), sd, pair.n, comparisons, margin)
    return replace(known, verdict=UNDECIDED, reason=_undecided(pair.n, comparisons), more_blocks=more)


def _equivalent(n: int) -> str:
    if n < fewest_blocks():
        return f"within the margin if log-ratios are normal, which {n} blocks can not show"
    return "surely within the margin"


def _undecided(n: int, comparisons: int) -> str:
    """Why a test found nothing: because it could not, or because nothing shows."""
    if n < fewest_blocks(comparisons):
        blocks, smallest = f"{n} block{'' if n == 1 else 's'}", smallest_p(n)
        text = f"{blocks} can not reach p < {LEVEL:g}: smallest possible p is {smallest:.3g}"
        return (
            f"{text}, {min(1.0, comparisons * smallest):.3g} in {comparisons} comparisons" if comparisons > 1 else text
        )
    return f"p is not below {LEVEL:g}"


def _logs(outcome: str, cell: Cell, other: Cell, names: tuple[str, str]) -> LogRatios:
    values, reference = cell.values.get(outcome), other.values.get(outcome)
    for name, value in zip(names, (values, reference), strict=True):
        if value is None or not value.by_seed:
            why = "; ".join(value.missing) if value and value.missing else "no reason recorded"
            return LogRatios((), (), reason=f"{name} has no value: {why}")
    assert values is not None
    assert reference is not None
    if other_parts := _parts(outcome, cell) ^ _parts(outcome, other):
        listed = ", ".join(sorted(other_parts))
        return LogRatios((), (), reason=f"their energies are of different parts of the machine ({listed})")
    return log_ratios(values.by_seed, reference.by_seed, names)


def _parts(outcome: str, cell: Cell) -> set[str]:
    """What a row's energy is the energy of; empty where the outcome is none."""
    if outcome == TRAINING_JOULES:
        return set(cell.energy_parts)
    return set(cell.energy_of) if (cost := cost_column(outcome)) and cost[0] == "joules" else set()


def _of_seeds(cell: Cell, seeds: tuple[int, ...]) -> tuple[TrialReference, ...]:
    return tuple(trial for trial in cell.trials if trial.seed in set(seeds))


def _of_ratio(of_log: Bounds) -> Bounds:
    if of_log.low is None or of_log.high is None:
        return of_log
    return replace(of_log, low=math.exp(of_log.low), high=math.exp(of_log.high))
