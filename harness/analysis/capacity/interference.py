"""Interference: how much slower a job is with others of its kind beside it, from trials that ran side by side.

Of each trial with k > 1 jobs the slowdown is the samples/s of the same job alone on the whole profile divided by
those of one job while all trained; over k it follows the scalability law of `scaling.py`, `1 + contention (k - 1) +
coherency k (k - 1)`, neither negative. Jobs on the same CPUs (`shared`) and jobs that divide them (`split`: the
slowdown holds having fewer, too) are two laws, and every number of CPUs has its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.analysis.capacity import rows as table
from harness.analysis.capacity.heldout import Fitted, HeldOut, Spread, leave_out, spread_of, spread_of_fit
from harness.analysis.capacity.prediction import CONFIDENCE, Basis, Prediction, Span, refused, worst
from harness.analysis.capacity.regression import Array, CannotFit, Fit, fit_terms, independent
from harness.analysis.capacity.scaling import Scaling
from harness.analysis.capacity.terms import Term, coefficient_terms

if TYPE_CHECKING:
    import pandas as pd

QUANTITY = "slowdown"
SAME_JOB = ("batch_size", "workers")
"""What the trial alone shares with those side by side, beside the group and the CPUs."""
LEAST_OVERLAP = 0.9
"""Trials whose jobs trained together for a smaller part of their time are told of."""


@dataclass(frozen=True)
class InterferenceModel:
    """The slowdown of k jobs side by side.

    Attributes:
        group: what its trials share.
        cores_shared: whether all jobs run on the same CPUs.
        cpus: of the whole profile.
        law: contention and coherency.
        terms: the same with 95 % intervals.
        measured: k -> geometric mean of the measured slowdowns.
        spans: levels of `jobs`, 1 among them, and of `batch_size`, which has no term.
        spread: of a single job's slowdown around the law, the error of the mean of the trials alone in it.
        held_out: error of left-out k.
        records: ids of its trials.
        notes: what a reader must know.
    """

    group: table.Group
    cores_shared: bool
    cpus: int
    law: Scaling
    terms: tuple[Term, ...]
    measured: dict[int, float]
    spans: dict[str, Span]
    spread: Spread | None
    held_out: tuple[HeldOut, ...]
    records: tuple[str, ...]
    notes: tuple[str, ...]

    quantity: str = QUANTITY
    unit: str = "1"

    def predict(self, jobs: int, batch_size: int, confidence: float = CONFIDENCE) -> Prediction:
        """How many times slower each of `jobs` is than one alone on the whole profile."""
        if jobs == 1:
            return Prediction(QUANTITY, "1", 1.0, 1.0, 1.0, confidence, Basis.MEASURED)
        placed = [self.spans["jobs"].place(jobs), self.spans["batch_size"].place(batch_size)]
        basis, reasons = worst(place for place, _ in placed), tuple(why for _, why in placed if why)
        if basis is Basis.REFUSED:
            return refused(QUANTITY, "1", reasons, self.records)
        estimate = self.law.slowdown(jobs)
        if self.spread is None:
            reasons = (*reasons, "no interval: not enough trials side by side to tell how much they vary")
            return Prediction(QUANTITY, "1", estimate, None, None, confidence, basis, reasons, self.records)
        factor = self.spread.factor(confidence, outside=basis is Basis.EXTRAPOLATION)
        ends = (estimate / factor, estimate * factor)
        return Prediction(QUANTITY, "1", estimate, *ends, confidence, basis, reasons, self.records)


def fit_interference(
    group: table.Group, rows: pd.DataFrame, cores_shared: bool, cpus: int, varied: tuple[str, ...] = ()
) -> InterferenceModel:
    """The law of one group, one way of sharing and one number of CPUs.

    Args:
        rows: of the group, trials alone among them.

    Raises:
        CannotFit: no trial side by side, or none alone of the same job.
    """
    own = rows[rows["cpus"] == cpus]
    beside, notes = _slowdowns(own, cores_shared)
    fit = _fit(beside, beside["side_by_side"].to_numpy(float))
    law = _law(fit)
    by_jobs, residuals = leave_out(beside, ("side_by_side",), QUANTITY, ("side_by_side",), _fitted)
    spread = spread_of(residuals, beside["side_by_side"].to_numpy(float), "numbers of jobs left out one at a time")
    if spread is None:
        around = np.log(beside[QUANTITY].to_numpy(float)) - np.log(_values(law, beside))
        spread = spread_of_fit(around, len(fit.names), "trials around their own fit: no number of jobs can be left out")
    reference = _error_of_the_reference(own[own["side_by_side"] == 1], beside)
    if reference is None:
        spread = None
        notes = (*notes, "no trial was repeated: how far the mean of the trials alone may be off is not known")
    elif spread is not None:
        spread = spread.plus(*reference)
    return InterferenceModel(
        group=group,
        cores_shared=cores_shared,
        cpus=cpus,
        law=law,
        terms=coefficient_terms(fit, lambda _: "1"),
        measured={
            int(k): math.exp(float(np.log(beside.loc[beside["side_by_side"] == k, QUANTITY]).mean()))
            for k in table.levels_of(beside, "side_by_side")
        },
        spans={
            "jobs": Span("jobs", (1.0, *table.levels_of(beside, "side_by_side"))),
            "batch_size": Span("batch_size", table.levels_of(beside, "batch_size"), flat=True),
        },
        spread=spread,
        held_out=(by_jobs,),
        records=table.records_of(beside),
        notes=(*notes, *table.group_notes(rows, varied)),
    )


def ways_of_sharing(rows: pd.DataFrame) -> list[tuple[bool, int]]:
    """Which (cores shared, number of CPUs) have trials with more than one job."""
    if "cores_shared" not in rows.columns:
        return []
    several = rows[(rows["side_by_side"] > 1) & rows["cores_shared"].notna()]
    pairs = zip(several["cores_shared"], several["cpus"], strict=True)
    return sorted({(bool(shared), int(cpus)) for shared, cpus in pairs})


def _slowdowns(rows: pd.DataFrame, cores_shared: bool) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Trials with others beside them and `slowdown`: against the geometric mean of the same job alone."""
    single = rows[rows["side_by_side"] == 1]
    several = rows[rows["side_by_side"] > 1]
    shared: Any = several["cores_shared"].map(lambda value: value is not None and value == value and bool(value))
    known = several["cores_shared"].notna()
    several = several[known & (shared == cores_shared)]
    if not len(several):
        raise CannotFit("no trial ran with another beside it")
    alone = np.log(single["samples_per_s"]).groupby([single[key] for key in SAME_JOB]).mean()
    keys = [tuple(values) for values in several[list(SAME_JOB)].to_numpy(float)]
    reference = np.array([alone.get(key, math.nan) for key in keys], dtype=float)
    found = several.assign(slowdown=np.exp(reference) / several["samples_per_s"])
    lacking = int(np.isnan(reference).sum())
    notes = (f"{lacking} trials side by side have none alone of the same job to compare with",) if lacking else ()
    found = found[np.isfinite(found[QUANTITY])].reset_index(drop=True)
    if "overlap_fraction" in found.columns and (short := int((found["overlap_fraction"] < LEAST_OVERLAP).sum())):
        notes = (
            *notes,
            f"in {short} trials all jobs trained together for less than {100 * LEAST_OVERLAP:g} % of the time",
        )
    if not len(found):
        raise CannotFit("the trials side by side have none alone of the same job to compare with")
    return found, notes


