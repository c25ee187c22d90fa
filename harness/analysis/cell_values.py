"""The quantities of one cell, from the records of its trials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.analysis.cells import CellKey, seed_of
from harness.analysis.columns import DEFAULT_KEYS, cost_column
from harness.analysis.comparison import UNKNOWN, Cell, Value
from harness.analysis.costs import DERIVED, TRAINING_JOULES, derived_of
from harness.analysis.disturbances import disturbances_of
from harness.analysis.references import reference_to
from harness.analysis.sampling import sampling_of
from harness.analysis.stability import judge_stability
from harness.analysis.statistics import summarise
from harness.errors import StoreError
from harness.records.cost import cost_to_threshold
from harness.records.summary_columns import summary_columns

if TYPE_CHECKING:
    from harness.records import Record

NO_REASON = "no reason recorded"


def cell_of(key: CellKey, records: Sequence[Record], conditions: str, keys: Iterable[str]) -> Cell:
    """A row of a comparison.

    Args:
        key: what its trials share.
        records: of them, completed, one a seed.
        conditions: letter of their conditions.
        keys: summary keys and costs that are wanted beside the default ones.
    """
    energies: Counter[str] = Counter()
    parts: Counter[str] = Counter()
    certificates = [record.parity_certificate for record in records]
    values = _values(records, tuple(dict.fromkeys((*keys, *DEFAULT_KEYS))), energies, parts)
    return Cell(
        key=key,
        conditions=conditions,
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
class _Told:
    """One quantity of one trial: its value, why there is none, and the energy of what it is."""

    value: Any
    reason: Any
    parts: tuple[str, ...] = ()


def _values(
    records: Sequence[Record], keys: Sequence[str], energies: Counter[str], parts: Counter[str]
) -> dict[str, Value]:
    """All quantities; what joules are the energy of is added to `energies`, of `training_joules` to `parts`."""
    seeds = [seed_of(record) for record in records]
    reasons = [not_measured_of(record) for record in records]
    columns = summary_columns(records, [key for key in keys if key not in DERIVED and not cost_column(key)])
    found: dict[str, Value] = {}
    for key in keys:
        if cost := cost_column(key):
            found[key] = _value([_cost(cost, record) for record in records], seeds, energies)
        elif key in DERIVED:
            told = [_Told(one.value, one.reason, one.parts) for one in derived_of(key, records)]
            found[key] = _value(told, seeds, parts if key == TRAINING_JOULES else energies)
        else:
            found[key] = _of_summary(key, columns[key], seeds, reasons)
    return found


def _of_summary(key: str, numbers: Sequence[Any], seeds: Sequence[int], reasons: Sequence[Mapping[str, Any]]) -> Value:
    """One key of the summary: in most cells all trials have it, or none has for the same reason."""
    types = set(map(type, numbers))
    if types and types <= {int, float}:
        every = [float(number) for number in numbers]
        return Value(summarise(every), {}, dict(zip(seeds, every, strict=True)))
    if types == {type(None)} and all(one is reasons[0] for one in reasons):
        return Value(None, {str(reasons[0].get(key) or NO_REASON): len(numbers)}, {})
    told = [_Told(number, why.get(key)) for number, why in zip(numbers, reasons, strict=True)]
    return _value(told, seeds, Counter())


def _value(told: Sequence[_Told], seeds: Sequence[int], energies: Counter[str]) -> Value:
    """One quantity over the trials; what its joules are the energy of is added to `energies`.

    Energies of different parts of the machine are not pooled: none of them is a value then.
    """
    by_seed: dict[int, float] = {}
    missing: Counter[str] = Counter()
    single: list[float] = []
    own: Counter[str] = Counter()
    for one, seed in zip(told, seeds, strict=True):
        if isinstance(one.value, int | float) and not isinstance(one.value, bool):
            single.append(float(one.value))
            by_seed[seed] = float(one.value)
            if one.parts:
                own["+".join(one.parts)] += 1
        else:
            missing[str(one.reason or NO_REASON)] += 1
    energies.update(own)
    if len(own) > 1:
        listed = ", ".join(f"{parts} in {count}" for parts, count in sorted(own.items()))
        missing[f"its trials measured the energy of different parts of the machine ({listed})"] += len(single)
        return Value(None, dict(missing), {})
    return Value(summarise(single) if single else None, dict(missing), by_seed)


def _cost(cost: tuple[str, float], record: Record) -> _Told:
    """A cost worked out from the record's tables."""
    name, percent = cost
    try:
        found = cost_to_threshold(record, percent)
    except StoreError as error:  # of one record: the others are compared
        return _Told(None, f"{error.where}: {error.what}" if error.where else error.what)
    return _Told(getattr(found, name), found.reasons.get(name), found.joules_of if name == "joules" else ())


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


def not_measured_of(record: Record) -> Mapping[str, Any]:
    """Why quantities of a record are null: key -> reason."""
    value = record.manifest.get("not_measured")
    return value if isinstance(value, Mapping) else {}
