"""The comparison of a study's frameworks: immutable values, from records to what a table or a page shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from harness.analysis.beside import ArmPair, Drift, a_a_pairs, drifts
from harness.analysis.beside_notes import beside_notes
from harness.analysis.cells import CellKey, Conditions, conditions_of, group_into_cells, seed_of
from harness.analysis.columns import DEFAULT_KEYS, Column, cost_column, select_columns
from harness.analysis.costs import DERIVED, TRAINING_JOULES, derived
from harness.analysis.disturbances import Disturbance, disturbances_of
from harness.analysis.failed_rows import FailedRow, failed_rows
from harness.analysis.notes import notes
from harness.analysis.references import TrialReference, reference_to, termination_reason
from harness.analysis.sampling import Sampling, pooled, sampling_of
from harness.analysis.stability import Stability, judge_stability
from harness.analysis.statistics import PairedRatio, Statistics, paired_ratio, summarise
from harness.errors import DlgaugeError, StoreError
from harness.records.cost import cost_to_threshold
from harness.records.overlap import ALONE
from harness.records.validation import NO_VALIDATION
from harness.study.roles import is_canary, is_second_arm

if TYPE_CHECKING:
    from harness.records import Record

COMPLETED = "completed"
UNKNOWN = "unknown"
OF_THE_SAMPLER_ITSELF = ("duration_", "lateness_p50_ns", "lateness_p99_ns", "lateness_max_ns")
"""Beginnings of keys of the sampler's own report: `lateness_p99_s` of the summary says the same to a reader."""
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


def compare(records: Iterable[Record], columns: Sequence[str] = DEFAULT_KEYS) -> Comparison:
    """Compare the records of one study.

    Only `completed` records enter the numbers, one a seed. Records are pooled over seeds and nothing else: another
    content of the dataset, another machine or any other difference of the specification that can change a result makes
    another row.

    Args:
        records: of one study, one a trial (the latest repetition).
        columns: summary keys and costs to show, see `select_columns`.

    Raises:
        DlgaugeError: records of more than one study, or an unknown column.
    """
    given = list(records)
    second_arms = [record for record in given if is_second_arm(record.specification)]
    beside = {record.path for record in given if is_canary(record.specification)}
    beside |= {record.path for record in second_arms}
    found = _compare_matrix([record for record in given if record.path not in beside], columns)
    pairs, drifted = a_a_pairs(given), drifts(given)
    failed = tuple(excluded_record(record) for record in second_arms if record.termination != COMPLETED)
    return replace(
        found,
        study=found.study or next((record.study for record in given), ""),
        a_a=pairs,
        drifts=drifted,
        notes=(*found.notes, *beside_notes(pairs, drifted)),
        excluded=(*found.excluded, *failed),
        trial_count=found.trial_count + len(second_arms),
    )


def _compare_matrix(records: Iterable[Record], columns: Sequence[str]) -> Comparison:
    """The comparison of the trials of a study's matrix (`harness.study.roles`)."""
    every = list(records)
    studies = sorted({str(record.manifest.get("study", "")) for record in every})
    if len(studies) > 1:
        raise DlgaugeError(f"one comparison is of one study, got records of {', '.join(studies)}")
    completed = [record for record in every if record.termination == COMPLETED]
    grouped = group_into_cells(completed)
    counted = [record for members in grouped.values() for record in members]
    counted_paths = {record.path for record in counted}
    superseded = tuple(reference_to(record) for record in completed if record.path not in counted_paths)
    conditions = _letters(completed)
    listed = dict(conditions.values())
    keys = dict.fromkeys(chain.from_iterable(record.manifest["summary"] for record in every))
    shown = select_columns(columns, tuple(keys))
    wanted = (*keys, *(column.key for column in shown), *DERIVED)
    cells = tuple(_cell(key, members, conditions, wanted) for key, members in grouped.items())
    failed = failed_rows(every, grouped)
    starts = sorted(str(record.manifest.get("started_at", "")) for record in every)
    return Comparison(
        study=studies[0] if studies else "",
        columns=shown,
        cells=cells,
        conditions=listed,
        ratios=tuple(_ratios(cells)),
        excluded=tuple(excluded_record(record) for record in every if record.termination != COMPLETED),
        superseded=superseded,
        not_measured=_not_measured(counted),
        notes=tuple(notes(cells, listed, superseded, failed)),
        first=starts[0] if starts else "",
        last=starts[-1] if starts else "",
        trial_count=len(every),
        sampling=pooled(cell.sampling for cell in cells),
        failed_rows=failed,
    )


Letters = dict[tuple[str, str, str], tuple[str, Conditions]]


def _letters(records: Sequence[Record]) -> Letters:
    """A letter for each set of conditions, in order of appearance: A, B, … Z, A1, …"""
    found: Letters = {}
    known: set[Hashable] = set()
    for record in records:
        token = record.sharing("specification", "host")
        if token is not None and token in known:
            continue
        known.add(token)
        conditions = conditions_of(record)
        if conditions.key not in found:
            number, letter = divmod(len(found), 26)
            found[conditions.key] = (chr(ord("A") + letter) + (str(number) if number else ""), conditions)
    return found


