"""What was used in each phase: counters differenced at the marks, peaks that the kernel kept from mark to mark.

At every mark the sampler takes a boundary sample. Over the short gap between mark and sample a counter is taken back at
the rate of what follows, and only there; a phase with an edge further than `MAX_EDGE_GAP_NS` from any sample has no
value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.records.counters import CounterSeries, series, series_of_points
from harness.records.gpus import rows_of_trial, why_unknown
from harness.records.phases import BEFORE, Phase
from harness.records.reading import TrialFiles

MAX_EDGE_GAP_NS = 1_000_000_000
"""A phase whose edge has no sample within this has no value: interpolation over more would be invention."""
ENERGY_PERIODS = 10
"""Update periods of an energy counter that a phase must last: of fewer, the counter's own steps are the result."""
PACKAGE_UPDATE_NS = 1_000_000
"""RAPL counters are updated about once a millisecond (Intel SDM, volume 3, on RAPL interfaces)."""
GPU_UPDATE_NS = 100_000_000
"""Of a GPU whose update period the sampler could not find out: the longest that is usual."""

FAR_FROM_SAMPLES = "a phase has no sample near its edge"
PEAK = "memory_peak_bytes"
ENDS_OF_PHASES = ("phase", "exit", "stop")


@dataclass(frozen=True)
class Counted:
    """A quantity that counters tell.

    Attributes:
        name: key of a phase in the manifest.
        parts: the counters that are added up: one, or one a device. Empty where there is none.
        per_unit: units of the counters in one of the quantity: 1e9 for ns in s.
        source: whose counters.
        shortest_ns: a shorter phase has no value.
        of_machine: counts the whole machine, not the job: then the total is its growth during the trial.
        missing: why there is no counter.
    """

    name: str
    parts: tuple[CounterSeries, ...]
    per_unit: float
    source: str
    shortest_ns: int = 0
    of_machine: bool = False
    missing: str = ""

    def increase(self, begin_ns: int, end_ns: int) -> float:
        """Growth between two moments."""
        return sum(part.increase_between_marks(begin_ns, end_ns) for part in self.parts) / self.per_unit

    def total(self, begin_ns: int, end_ns: int) -> float:
        """Growth over the trial."""
        if self.of_machine:
            return self.increase(begin_ns, end_ns)
        return sum(part.total for part in self.parts) / self.per_unit

    def edge_gap_ns(self, phase: Phase) -> int:
        """Distance from the phase's edges to the nearest sample, the larger of the two."""
        return max(max(part.gap_ns(phase.begin_ns), part.gap_ns(phase.end_ns)) for part in self.parts)

    def why_not(self, phase: Phase) -> str | None:
        """Why this phase has no value; None if it has one."""
        if not self.parts:
            return self.missing
        if phase.end_ns - phase.begin_ns < self.shortest_ns:
            period_ms = self.shortest_ns / ENERGY_PERIODS / 1e6
            return f"a phase is shorter than {ENERGY_PERIODS} update periods of the counter, {period_ms:g} ms each"
        return FAR_FROM_SAMPLES if self.edge_gap_ns(phase) > MAX_EDGE_GAP_NS else None


def attribute(phases: Iterable[Phase], quantities: Sequence[Counted]) -> list[Phase]:
    """The phases with what was used in each; `edge_gap_ns` is that of the first quantity."""
    attributed = []
    for phase in phases:
        values = {
            one.name: None if one.why_not(phase) else one.increase(phase.begin_ns, phase.end_ns) for one in quantities
        }
        gap_ns = quantities[0].edge_gap_ns(phase) if quantities and quantities[0].parts else None
        attributed.append(replace(phase, edge_gap_ns=gap_ns, quantities={**phase.quantities, **values}))
    return attributed


def sums(rows: Sequence[Phase], quantities: Iterable[Counted]) -> dict[str, dict[str, Any]]:
    """`phase_sums` of the manifest: the rows' parts of each quantity, added up, beside the trial's total.

    A part that a row does not show (`withheld`) is in the sum all the same: nothing of the total is lost.
    """
    found = {}
    for one in quantities:
        if not one.parts or not rows:
            continue
        total = one.total(min(row.begin_ns for row in rows), max(row.end_ns for row in rows))
        added = sum(one.increase(row.begin_ns, row.end_ns) for row in rows)
        withheld = sum(one.why_not(row) is not None for row in rows)
        found[one.name] = {
            "sum": added,
            "total": total,
            "difference": added - total,
            "withheld": withheld,
            "source": one.source,
        }
    return found


def reasons(rows: Iterable[Phase], quantities: Iterable[Counted]) -> dict[str, str]:
    """`phases.<quantity>` -> why a phase has no value, for the quantities of which one has none."""
    listed = list(rows)
    found = {}
    for one in quantities:
        told = dict.fromkeys(why for row in listed if (why := one.why_not(row)))
        if told:
            found[f"phases.{one.name}"] = "; ".join(told)
    return found


