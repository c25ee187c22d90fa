"""Compare the records of one study: which trials count, and the rows, ratios and notes that they make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.analysis.beside import a_a_pairs, drifts
from harness.analysis.beside_notes import beside_notes
from harness.analysis.cell_values import cell_of, not_measured_of
from harness.analysis.cells import Conditions, conditions_of, group_into_cells
from harness.analysis.columns import DEFAULT_KEYS, select_columns
from harness.analysis.comparison import COMPLETED, RATIO_KEYS, Cell, Comparison, Ratio, excluded_record
from harness.analysis.costs import DERIVED
from harness.analysis.failed_rows import failed_rows
from harness.analysis.notes import notes
from harness.analysis.references import reference_to
from harness.analysis.sampling import pooled
from harness.analysis.statistics import paired_ratio
from harness.errors import DlgaugeError
from harness.garbage import collector_paused
from harness.records.overlap import ALONE
from harness.records.summary_columns import summary_names
from harness.records.validation import NO_VALIDATION
from harness.study.roles import CANARY

if TYPE_CHECKING:
    from harness.records import Record

OF_THE_SAMPLER_ITSELF = ("duration_", "lateness_p50_ns", "lateness_p99_ns", "lateness_max_ns")
"""Beginnings of keys of the sampler's own report: `lateness_p99_s` of the summary says the same to a reader."""


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
    with collector_paused():
        return _compare(list(records), columns)


def _compare(given: Sequence[Record], columns: Sequence[str]) -> Comparison:
    found = _compare_matrix([record for record in given if record.role is None], columns)
    second_arms = [record for record in given if record.role not in (None, CANARY)]
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
    keys = summary_names(every)
    shown = select_columns(columns, keys)
    wanted = (*keys, *(column.key for column in shown), *DERIVED)
    cells = tuple(cell_of(key, members, conditions[key.conditions][0], wanted) for key, members in grouped.items())
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
    every = [not_measured_of(record) for record in records]
    counts = Counter(map(id, every))  # compacted records share them
    found: dict[str, dict[str, int]] = {}
    for number, told in {id(one): one for one in every}.items():
        for key, reason in told.items():
            if reason in (NO_VALIDATION, ALONE) or key.startswith("phases.") or key.startswith(OF_THE_SAMPLER_ITSELF):
                continue  # nothing to measure is no lack worth a line; a phase's or the sampler's stands in the record
            reasons = found.setdefault(str(key), {})
            reasons[str(reason)] = reasons.get(str(reason), 0) + counts[number]
    return dict(sorted(found.items()))