def _cell(key: CellKey, records: Sequence[Record], conditions: Letters, keys: Sequence[str]) -> Cell:
    energies: Counter[str] = Counter()
    parts: Counter[str] = Counter()
    certificates = [record.parity_certificate for record in records]
    members = [
        _Member(record, seed_of(record), record.manifest["summary"], _not_measured_of(record)) for record in records
    ]
    values = {
        name: _value(name, members, parts if name == TRAINING_JOULES else energies)
        for name in dict.fromkeys((*keys, *DEFAULT_KEYS))
    }
    return Cell(
        key=key,
        conditions=conditions[key.conditions][0],
        trials=tuple(reference_to(record) for record in records),
        values=values,
        memory_sources=Counter(memory_source(record) for record in records),
        compile_caches=Counter(cache for record in records if (cache := compile_cache(record))),
        codes=Counter(code_hash(record) for record in records),
        uncovered=sum(certificate is None for certificate in certificates),
        stability=judge_stability(records, values["training_time_s"].statistics),
        sampling=sampling_of(records),
        disturbances=disturbances_of(records),
        energy_of=energies,
        energy_parts=parts,
        certificates=Counter(certificate for certificate in certificates if certificate),
    )


@dataclass(frozen=True)
class _Member:
    """A record of a cell, with what every quantity asks it for."""

    record: Record
    seed: int
    summary: Mapping[str, Any]
    reasons: Mapping[str, Any]


def _value(key: str, members: Sequence[_Member], energies: Counter[str]) -> Value:
    """One quantity over the records; what its joules are the energy of is added to `energies`.

    Energies of different parts of the machine are not pooled: none of them is a value then.
    """
    by_seed: dict[int, float] = {}
    missing: Counter[str] = Counter()
    single: list[float] = []
    own: Counter[str] = Counter()
    cost = cost_column(key)
    if not cost and key not in DERIVED:
        numbers: list[Any] = [member.summary.get(key) for member in members]
        if set(map(type, numbers)) <= {int, float} and numbers:  # as of most quantities in most cells
            every = [float(number) for number in numbers if number is not None]
            return Value(summarise(every), {}, dict(zip((member.seed for member in members), every, strict=True)))
    for member in members:
        number, why, parts = _number(key, cost, member)
        if isinstance(number, int | float) and not isinstance(number, bool):
            single.append(float(number))
            by_seed[member.seed] = float(number)
            if parts:
                own["+".join(parts)] += 1
        else:
            missing[str(why or "no reason recorded")] += 1
    energies.update(own)
    if len(own) > 1:
        listed = ", ".join(f"{parts} in {count}" for parts, count in sorted(own.items()))
        missing[f"its trials measured the energy of different parts of the machine ({listed})"] += len(single)
        return Value(None, dict(missing), {})
    return Value(summarise(single) if single else None, dict(missing), by_seed)


def _number(key: str, cost: tuple[str, float] | None, member: _Member) -> tuple[Any, Any, tuple[str, ...]]:
    """A value; why there is none; the energy of what."""
    if cost:
        return _cost(cost, member)
    if key in DERIVED:
        told = derived(key, member.record)
        return told.value, told.reason, told.parts
    return member.summary.get(key), member.reasons.get(key), ()


def _cost(cost: tuple[str, float], member: _Member) -> tuple[Any, Any, tuple[str, ...]]:
    """A cost worked out from the record's tables; why there is none; the energy of what."""
    name, percent = cost
    try:
        found = cost_to_threshold(member.record, percent)
    except StoreError as error:  # of one record: the others are compared
        return None, f"{error.where}: {error.what}" if error.where else error.what, ()
    return getattr(found, name), found.reasons.get(name), found.joules_of if name == "joules" else ()


def memory_source(record: Record) -> str:
    """Which kernel-kept peak the record's `peak_memory_bytes` is: `cgroup`, `largest_process_vmhwm`, or `unknown`."""
    sources = record.manifest.get("sources")
    return str(sources.get("peak_memory_bytes") or UNKNOWN) if isinstance(sources, Mapping) else UNKNOWN


def compile_cache(record: Record) -> str | None:
    """`cold` where the trial found an empty compile cache, `warm` where it found modules, None without a cache."""
    described = record.manifest.get("framework")
    cache = described.get("compile_cache") if isinstance(described, Mapping) else None
    modules = cache.get("modules") if isinstance(cache, Mapping) else None
    if not isinstance(modules, int):
        return None
    return "warm" if modules else "cold"


def code_hash(record: Record) -> str:
    """SHA-256 of the adapter and worker code that ran, or `unknown`."""
    environment = record.manifest.get("environment")
    return str(environment.get("code_sha256") or UNKNOWN) if isinstance(environment, Mapping) else UNKNOWN


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


def _ratios(cells: Sequence[Cell]) -> Iterable[Ratio]:
    by_pairing: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in cells:
        if cell.values["training_time_s"].statistics:
            by_pairing.setdefault(cell.key.pairing, []).append(cell)
    for members in by_pairing.values():
        reference = min(members, key=_mean_training_time)
        for cell in members:
            if cell is reference:
                continue
            for key in RATIO_KEYS:
                ours, theirs = cell.values.get(key), reference.values.get(key)
                paired = paired_ratio(ours.by_seed, theirs.by_seed) if ours and theirs else None
                if paired:
                    disturbed = tuple(one.key.framework for one in (cell, reference) if one.is_disturbed)
                    yield Ratio(key, cell.key, reference.key, paired, disturbed)


def _mean_training_time(cell: Cell) -> float:
    statistics = cell.values["training_time_s"].statistics
    return statistics.mean if statistics else float("inf")


def _not_measured(records: Sequence[Record]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for record in records:
        for key, reason in _not_measured_of(record).items():
            if reason in (NO_VALIDATION, ALONE) or key.startswith("phases.") or key.startswith(OF_THE_SAMPLER_ITSELF):
                continue  # nothing to measure is no lack worth a line; a phase's or the sampler's stands in the record
            reasons = found.setdefault(str(key), {})
            reasons[str(reason)] = reasons.get(str(reason), 0) + 1
    return dict(sorted(found.items()))


def _not_measured_of(record: Record) -> Mapping[str, Any]:
    value = record.manifest.get("not_measured")
    return value if isinstance(value, Mapping) else {}
