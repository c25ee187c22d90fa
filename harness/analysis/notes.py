"""What a reader must know before he compares rows, as sentences."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.analysis.cells import differing_keys, row_names
from harness.units import format_bytes

if TYPE_CHECKING:
    from harness.analysis.cells import Conditions
    from harness.analysis.comparison import Cell
    from harness.analysis.failed_rows import FailedRow
    from harness.analysis.references import TrialReference


def notes(
    cells: Sequence[Cell],
    conditions: Mapping[str, Conditions],
    superseded: Sequence[TrialReference],
    failed: Sequence[FailedRow] = (),
) -> Iterable[str]:
    """All notes, the gravest first."""
    yield from _different_conditions(conditions)
    yield from _without_a_trial(failed)
    yield from _equal_labels(cells)
    yield from _without_certificate(cells)
    yield from _several_certificates(cells)
    yield from _poorly_sampled(cells)
    yield from _disturbed(cells)
    yield from _stopped_early(cells)
    yield from _mixed_code(cells)
    yield from _mixed_caches(cells)
    yield from _mixed_memory(cells)
    yield from _mixed_energy(cells)
    yield from _less_than_a_process(cells)
    yield from _at_the_limit(cells)
    yield from _superseded(superseded)


def _different_conditions(conditions: Mapping[str, Conditions]) -> Iterable[str]:
    if len(conditions) < 2:
        return
    causes = []
    if len({one.key[:2] for one in conditions.values()}) > 1:
        causes.append("the content of the dataset differs")
    if len({one.host for one in conditions.values()}) > 1:
        causes.append("the machine differs")
    yield f"Rows of different conditions ({', '.join(conditions)}) are not comparable: {' and '.join(causes)}."


def _without_a_trial(failed: Sequence[FailedRow]) -> Iterable[str]:
    for row in failed:
        ends = ", ".join(f"{count} {kind}" for kind, count in row.terminations.items())
        yield f"{row.name} has no row: none of its trials completed ({ends}: {row.reason})."


def _several_certificates(cells: Sequence[Cell]) -> Iterable[str]:
    """Rows of one work whose trials rest on different certificates were checked on different occasions."""
    by_work: dict[tuple[str, str], dict[str, dict[str, None]]] = {}
    for cell in cells:
        holders = by_work.setdefault((cell.key.workload, cell.key.setting), {})
        for certificate in cell.certificates:
            holders.setdefault(certificate, {})[cell.key.framework] = None
    for (workload, setting), holders in by_work.items():
        frameworks = {name for names in holders.values() for name in names}
        if len(holders) > 1 and len(frameworks) > 1:
            listed = "; ".join(f"{sha256[:12]}: {', '.join(names)}" for sha256, names in holders.items())
            yield (
                f"{workload} under {setting}: {len(holders)} parity certificates cover the trials ({listed}), each "
                "from a check of its own against the reference."
            )


def _equal_labels(cells: Sequence[Cell]) -> Iterable[str]:
    same_label: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in cells:
        same_label.setdefault((cell.key.label, cell.conditions), []).append(cell)
    for members in same_label.values():
        if len(members) > 1:
            paths = differing_keys([cell.key.specification for cell in members])
            shown = ", ".join(paths[:6]) + (f" and {len(paths) - 6} more" if len(paths) > 6 else "")
            key = members[0].key
            yield (
                f"{key.framework} {key.version} stands in {len(members)} rows because the specifications differ in "
                f"{shown}; they are not pooled."
            )


def _without_certificate(cells: Sequence[Cell]) -> Iterable[str]:
    if len({cell.key.framework for cell in cells}) < 2:
        return
    uncovered: dict[tuple[str, str], dict[str, None]] = {}
    for cell in cells:
        if cell.uncovered:
            uncovered.setdefault((cell.key.workload, cell.key.setting), {})[cell.key.framework] = None
    for (workload, setting), names in uncovered.items():
        yield (
            f"{workload} under {setting}: no parity certificate covers {', '.join(names)}, so it is not proven that "
            f"they compute the same. To prove it: dlgauge parity {workload} --setting {setting}"
        )


def _stopped_early(cells: Sequence[Cell]) -> Iterable[str]:
    names = row_names(cell.key for cell in cells)
    for cell in cells:
        setting = json.loads(cell.key.specification).get("setting") or {}
        planned, done = setting.get("steps"), cell.values["steps_done"].by_seed if "steps_done" in cell.values else {}
        if not setting.get("early_stopping") or planned is None:
            continue
        early = [f"step {steps:.0f} (seed {seed})" for seed, steps in sorted(done.items()) if steps < planned]
        if early:
            yield (
                f"{names[cell.key]}: early stopping ended training at {', '.join(early)} of {planned}. The best "
                "evaluation of the validation images: `--columns best_validation_step,top1_at_best_validation_percent`."
            )


NEAR_THE_LIMIT = 0.99
"""Part of a memory limit from which on a peak is the limit's."""

