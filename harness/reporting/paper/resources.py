"""CPU and memory by framework and phase: what GTDLBench shows of CPU user and system time and of memory."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis import Cell
from harness.analysis.columns import column_for
from harness.errors import DlgaugeError
from harness.reporting.paper import phase_use
from harness.reporting.paper.captions import INTERVAL, facts_of
from harness.reporting.paper.measuring import mark_of_column, trials_of
from harness.reporting.paper.model import Mark, Options, PaperFigure
from harness.reporting.paper.naming import group_names, group_title, panels_of_conditions, refuse_equals
from harness.reporting.paper.resource_panels import Row, draw_resources
from harness.reporting.paper.source import Source

NAME = "resources"
TOTAL = "whole trial"


def make(source: Source, options: Options) -> PaperFigure:
    """The figure of a study: CPU seconds stacked by phase, cores used in training, peak memory by phase.

    Raises:
        DlgaugeError: nothing of this was measured, or cells that would stand at one place.
    """
    groups = group_names(source.cells)
    titles = panels_of_conditions(source.cells, source.comparison.conditions)
    refuse_equals(
        source.cells,
        [(cell.conditions, group, cell.key.framework) for cell, group in zip(source.cells, groups, strict=True)],
    )
    phases = phase_use.phases_of(source)
    rows: dict[str, list[Row]] = {letter: [] for letter in titles}
    for cell, group in zip(source.cells, groups, strict=True):
        rows[cell.conditions].append(_row(source, cell, group, titles[cell.conditions], phases))
    marks = tuple(mark for of_letter in rows.values() for row in of_letter for mark in row.marks)
    if all(mark.value is None for mark in marks):
        reasons = ", ".join(dict.fromkeys(mark.reason for mark in marks if mark.reason))
        raise DlgaugeError(
            f"neither CPU nor memory was measured in these trials: {reasons}", hint="see docs/measurement.md"
        )
    return PaperFigure(
        name=NAME,
        title=f"CPU and memory by framework and phase, study {source.study}",
        draw=lambda: draw_resources(rows, titles, phases, group_title(source.cells), options.width_mm),
        marks=marks,
        shown=tuple(_shown(marks)),
        facts=facts_of(source, marks, memory=True),
        trials=trials_of(marks),
    )


def _row(source: Source, cell: Cell, group: str, title: str, phases: Sequence[str]) -> Row:
    x = " · ".join(part for part in (cell.key.framework, group) if part)

    def of_phase(phase: str, quantity: str, unit: str) -> Mark:
        read = phase_use.cpu_of_phase if quantity == phase_use.CPU else phase_use.peak_of_phase
        return phase_use.mark_of_records(
            source,
            cell,
            lambda record: read(record, phase),
            panel=title,
            series=phase,
            x=x,
            quantity=f"phases.{quantity}",
            unit=unit,
        )

    def in_mode(key: str, series: str) -> Mark:
        return phase_use.mark_of_records(
            source,
            cell,
            lambda record: phase_use.cores_in_mode(record, key),
            panel=title,
            series=series,
            x=x,
            quantity=f"cores of {key}",
            unit="cores",
        )

    def of_trial(key: str, series: str) -> Mark:
        return mark_of_column(source, cell, column_for(key), panel=title, series=series, x_name="cell", x_unit="", x=x)

    return Row(
        group=group,
        framework=cell.key.framework,
        cpu=tuple(of_phase(phase, phase_use.CPU, "cpu_s") for phase in phases),
        total=of_trial("cpu_seconds", TOTAL),
        user=in_mode(phase_use.USER, "user"),
        system=in_mode(phase_use.SYSTEM, "system"),
        mean=of_trial("cores_used_mean", "mean"),
        most=of_trial("cores_used_max", "highest in 1 s"),
        peaks=tuple(of_phase(phase, phase_use.PEAK, "bytes") for phase in phases),
        peak=of_trial("peak_memory_bytes", TOTAL),
    )


def _shown(marks: Sequence[Mark]) -> list[str]:
    sentences = [
        "CPU time stacked by phase, cores used in training (bars: user and system mode; triangle: highest mean over "
        "1 s), and peak memory by phase (points) and of the whole trial (vertical stroke), by framework. "
        f"Means over trials; whiskers, of the whole trial's CPU time, the cores and the peaks: {INTERVAL}.",
        "The peak of a phase is the highest of its phases of that kind; CPU time outside of the phases, before the "
        "first and after the last, is in the whiskered total and not in the bars.",
        "An axis ends at 1.6 times its largest value at most; the CSV has the ends of longer intervals.",
    ]
    modes = [mark for mark in marks if mark.series == "user"]
    if any(mark.value is None for mark in modes):
        sentences.append(
            "Where user and system mode were not told apart, the bar of cores is the mean of both, in grey."
        )
    return sentences
