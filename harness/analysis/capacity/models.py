"""All capacity models of a store's records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from harness.analysis.capacity import rows as table
from harness.analysis.capacity.interference import InterferenceModel, fit_interference, ways_of_sharing
from harness.analysis.capacity.memory import MemoryModel, fit_memory
from harness.analysis.capacity.phase_peaks import with_phase_peaks
from harness.analysis.capacity.regression import CannotFit
from harness.analysis.capacity.scaling import Borrowed, Scaling, borrowed_from
from harness.analysis.capacity.throughput import ThroughputModel, fit_curve, fit_throughput

if TYPE_CHECKING:
    import pandas as pd

    from harness.analysis.observations import Observations

AnyModel = MemoryModel | ThroughputModel | InterferenceModel


@dataclass(frozen=True)
class NoModel:
    """A group without a model of a quantity, and why."""

    quantity: str
    group: table.Group
    why: str
    records: tuple[str, ...]


@dataclass(frozen=True)
class CapacityModels:
    """What the records of a store say about capacity.

    Attributes:
        observations: behind them.
        memory, throughput, interference: one a group that has enough trials.
        throughput_rows: the trials of each throughput model, in its order.
        missing: groups without a model.
        omitted: quantity -> trials that its models leave out.
    """

    observations: Observations
    memory: tuple[MemoryModel, ...]
    throughput: tuple[ThroughputModel, ...]
    interference: tuple[InterferenceModel, ...]
    throughput_rows: tuple[pd.DataFrame, ...]
    missing: tuple[NoModel, ...]
    omitted: dict[str, tuple[table.Omitted, ...]]

    def rows_of(self, model: ThroughputModel) -> pd.DataFrame:
        """The trials that a throughput model was fitted to."""
        return self.throughput_rows[self.throughput.index(model)]


def fit_models(observations: Observations) -> CapacityModels:
    """Fit every model that the observations allow.

    Raises:
        DlgaugeError: there is no completed trial, or a column that all models need is missing.
    """
    table.check_frame(observations)
    missing: list[NoModel] = []
    varied = observations.varied
    memory_rows, memory_omitted = table.usable(observations, "peak_memory_bytes")
    memory = [
        model
        for group, rows in table.groups(with_phase_peaks(table.alone(memory_rows)), table.OVER_WORKLOADS)
        if (model := _tried("peak_memory_bytes", group, rows, missing, lambda g, r: fit_memory(g, r, varied)))
    ]
    rate_rows, rate_omitted = table.usable(observations, "samples_per_s")
    of_workloads = list(table.groups(rate_rows, table.OF_A_WORKLOAD))
    throughput, kept_rows = _throughput(of_workloads, varied, missing)
    interference = [
        found
        for group, rows in of_workloads
        for shared, cpus in ways_of_sharing(rows)
        if (found := _tried("slowdown", group, rows, missing, _interference(shared, cpus, varied)))
    ]
    return CapacityModels(
        observations=observations,
        memory=tuple(memory),
        throughput=tuple(throughput),
        interference=tuple(interference),
        throughput_rows=tuple(kept_rows),
        missing=tuple(missing),
        omitted={"peak_memory_bytes": memory_omitted, "samples_per_s": rate_omitted},
    )


Groups = Sequence[tuple[table.Group, "pd.DataFrame"]]


def _throughput(
    groups: Groups, varied: tuple[str, ...], missing: list[NoModel]
) -> tuple[list[ThroughputModel], list[pd.DataFrame]]:
    """One model a group; the scaling over workers of the other frameworks on the same workload and machine is lent to
    it."""
    single = [(group, one) for group, rows in groups if len(one := table.alone(rows))]
    laws: list[tuple[table.Group, Scaling]] = []
    for group, rows in single:
        curve = _tried("samples_per_s", group, rows, [], lambda _, r: fit_curve(r))
        law = curve.scaling(group.framework) if curve else None
        if law is not None:
            laws.append((group, law))
    models, kept = [], []
    for group, rows in single:
        same = (group.workload, group.content_sha256, group.host)
        lent = borrowed_from(
            [
                law
                for other, law in laws
                if other.framework != group.framework and (other.workload, other.content_sha256, other.host) == same
            ]
        )
        model = _tried("samples_per_s", group, rows, missing, _rate(varied, lent))
        if model:
            models.append(model)
            kept.append(rows)
    return models, kept


def _rate(varied: tuple[str, ...], lent: Borrowed | None) -> Callable[[table.Group, pd.DataFrame], ThroughputModel]:
    return lambda group, rows: fit_throughput(group, rows, varied, lent)


def _interference(
    shared: bool, cpus: int, varied: tuple[str, ...]
) -> Callable[[table.Group, pd.DataFrame], InterferenceModel]:
    return lambda group, rows: fit_interference(group, rows, shared, cpus, varied)


Found = TypeVar("Found")


def _tried(
    quantity: str,
    group: table.Group,
    rows: pd.DataFrame,
    missing: list[NoModel],
    fit: Callable[[table.Group, pd.DataFrame], Found],
) -> Found | None:
    """A fitted model; of a group that has too little, None and an entry in `missing`."""
    try:
        return fit(group, rows)
    except CannotFit as error:
        missing.append(NoModel(quantity, group, str(error), table.records_of(rows)))
        return None