FLAGS = {
    "no_samples": "nothing was sampled",
    "low_coverage": "samples cover less than 95 % of the worker's time",
    "ticks_skipped": "more than 0.1 % of the ticks were skipped",
    "cpu_audit_failed": "the accounts of the CPU time disagree by more than 2 % and 50 ms",
    "gpu_energy_check_failed": "a GPU's energy counter and its power disagree by more than 10 %",
    "no_sampler_report": "the sampler left no report: it was killed",
    "errors": "some readings failed",
    "records_dropped": "samples could not be written",
}
"""What is wrong with the sampling of a trial, in words."""


def _poorly_sampled(cells: Sequence[Cell]) -> Iterable[str]:
    names = row_names(cell.key for cell in cells)
    for cell in cells:
        if found := cell.sampling.flags:
            listed = "; ".join(
                f"{FLAGS.get(flag, flag)} ({count} of {_trials(cell.n)})" for flag, count in found.items()
            )
            yield f"{names[cell.key]}: quality of the sampling: {listed}."


def _disturbed(cells: Sequence[Cell]) -> Iterable[str]:
    names = row_names(cell.key for cell in cells)
    for cell in cells:
        if cell.disturbances:
            listed = "; ".join(f"{one.words} in {one.trials} of {_trials(cell.n)}" for one in cell.disturbances)
            yield f"{names[cell.key]}: disturbed: {listed}."


def _mixed_code(cells: Sequence[Cell]) -> Iterable[str]:
    names = row_names(cell.key for cell in cells)
    for cell in cells:
        known = [code for code in cell.codes if code != "unknown"]
        untold = cell.codes.get("unknown", 0)
        if len(cell.codes) > 1:
            plural = "s" if len(known) > 1 else ""
            rest = f", and {_trials(untold)} with a version that the record does not tell" if untold else ""
            yield (
                f"framework {names[cell.key]}: measured with {len(known)} version{plural} of the adapter or worker "
                f"code{rest}."
            )


def _mixed_caches(cells: Sequence[Cell]) -> Iterable[str]:
    names = row_names(cell.key for cell in cells)
    for cell in cells:
        cold = cell.compile_caches.get("cold", 0)
        both = cold + cell.compile_caches.get("warm", 0)
        if 0 < cold < both:
            yield (
                f"{names[cell.key]}: build time mixes cold and warm compile caches ({cold} of {_trials(both)} compiled "
                "anew); CPU time and peak memory of the whole trial include the compiler's."
            )


def _mixed_memory(cells: Sequence[Cell]) -> Iterable[str]:
    sources = sorted({source for cell in cells for source in cell.memory_sources})
    if len(sources) > 1:
        yield (
            f"Peak memory has more than one source ({', '.join(sources)}): compare peak_resident_bytes instead "
            "(`--columns peak_resident_bytes`), which means the same everywhere."
        )


def _mixed_energy(cells: Sequence[Cell]) -> Iterable[str]:
    names = row_names(cell.key for cell in cells)
    measured: dict[str, list[str]] = {}
    for cell in cells:
        for parts in cell.energy_of:
            measured.setdefault(parts, []).append(names[cell.key])
    if len(measured) > 1:
        listed = "; ".join(f"{parts}: {', '.join(dict.fromkeys(rows))}" for parts, rows in sorted(measured.items()))
        yield f"Energy to an accuracy is that of different parts of the machine and not comparable ({listed})."


def _less_than_a_process(cells: Sequence[Cell]) -> Iterable[str]:
    names = row_names(cell.key for cell in cells)
    less = [
        names[cell.key]
        for cell in cells
        if (charged := _mean(cell, "peak_memory_bytes")) is not None
        and (resident := _mean(cell, "peak_resident_bytes")) is not None
        and charged < resident
    ]
    if less:
        yield (
            f"Peak memory of {', '.join(less)} is below what the largest process held: a cgroup is charged for "
            "the pages that it was the first to touch, and a framework's libraries were in memory already. "
            "`--columns peak_resident_bytes` has what a process held."
        )


def _at_the_limit(cells: Sequence[Cell]) -> Iterable[str]:
    names = row_names(cell.key for cell in cells)
    for cell in cells:
        limit = (json.loads(cell.key.specification).get("profile") or {}).get("memory_bytes")
        peaks = cell.values["peak_memory_bytes"].by_seed.values() if "peak_memory_bytes" in cell.values else ()
        if limit and any(peak >= NEAR_THE_LIMIT * limit for peak in peaks):
            yield (
                f"{names[cell.key]}: the job reached its memory limit of {format_bytes(limit)}: the kernel took pages "
                "back from it, so its peak is the limit's and its times are those of a job in want of memory."
            )


def _mean(cell: Cell, key: str) -> float | None:
    statistics = cell.values[key].statistics if key in cell.values else None
    return None if statistics is None else statistics.mean


def _superseded(superseded: Sequence[TrialReference]) -> Iterable[str]:
    if superseded:
        listed = ", ".join(f"{one.id} (seed {one.seed})" for one in superseded)
        yield f"Left out, because a later trial differs in nothing that could change the result: {listed}."


def _trials(count: int) -> str:
    return f"{count} trial{'s' if count != 1 else ''}"
