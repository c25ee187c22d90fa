"""Images a second of a job: saturating in the batch size, scaling in the workers.

A step of b images on n workers takes

    step_s = overhead_s + overhead_per_worker_s (n - 1)
           + image_s b^(1 + growth) (1 + contention (n - 1) + coherency n (n - 1)) / n

and samples/s are `b / step_s`: they rise with b while the overhead is shared by more images, up to `n / image_s / (1
+ ...)`. The last factor is the universal scalability law (`scaling.py`). `growth` is 0 unless an F test asks for more:
images cost more in batches that outgrow the caches. No term is negative. With two counts of workers coherency cannot
be told from contention and is left out (Amdahl); with one count nothing of the scaling is known, unless other
frameworks lend theirs. Where batch sizes differ from the law by more than the noise of their trials, it is multiplied
by what they differ (`deviations.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.capacity import rows as table
from harness.analysis.capacity.deviations import Deviations, deviations
from harness.analysis.capacity.heldout import (
    Fitted,
    HeldOut,
    Spread,
    leave_out,
    spread_of,
    spread_of_fit,
    widest,
)
from harness.analysis.capacity.prediction import CONFIDENCE, Basis, Prediction, Span, refused, worst
from harness.analysis.capacity.regression import Array, CannotFit, Fit, fit_terms, independent, needed
from harness.analysis.capacity.scaling import Borrowed, Scaling
from harness.analysis.capacity.terms import Term, coefficient_terms, ratio_term

if TYPE_CHECKING:
    import pandas as pd

OUTCOME = "samples_per_s"
IMAGE, CONTENTION, OVERHEAD = "image_s", "image_contention_s", "overhead_s"
OVERHEAD_PER_WORKER, COHERENCY = "overhead_per_worker_s", "image_coherency_s"
LAST_GROWTH = 0.5
LEVELS_FOR_GROWTH = 5
PROFILE = ("profile", "workers")
"""A study may vary the threads of one profile: those are left out like profiles."""
CELLS = ("batch_size", *PROFILE)
TOO_FEW_WORKERS = "fewer than three counts of workers could be left out to tell how far another lies from the curve"


@dataclass(frozen=True)
class Curve:
    """The fitted step time, able to tell the samples/s of rows."""

    fit: Fit
    growth: float
    worker_levels: tuple[float, ...]
    borrowed: Borrowed | None
    own: Deviations | None = None

    @property
    def scales(self) -> bool:
        """Whether it can tell of another number of workers than one it was fitted to."""
        return self.borrowed is not None or len(self.worker_levels) > 1

    def values(self, rows: pd.DataFrame) -> Array:
        """Samples/s of each row; NaN where the number of workers is beyond what can be told."""
        batch, n = rows["batch_size"].to_numpy(float), rows["workers"].to_numpy(float)
        names, columns = _columns(batch, n, self.growth, self.borrowed)
        values = batch / self.fit.at(columns[:, [names.index(name) for name in self.fit.names]])
        if self.own is not None:
            values = values * self.own.factors(batch)
        known = self.scales or np.isin(n, self.worker_levels)
        return np.where(known, values, math.nan)

    def scaling(self, of: str) -> Scaling | None:
        """The scalability law in it, where the records tell one."""
        image = self.fit.of(IMAGE)
        if self.borrowed is not None or not image or CONTENTION not in self.fit.names:
            return None
        return Scaling((self.fit.of(CONTENTION) or 0.0) / image, (self.fit.of(COHERENCY) or 0.0) / image, of)


@dataclass(frozen=True)
class ThroughputModel:
    """Samples/s of one framework on one workload.

    Attributes:
        group: what its trials share.
        terms: parameters with units and 95 % intervals, contention and coherency among them.
        left_out_terms: name -> why there is no such term.
        spans: levels of `batch_size` and `workers`.
        spread: behind the prediction intervals; None where the trials give none.
        worker_spread: the same from counts of workers left out, behind those of counts that were not measured; None
            with fewer than three that could be left out.
        held_out: errors of left-out batch sizes, of batch sizes left out under one profile, and of left-out profiles.
        records: ids of its trials.
        notes: what a reader must know.
    """

    group: table.Group
    curve: Curve
    terms: tuple[Term, ...]
    left_out_terms: dict[str, str]
    spans: dict[str, Span]
    spread: Spread | None
    worker_spread: Spread | None
    held_out: tuple[HeldOut, ...]
    records: tuple[str, ...]
    notes: tuple[str, ...]

    quantity: str = OUTCOME
    unit: str = "1/s"

    def predict(self, batch_size: float, workers: float, confidence: float = CONFIDENCE) -> Prediction:
        """Samples/s of a new trial."""
        import pandas as pd

        batch, batch_why = self.spans["batch_size"].place(batch_size)
        place, worker_why = self.spans["workers"].place(workers)
        extra = 0.0
        reasons = [why for why in (batch_why, worker_why) if why]
        borrowed = self.curve.borrowed
        if borrowed is not None and workers not in self.curve.worker_levels and place is not Basis.REFUSED:
            place = Basis.EXTRAPOLATION
            reasons.append(f"scaling over workers borrowed from {borrowed.names}")
            extra = self._borrowed_factor(borrowed, workers, confidence)
        basis = worst((batch, place))
        if basis is Basis.REFUSED:
            return refused(OUTCOME, "1/s", reasons, self.records)
        row = pd.DataFrame([{"batch_size": float(batch_size), "workers": float(workers)}])
        estimate = float(self.curve.values(row)[0])
        ends: tuple[float | None, float | None] = (None, None)
        if self.spread is None:
            reasons.append("no interval: not enough trials to tell how much they vary")
        elif math.isnan(extra):
            reasons.append("no interval: one framework lends its scaling")
        elif borrowed is None and workers not in self.curve.worker_levels and self.worker_spread is None:
            reasons.append(f"no interval: {TOO_FEW_WORKERS}")
        else:
            spreads = [self.spread]
            if borrowed is None and workers not in self.curve.worker_levels and self.worker_spread is not None:
                spreads.append(self.worker_spread)
            own = widest(spreads, confidence, outside=basis is Basis.EXTRAPOLATION)
            factor = math.exp(math.hypot(own, extra))
            ends = (estimate / factor, estimate * factor)
        return Prediction(OUTCOME, "1/s", estimate, *ends, confidence, basis, tuple(reasons), self.records)

    def _borrowed_factor(self, borrowed: Borrowed, workers: float, confidence: float) -> float:
        """Half width, in logarithms, of what the lenders differ in; NaN of one lender."""
        from scipy.stats import t

        sd = borrowed.sd_log(workers, self.curve.worker_levels[0])
        if sd is None:
            return math.nan
        count = len(borrowed.lenders)
        return float(t.ppf((1 + confidence) / 2, count - 1)) * sd * math.sqrt(1 + 1 / count)


def fit_throughput(
    group: table.Group, rows: pd.DataFrame, varied: tuple[str, ...] = (), borrowed: Borrowed | None = None
) -> ThroughputModel:
    """The model of one group.

    Args:
        borrowed: the scaling of other frameworks, used where the rows have one number of workers.

    Raises:
        CannotFit: too few trials.
    """
    curve = fit_curve(rows, borrowed, intervals=True)

    def fitted(kept: pd.DataFrame) -> Fitted:
        if len(table.levels_of(kept, "batch_size")) < 2:
            raise CannotFit("one batch size is left")
        return fit_curve(kept, borrowed).values

    by_batch, residuals = leave_out(rows, ("batch_size",), OUTCOME, CELLS, fitted)
    several = len(rows[list(PROFILE)].drop_duplicates()) > 1  # of one profile it would be the batch sizes again
    by_cell = [leave_out(rows, CELLS, OUTCOME, CELLS, fitted)[0]] if several else []
    by_profile, of_profiles = leave_out(rows, PROFILE, OUTCOME, CELLS, fitted)
    spread = spread_of(residuals, rows["batch_size"].to_numpy(float), "batch sizes left out one at a time")
    if spread is None:
        own = np.log(rows[OUTCOME].to_numpy(float)) - np.log(curve.values(rows))
        spread = spread_of_fit(own, len(curve.fit.names), "trials around their own fit: no batch size can be left out")
    names, _ = _columns(np.ones(1), np.ones(1), curve.growth, curve.borrowed)
    spans = {name: Span(name, table.levels_of(rows, name)) for name in ("batch_size", "workers")}
    if curve.borrowed is not None:
        spans["workers"] = Span("workers", curve.worker_levels, flat=True)
    return ThroughputModel(
        group=group,
        curve=curve,
        terms=curve_terms(curve),
        left_out_terms={name: _why_missing(name, rows) for name in names if name not in curve.fit.names},
        spans=spans,
        spread=spread,
        worker_spread=spread_of(of_profiles, rows["workers"].to_numpy(float), "counts of workers left out"),
        held_out=(by_batch, *by_cell, by_profile),
        records=table.records_of(rows),
        notes=(*([curve.own.words] if curve.own else []), *table.group_notes(rows, varied)),
    )


def fit_curve(rows: pd.DataFrame, borrowed: Borrowed | None = None, *, intervals: bool = False) -> Curve:
    """Coefficients, and the growth where an F test asks for one.

    Args:
        intervals: work out the covariance of the coefficients, batch sizes taken as levels.

    Raises:
        CannotFit: fewer trials than terms.
    """
    from scipy.optimize import minimize_scalar

    workers = table.levels_of(rows, "workers")
    lent = borrowed if len(workers) == 1 else None
    batch, n = rows["batch_size"].to_numpy(float), rows["workers"].to_numpy(float)
    step_s = batch / rows[OUTCOME].to_numpy(float)
    names, plain = _columns(batch, n, 0.0, lent)
    kept = independent(names, plain)
    terms = [names[index] for index in kept]

    def growing(growth: float, levels: Array | None = None) -> Fit:
        _, columns = _columns(batch, n, growth, lent)
        return fit_terms(terms, columns[:, kept], step_s, levels=levels)

    growth, best = 0.0, growing(0.0)
    if len(table.levels_of(rows, "batch_size")) >= LEVELS_FOR_GROWTH:
        found = minimize_scalar(
            lambda tried: growing(tried).deviance, bounds=(0, LAST_GROWTH), method="bounded", options={"xatol": 1e-3}
        )
        if needed(best, growing(float(found.x)), batch, parameters=3):  # of overhead, image and growth
            growth = float(found.x)
    if intervals or growth:
        best = growing(growth, batch if intervals else None)
    law = Curve(best, growth, workers, lent)
    return replace(law, own=deviations(np.log(rows[OUTCOME].to_numpy(float)) - np.log(law.values(rows)), batch))


def _columns(batch: Array, n: Array, growth: float, borrowed: Borrowed | None) -> tuple[list[str], Array]:
    """Names and values of all terms, in the order in which they are told apart."""
    work, ones = batch ** (1 + growth), np.ones(len(batch))
    if borrowed is not None:
        slowdown = np.array([borrowed.slowdown(one) for one in n])
        return [IMAGE, OVERHEAD], np.column_stack([work * slowdown / n, ones])
    found = {
        IMAGE: work / n,
        CONTENTION: work * (n - 1) / n,
        OVERHEAD: ones,
        OVERHEAD_PER_WORKER: n - 1,
        COHERENCY: work * (n - 1),
    }
    return list(found), np.column_stack(list(found.values()))


def curve_terms(curve: Curve) -> tuple[Term, ...]:
    """Overheads and the time of an image in seconds, and the scalability law as pure numbers."""
    plain = [
        one
        for one in coefficient_terms(curve.fit, lambda name: "s per image" if name == IMAGE else "s")
        if one.name not in (CONTENTION, COHERENCY)
    ]
    ratios = [
        ratio_term(curve.fit, name, "1", upper, IMAGE)
        for name, upper in (("contention", CONTENTION), ("coherency", COHERENCY))
    ]
    growth = [Term("growth", "1", curve.growth, None, None)] if curve.growth else []
    return (*plain, *(one for one in ratios if one), *growth)


def _why_missing(name: str, rows: pd.DataFrame) -> str:
    batches, workers = table.levels_of(rows, "batch_size"), table.levels_of(rows, "workers")
    if name in (CONTENTION, OVERHEAD_PER_WORKER, COHERENCY) and len(workers) == 1:
        return f"workers has one level, {workers[0]:g}"
    if name == COHERENCY and len(workers) == 2:
        return "two counts of workers: it cannot be told from contention (Amdahl's law is fitted)"
    if name in (OVERHEAD, OVERHEAD_PER_WORKER) and len(batches) == 1:
        return f"batch_size has one level, {batches[0]:g}: it cannot be told from the time of the images"
    return "the records cannot tell it from the terms before it"
