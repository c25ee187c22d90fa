"""The comparison of a study's frameworks as immutable values: what a table or a page shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.analysis.beside import ArmPair, Drift
from harness.analysis.cells import CellKey, Conditions
from harness.analysis.columns import Column
from harness.analysis.disturbances import Disturbance
from harness.analysis.failed_rows import FailedRow
from harness.analysis.references import TrialReference, reference_to, termination_reason
from harness.analysis.sampling import Sampling
from harness.analysis.stability import Stability
from harness.analysis.statistics import PairedRatio, Statistics

if TYPE_CHECKING:
    from harness.records import Record

COMPLETED = "completed"
UNKNOWN = "unknown"
RATIO_KEYS = ("training_time_s", "samples_per_s", "cpu_seconds", "peak_resident_bytes")
"""Quantities for which frameworks are compared pair by pair."""


@dataclass(frozen=True)
class Value:
    """One quantity of one cell.

    Attributes:
        statistics: over the seeds that have it; None where none has.
        missing: reason -> number of trials without the value.
        by_seed: the single values, unrounded.
    """

    statistics: Statistics | None
    missing: Mapping[str, int]
    by_seed: Mapping[int, float]


@dataclass(frozen=True)
class Cell:
    """A row of the comparison: one framework under one workload, setting, profile and set of varied values.

    Attributes:
        key: what its trials share.
        conditions: letter of its conditions in `Comparison.conditions`.
        trials: the completed trials behind its numbers, by seed.
        values: summary key, or name of a cost that is shown -> value.
        memory_sources: which kernel peak `peak_memory_bytes` is, by number of trials.
        compile_caches: `cold` (everything was compiled anew) and `warm`, by number of trials; empty for a framework
            that keeps no compile cache.
        codes: SHA-256 of the adapter and worker code that ran, by number of trials; `unknown` where not recorded.
        uncovered: trials that no parity certificate covers, neither when they ran nor since.
        stability: how noisy its training time is.
        sampling: how well its trials were sampled.
        disturbances: signals beyond their limits in its trials.
        energy_of: what its `joules_to` are the energy of, `package`, `gpu` or `package+gpu`, by number of values.
        energy_parts: the same of its `training_joules`.
        certificates: parity certificates that cover its trials, by number of trials.
    """

    key: CellKey
    conditions: str
    trials: tuple[TrialReference, ...]
    values: Mapping[str, Value]
    memory_sources: Mapping[str, int]
    compile_caches: Mapping[str, int]
    codes: Mapping[str, int]
    uncovered: int
    stability: Stability
    sampling: Sampling
    disturbances: tuple[Disturbance, ...]
    energy_of: Mapping[str, int] = field(default_factory=dict)
    energy_parts: Mapping[str, int] = field(default_factory=dict)
    certificates: Mapping[str, int] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Number of completed trials."""
        return len(self.trials)

    @property
    def is_disturbed(self) -> bool:
        """Whether anything disturbed one of its trials, or foreign load its training on the whole."""
        return bool(self.disturbances) or self.stability.disturbed


@dataclass(frozen=True)
class Excluded:
    """A trial whose numbers are not in the comparison."""

    trial: TrialReference
    label: str
    framework: str
    termination: str
    reason: str


@dataclass(frozen=True)
class Ratio:
    """A framework against the reference of its conditions, seed by seed.

    Attributes:
        disturbed: frameworks, of the two, in whose trials a signal of a disturbance was beyond its limit.
    """

    key: str
    cell: CellKey
    reference: CellKey
    paired: PairedRatio
    disturbed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """All that a comparison of one study says.

    Attributes:
        study: the study's name.
        columns: the quantities shown.
        cells: rows, in the order of workload, setting, profile, varied values, framework.
        conditions: letter -> data and machine; more than one letter means rows that are not comparable.
        ratios: frameworks against the fastest one, by paired seeds.
        excluded: trials that did not complete.
        superseded: completed trials left out because a later one of the same cell has their seed.
        not_measured: key -> reason -> number of completed trials; nothing of validation images where none are held out.
        notes: what a reader must know before he compares rows, as sentences.
        first, last: start of the earliest and the latest trial, ISO 8601 UTC.
        trial_count: all trials but canaries, completed or not.
        a_a: the cells that stand twice in every block, both arms compared; second arms are in no other number.
        drifts: what the canaries say of the machine; canaries are in no other number.
        sampling: how well the trials behind the numbers were sampled.
        failed_rows: cells of which no trial completed: they have no row, and are compared with nothing.
    """

    study: str
    columns: tuple[Column, ...]
    cells: tuple[Cell, ...]
    conditions: Mapping[str, Conditions]
    ratios: tuple[Ratio, ...]
    excluded: tuple[Excluded, ...]
    superseded: tuple[TrialReference, ...]
    not_measured: Mapping[str, Mapping[str, int]]
    notes: tuple[str, ...]
    first: str
    last: str
    trial_count: int
    sampling: Sampling
    a_a: tuple[ArmPair, ...] = ()
    drifts: tuple[Drift, ...] = ()
    failed_rows: tuple[FailedRow, ...] = ()

    @property
    def completed_count(self) -> int:
        """All completed trials but canaries, counted in a number or not."""
        second_arms = sum(len(pair.second) for pair in self.a_a)
        return sum(cell.n for cell in self.cells) + len(self.superseded) + second_arms

    @property
    def varied(self) -> tuple[str, ...]:
        """Names of the hyper-parameters that the study varies."""
        return tuple(sorted({name for cell in self.cells for name, _ in cell.key.varied}))

    @property
    def common_overrides(self) -> tuple[tuple[str, str], ...]:
        """What the study set in place of setting and profile, the same in all rows whose records tell it."""
        rows = [cell.key.overrides for cell in self.cells if cell.key.overrides is not None]
        return tuple(pair for pair in rows[0] if all(pair in row for row in rows)) if rows else ()

    @property
    def differing_overrides(self) -> tuple[str, ...]:
        """Keys that some rows were run with another override of, or none: the study file was changed in between."""
        common = dict(self.common_overrides)
        rows = [cell.key.overrides for cell in self.cells if cell.key.overrides is not None]
        return tuple(dict.fromkeys(key for row in rows for key, _ in row if key not in common))


def excluded_record(record: Record) -> Excluded:
    """How a record that did not complete is told of."""
    framework = record.specification.get("framework")
    return Excluded(
        trial=reference_to(record),
        label=record.label,
        framework=str(framework.get("name", "")) if isinstance(framework, Mapping) else "",
        termination=record.termination,
        reason=termination_reason(record),
    )