def _error_of_the_reference(alone: pd.DataFrame, beside: pd.DataFrame) -> tuple[float, float] | None:
    """Variance of the mean log samples/s alone, and its degrees of freedom: it moves all slowdowns together.

    The noise of a trial is that of the trials alone of one job; where none was repeated, of those side by side. Of
    several jobs the one with the fewest trials decides. None where no trial was repeated.
    """
    cells = list(SAME_JOB)
    jobs = beside[cells].drop_duplicates().merge(alone, on=cells)
    counts = jobs.groupby(cells).size()
    for rows, keys, outcome in ((jobs, cells, "samples_per_s"), (beside, [*cells, "side_by_side"], QUANTITY)):
        told = rows.assign(log=np.log(rows[outcome].to_numpy(float)))
        apart = told["log"] - told.groupby(keys)["log"].transform("mean")
        degrees = len(rows) - len(rows[keys].drop_duplicates())
        if degrees > 0:
            return float((apart**2).sum()) / degrees / int(counts.min()), float(degrees)
    return None


def _fit(rows: pd.DataFrame, levels: Array | None = None) -> Fit:
    k = rows["side_by_side"].to_numpy(float)
    names = ["contention", "coherency"]
    columns = np.column_stack([k - 1, k * (k - 1)])
    kept = independent(names, columns)
    chosen = [names[index] for index in kept]
    return fit_terms(chosen, columns[:, kept], rows[QUANTITY].to_numpy(float), offset=1.0, levels=levels)


def _law(fit: Fit) -> Scaling:
    return Scaling(fit.of("contention") or 0.0, fit.of("coherency") or 0.0)


def _values(law: Scaling, rows: pd.DataFrame) -> Array:
    return np.array([law.slowdown(k) for k in rows["side_by_side"].to_numpy(float)])


def _fitted(rows: pd.DataFrame) -> Fitted:
    law = _law(_fit(rows))
    return lambda out: _values(law, out)
