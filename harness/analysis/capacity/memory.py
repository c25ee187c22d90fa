"""Peak memory of a job: the framework with its data, the parameters, and what a step keeps of every image.

    peak_memory_bytes = base[dataset]
                      + bytes_per_activation * activation_values_per_sample * max(batch_size, floor_batch_size)
                      + bytes_per_parameter * parameters
                      + bytes_per_worker * (workers - 1)

This is the memory from the first training step on. Loading, preparing and compiling come before it and may take more:

    peak_memory_bytes = max(that, base_before[dataset] + bytes_per_parameter_before * parameters
                                  + bytes_per_worker_before * (workers - 1))

Both are fitted to the peaks of the phases; where a record does not tell those, to the peak of the whole trial, as one
sum. No term is negative. `base` holds interpreter, framework and the dataset as the framework keeps it, so there is one
for each dataset; `activation_values_per_sample` is the sum of the elements of all layer outputs, from the network's
graph. Below `floor_batch_size` something other than a training step makes the peak (loading, compiling, an
evaluation); it is chosen among a grid, and none is the default. A term that the records cannot tell from
those before it is left out and named: with one network the parameters are part of the base.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.capacity import rows as table
from harness.analysis.capacity.heldout import (
    Fitted,
    HeldOut,
    Spread,
    leave_out,
    spread_of,
    spread_of_fit,
    widest,
)
from harness.analysis.capacity.phase_peaks import BEFORE, SINCE
from harness.analysis.capacity.prediction import CONFIDENCE, Basis, Prediction, Span, refused, worst
from harness.analysis.capacity.regression import Array, CannotFit, Fit, fit_terms, independent, needed
from harness.analysis.capacity.terms import Term, coefficient_terms

if TYPE_CHECKING:
    import pandas as pd

OUTCOME = "peak_memory_bytes"
ACTIVATION, PARAMETER, WORKER = "bytes_per_activation", "bytes_per_parameter", "bytes_per_worker"
FLOORS = 12
"""How many floors of the batch size are tried, on a log scale up to a quarter of the largest batch size."""
LEVELS_FOR_FLOOR = 5
PROFILE = ("profile", "workers")
"""A study may vary the threads of one profile: those are left out like profiles."""
CELLS = ("workload", "batch_size", *PROFILE)
NETWORK = ("parameters", "activation_values_per_sample")
TOO_FEW = "fewer than three {} could be left out to tell how far another lies from the sum"


@dataclass(frozen=True)
class MemoryNeed:
    """What of a job decides its memory.

    Attributes:
        dataset: name.
        parameters, activation_values_per_sample: of the network.
    """

    dataset: str
    batch_size: int
    parameters: float
    activation_values_per_sample: float
    workers: float


@dataclass(frozen=True)
class Sum:
    """A fitted sum, able to tell the memory of rows."""

    fit: Fit
    floor_batch_size: float

    def values(self, rows: pd.DataFrame) -> Array:
        """Bytes of each row; NaN for a dataset without a base."""
        names, columns = _columns(rows, self.floor_batch_size)
        chosen = np.zeros((len(rows), len(self.fit.names)))
        for index, name in enumerate(self.fit.names):
            if name in names:
                chosen[:, index] = columns[:, names.index(name)]
        known = rows["dataset"].map(lambda name: _base(name) in self.fit.names).to_numpy(bool)
        return np.where(known, self.fit.at(chosen), math.nan)


@dataclass(frozen=True)
class Curve:
    """The memory of a trial: that of its training steps, or of what comes before them if that is more.

    Attributes:
        training: from the first training step on; where `before` is None, of the whole trial.
        before: loading, preparing, compiling.
    """

    training: Sum
    before: Sum | None

    def values(self, rows: pd.DataFrame) -> Array:
        """Bytes of each row; NaN for a dataset without a base."""
        training = self.training.values(rows)
        return training if self.before is None else np.maximum(training, self.before.values(rows))

    @property
    def names(self) -> frozenset[str]:
        """The terms that it has."""
        return frozenset((*self.training.fit.names, *(self.before.fit.names if self.before else ())))


@dataclass(frozen=True)
class MemoryModel:
    """Peak memory of one framework's jobs.

    Attributes:
        group: what its trials share.
        terms: coefficients with units and 95 % intervals.
        left_out_terms: name -> why there is no such term.
        spans: levels of `batch_size`, `workers`, `parameters`, `activation_values_per_sample`.
        datasets: with a base.
        spread: behind the prediction intervals; None where the trials give none.
        worker_spread: the same from counts of workers left out, behind those of counts that were not measured; None
            with fewer than three that could be left out.
        network_spread: the same of networks.
        networks: (parameters, activation values) of those measured.
        held_out: errors of left-out batch sizes, of batch sizes left out under one profile, and of left-out profiles.
        records: ids of its trials.
        notes: what a reader must know.
    """

    group: table.Group
    curve: Curve
    terms: tuple[Term, ...]
    left_out_terms: dict[str, str]
    spans: dict[str, Span]
    datasets: tuple[str, ...]
    spread: Spread | None
    worker_spread: Spread | None
    network_spread: Spread | None
    networks: tuple[tuple[float, float], ...]
    held_out: tuple[HeldOut, ...]
    records: tuple[str, ...]
    notes: tuple[str, ...]

    quantity: str = OUTCOME
    unit: str = "bytes"

    def predict(self, need: MemoryNeed, confidence: float = CONFIDENCE) -> Prediction:
        """Peak memory of a new trial, in bytes."""
        import pandas as pd

        if need.dataset not in self.datasets:
            known = ", ".join(self.datasets)
            return refused(OUTCOME, "bytes", [f"no record with the dataset {need.dataset!r}; measured: {known}"])
        values = {name: float(getattr(need, name)) for name in self.spans}
        placed = [self.spans[name].place(value) for name, value in values.items()]
        basis, reasons = worst(place for place, _ in placed), tuple(why for _, why in placed if why)
        if basis is Basis.REFUSED:
            return refused(OUTCOME, "bytes", reasons, self.records)
        row = pd.DataFrame([{"dataset": need.dataset, **values}])
        estimate = float(self.curve.values(row)[0])
        ends: tuple[float | None, float | None] = (None, None)
        spreads = self._spreads(need)
        measured = [one for one in spreads.values() if one is not None]
        if len(measured) == len(spreads):
            factor = math.exp(widest(measured, confidence, outside=basis is Basis.EXTRAPOLATION))
            ends = (estimate / factor, estimate * factor)
        reasons = (*reasons, *(f"no interval: {why}" for why, one in spreads.items() if one is None))
        return Prediction(OUTCOME, "bytes", estimate, *ends, confidence, basis, reasons, self.records)

    def _spreads(self, need: MemoryNeed) -> dict[str, Spread | None]:
        """What the interval must be as wide as, by the reason that there is none where it is missing."""
        found = {"not enough trials to tell how much they vary": self.spread}
        workers = self.spans["workers"]
        if need.workers not in workers.levels and not workers.flat:
            found[TOO_FEW.format("counts of workers")] = self.worker_spread
        network = (need.parameters, need.activation_values_per_sample)
        if network not in self.networks:
            found[TOO_FEW.format("networks")] = self.network_spread
        return found


def fit_memory(group: table.Group, rows: pd.DataFrame, varied: tuple[str, ...] = ()) -> MemoryModel:
    """The model of one group.

    Raises:
        CannotFit: too few trials.
    """
    curve = fit_curve(rows, intervals=True)
    left_out, residuals, of_profiles, of_networks = _held_out(rows)
    batches = rows["batch_size"].to_numpy(float)
    spread = spread_of(residuals, batches, "batch sizes left out one at a time")
    if spread is None:
        own = np.log(rows[OUTCOME].to_numpy(float)) - np.log(curve.values(rows))
        spread = spread_of_fit(own, len(curve.names), "trials around their own fit: no batch size can be left out")
    names, _ = _columns(rows, 0.0)
    missing = {name: _why_missing(name, rows) for name in names if name not in curve.training.fit.names}
    spans = {}
    for name in ("batch_size", "workers", "parameters", "activation_values_per_sample"):
        is_flat = name == "workers" and WORKER not in curve.names
        spans[name] = Span(name, table.levels_of(rows, name), flat=is_flat)
    terms = coefficient_terms(curve.training.fit, _unit)
    if floor := curve.training.floor_batch_size:
        terms = (*terms, Term("floor_batch_size", "1", floor, None, None))
    if curve.before is not None:
        terms = (*terms, *(replace(one, name=_before(one.name)) for one in coefficient_terms(curve.before.fit, _unit)))
    return MemoryModel(
        group=group,
        curve=curve,
        terms=terms,
        left_out_terms=missing,
        spans=spans,
        datasets=tuple(sorted(rows["dataset"].astype(str).unique())),
        spread=spread,
        worker_spread=spread_of(of_profiles, rows["workers"].to_numpy(float), "counts of workers left out"),
        network_spread=spread_of(of_networks, rows[NETWORK[1]].to_numpy(float), "networks left out"),
        networks=tuple(sorted({(float(p), float(a)) for p, a in rows[list(NETWORK)].to_numpy(float)})),
        held_out=left_out,
        records=table.records_of(rows),
        notes=(*_parts_note(curve), *table.group_notes(rows, varied)),
    )


def fit_curve(rows: pd.DataFrame, *, intervals: bool = False) -> Curve:
    """Both sums where all rows tell both peaks, else one of the peak of the whole trial.

    Args:
        intervals: work out the covariance of the coefficients, batch sizes taken as levels.
    """
    if BEFORE not in rows or not np.isfinite(rows[[BEFORE, SINCE]].to_numpy(float)).all():
        return Curve(_fit_training(rows, OUTCOME, intervals), None)
    every, columns = _columns(rows, 0.0)
    places = [index for index, name in enumerate(every) if name != ACTIVATION]
    names, columns = [every[index] for index in places], columns[:, places]
    kept = independent(names, columns)
    batch = rows["batch_size"].to_numpy(float)
    terms = [names[index] for index in kept]
    before = fit_terms(terms, columns[:, kept], rows[BEFORE].to_numpy(float), levels=batch if intervals else None)
    return Curve(_fit_training(rows, SINCE, intervals), Sum(before, 0.0))


def _fit_training(rows: pd.DataFrame, outcome: str, intervals: bool) -> Sum:
    """Coefficients, and the floor of the batch size where an F test asks for one."""
    names, columns = _columns(rows, 0.0)
    kept = independent(names, columns)
    measured = rows[outcome].to_numpy(float)
    terms = [names[index] for index in kept]
    batch, values = (rows[key].to_numpy(float) for key in ("batch_size", "activation_values_per_sample"))

    def with_floor(floor: float, own_levels: Array | None = None) -> Sum:
        tried = columns[:, kept]
        if floor:
            tried[:, terms.index(ACTIVATION)] = values * np.maximum(batch, floor)
        return Sum(fit_terms(terms, tried, measured, levels=own_levels), floor)

    best = plain = with_floor(0.0)
    levels = table.levels_of(rows, "batch_size")
    if len(levels) >= LEVELS_FOR_FLOOR and ACTIVATION in terms:
        for floor in np.geomspace(levels[0] * 1.05, max(levels[-1] / 4, levels[0] * 1.05), FLOORS):
            found = with_floor(float(floor))
            if found.fit.deviance < best.fit.deviance:
                best = found
        if not needed(plain.fit, best.fit, batch, parameters=3):  # of base, slope and floor
            best = plain
    return with_floor(best.floor_batch_size, batch) if intervals else best


def _columns(rows: pd.DataFrame, floor: float) -> tuple[list[str], Array]:
    """Names and values of all terms, in the order in which they are told apart."""
    datasets = rows["dataset"].astype(str)
    found: dict[str, Array] = {}
    for name in sorted(datasets.unique()):
        found[_base(name)] = (datasets == name).to_numpy(float)
    kept = np.maximum(rows["batch_size"].to_numpy(float), floor)
    found[ACTIVATION] = rows["activation_values_per_sample"].to_numpy(float) * kept
    found[PARAMETER] = rows["parameters"].to_numpy(float)
    found[WORKER] = rows["workers"].to_numpy(float) - 1
    return list(found), np.column_stack(list(found.values()))


def _before(name: str) -> str:
    """The name of a term of what comes before training."""
    head, bracket, rest = name.partition("[")
    return f"{head}_before{bracket}{rest}"


def _parts_note(curve: Curve) -> list[str]:
    return (
        [] if curve.before else ["its records do not all tell the peaks of their phases: one sum for the whole trial"]
    )


def _base(dataset: str) -> str:
    return f"base_bytes[{dataset}]"


def _unit(name: str) -> str:
    return {ACTIVATION: "bytes per value", PARAMETER: "bytes per parameter"}.get(name, "bytes")


def _why_missing(name: str, rows: pd.DataFrame) -> str:
    factor = {ACTIVATION: "batch_size", PARAMETER: "parameters", WORKER: "workers"}.get(name, "dataset")
    levels = table.levels_of(rows, factor) if factor != "dataset" else ()
    if len(levels) == 1:
        return f"{factor} has one level, {levels[0]:g}: its share is in the base"
    return "the records cannot tell it from the terms before it"


def _held_out(rows: pd.DataFrame) -> tuple[tuple[HeldOut, ...], Array, Array, Array]:
    """Errors by batch size, both and profile, and the residuals of batch sizes, profiles and networks left out."""
    by_batch, residuals = leave_out(rows, ("batch_size",), OUTCOME, CELLS, _fitted)
    several = len(rows[list(PROFILE)].drop_duplicates()) > 1  # of one profile it would be the batch sizes again
    by_cell = [leave_out(rows, ("batch_size", *PROFILE), OUTCOME, CELLS, _fitted)[0]] if several else []
    by_profile, of_profiles = leave_out(rows, PROFILE, OUTCOME, CELLS, _fitted)
    _, of_networks = leave_out(rows, NETWORK, OUTCOME, CELLS, _fitted)
    return (by_batch, *by_cell, by_profile), residuals, of_profiles, of_networks


def _fitted(rows: pd.DataFrame) -> Fitted:
    if len(table.levels_of(rows, "batch_size")) < 2:
        raise CannotFit("one batch size is left")
    return fit_curve(rows).values