def counted_quantities(
    files: TrialFiles, t_worker_ns: int | None, cpu: Counted, missing: Mapping[str, str], no_samples: str
) -> list[Counted]:
    """All quantities of a phase that counters tell, the CPU time first.

    Args:
        cpu: the CPU time, from the source that tells phases apart best; user and system time follow it where they can.
        missing: column -> why the sampler could not read it; `gpu` for the whole table of GPUs.
        no_samples: why there are no samples, where there are none.
    """

    def counted(name: str, column: str, per_unit: float, **more: Any) -> Counted:
        found = series(files.samples, column, None if more.get("of_machine") else t_worker_ns)
        why = no_samples if files.samples is None else missing.get(column, f"no sample holds a value of {column}")
        source = column.split("_", maxsplit=1)[0]
        return Counted(name, () if found is None else (found,), per_unit, source, missing=why, **more)

    def mode(name: str) -> Counted:
        other = "tree" if cpu.source == "cgroup" else "cgroup"
        both = [counted(f"cpu_{name}_seconds", f"{one}_cpu_{name}_ns", 1e9) for one in (cpu.source, other)]
        return both[0] if both[0].parts or not both[1].parts else both[1]

    return [
        cpu,
        mode("user"),
        mode("system"),
        counted("disk_read_bytes", "tree_read_bytes", 1.0),
        counted("disk_write_bytes", "tree_write_bytes", 1.0),
        counted(
            "package_energy_joules",
            "package_energy_uj",
            1e6,
            of_machine=True,
            shortest_ns=ENERGY_PERIODS * PACKAGE_UPDATE_NS,
        ),
        gpu_energy(files, missing.get("gpu", no_samples if files.samples is None else "no GPU was sampled")),
    ]


def gpu_energy(files: TrialFiles, missing: str) -> Counted:
    """Energy of all GPUs of the trial together; a device without a counter leaves the sum without a value.

    A MIG device has none and needs none: its energy is in that of the whole device.
    """
    points: dict[int, list[tuple[int, int]]] = {}
    parts_of: set[str] = set()
    periods: list[Any] = []
    for gpu, facts, t_ns, energy_mj, stamped_ns in rows_of_trial(files, ("t_ns", "energy_mj", "energy_t_ns")):
        if facts.get("parent_uuid"):
            parts_of.add(str(facts["parent_uuid"]))
            continue
        if gpu not in points:
            periods.append(facts.get("energy_update_period_ns"))
        held = points.setdefault(gpu, [])
        moment_ns = t_ns if stamped_ns is None else stamped_ns  # the driver's own time of the value is nearer
        if moment_ns is not None and energy_mj is not None:
            held.append((int(moment_ns), int(energy_mj)))
    without = sorted(str(gpu) for gpu, held in points.items() if not held)
    parts = () if without else tuple(series_of_points(sorted(held)) for held in points.values())
    if without:
        missing = f"GPU {', '.join(without)} has no energy counter"
    elif not points and files.gpus:
        nothing = "none of the GPUs that were sampled is the trial's"
        if parts_of:
            nothing = (
                f"the trial has MIG devices only, and energy belongs to the whole of {', '.join(sorted(parts_of))}"
            )
        missing = why_unknown(files) or nothing
    longest_ns = max([period for period in periods if isinstance(period, int) and period > 0] or [GPU_UPDATE_NS])
    return Counted(
        "gpu_energy_joules", parts, 1e3, "gpu", ENERGY_PERIODS * longest_ns, of_machine=True, missing=missing
    )


@dataclass(frozen=True)
class _Boundary:
    """A sample at which a phase may end, with the peak that the kernel kept since the last mark."""

    t_ns: int
    is_mark: bool
    peak_bytes: int


def with_peaks(rows: Iterable[Phase], samples: Mapping[str, Sequence[Any]] | None) -> list[Phase]:
    """The phases with the peak of the job's memory in each, kept by the kernel from mark to mark."""
    taken = _boundaries(samples or {})
    return [replace(row, quantities={**row.quantities, PEAK: _peak(row, taken)}) for row in rows]


def _peak(row: Phase, taken: Sequence[_Boundary]) -> int | None:
    """The peak in the sample that ends the row, if it was kept from the row's begin on and from nothing earlier.

    Marks in quick succession are served by one sample, and the mark of a full queue by none: then what lies between two
    marks has no peak of its own.
    """
    end = _nearest_after(taken, row.end_ns)
    if end is None:
        return None
    kept_since = next((one for one in reversed(taken) if one.t_ns < end.t_ns and one.is_mark), None)
    expected = None if row.phase == BEFORE else _nearest_after(taken, row.begin_ns)
    if kept_since != expected or (row.phase != BEFORE and kept_since is None):
        return None
    return end.peak_bytes


def _boundaries(samples: Mapping[str, Sequence[Any]]) -> list[_Boundary]:
    columns = (samples.get(name, ()) for name in ("trigger", "t_start_ns", "phase_memory_peak_bytes"))
    return [
        _Boundary(t_ns, trigger == "phase", peak)
        for trigger, t_ns, peak in zip(*columns, strict=False)
        if trigger in ENDS_OF_PHASES and t_ns is not None and peak is not None
    ]


def _nearest_after(taken: Sequence[_Boundary], t_ns: int) -> _Boundary | None:
    """The first sample after a mark, if it came soon enough to be the mark's; at the trial's end the last."""
    found = next((one for one in taken if one.t_ns >= t_ns), taken[-1] if taken else None)
    return found if found is not None and abs(found.t_ns - t_ns) <= MAX_EDGE_GAP_NS else None


def peak_reason(rows: Iterable[Phase], samples: Mapping[str, Any] | None, missing: Mapping[str, str]) -> dict[str, str]:
    """`phases.memory_peak_bytes` -> why a phase has no peak, where one has none."""
    if all(row.quantities.get(PEAK) is not None for row in rows):
        return {}
    column = "phase_memory_peak_bytes"
    if any(value is not None for value in (samples or {}).get(column, ())):
        return {f"phases.{PEAK}": "a phase has no boundary sample of its own at both edges"}
    return {f"phases.{PEAK}": missing.get(column, f"no sample holds a value of {column}")}
