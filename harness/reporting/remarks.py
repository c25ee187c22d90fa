"""The words around a table: what it is of, what its numbers mean, what is missing, what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.analysis import Comparison
from harness.analysis.cells import row_names
from harness.analysis.columns import column_for


def header_lines(comparison: Comparison) -> list[str]:
    """Study, period and machine."""
    completed = f"{comparison.completed_count} of {comparison.trial_count} trials completed"
    lines = [f"study {comparison.study}: {completed}, {period(comparison)}"]
    several = len(comparison.conditions) > 1
    for letter, conditions in comparison.conditions.items():
        data = f"{conditions.dataset} {conditions.content_sha256[:12]}".strip()
        prefix = f"conditions {letter}: " if several else "machine: "
        lines.append(f"{prefix}{conditions.machine}; data: {data or 'not recorded'}")
    for title, names in (
        ("workload", {cell.key.workload for cell in comparison.cells}),
        ("setting", {cell.key.setting for cell in comparison.cells}),
        ("profile", {cell.key.profile for cell in comparison.cells}),
    ):
        if len(names) == 1:
            lines.append(f"{title}: {next(iter(names))}")
    if words := override_words(comparison):
        lines.append(f"overrides of setting and profile: {words}")
    return lines


def override_words(comparison: Comparison) -> str:
    """What the study set in place of setting and profile in all rows, such as `steps=300, memory=1 GiB`."""
    return ", ".join(f"{key}={value}" for key, value in comparison.common_overrides)


def period(comparison: Comparison) -> str:
    """When the trials were started."""
    first, last = comparison.first[:19].replace("T", " "), comparison.last[:19].replace("T", " ")
    if not first:
        return "start not recorded"
    return f"started {first} UTC" if first == last else f"started {first} to {last} UTC"


def definitions(comparison: Comparison) -> list[tuple[str, str]]:
    """Heading and meaning of each column shown."""
    return [(column.title, _without_marks(column.meaning)) for column in comparison.columns]


def value_note(comparison: Comparison) -> str:
    """How the numbers are to be read."""
    note = "Numbers are mean ± sample standard deviation (n − 1) over n seeds, rounded by the size of the deviation."
    if any(cell.n == 1 for cell in comparison.cells):
        note += " One seed has no standard deviation: its number stands alone."
    return note


def missing_values(comparison: Comparison) -> list[str]:
    """Values that some completed trials lack, with the reasons."""
    shown = {column.key for column in comparison.columns}
    lines, names = [], row_names(cell.key for cell in comparison.cells)
    for cell in comparison.cells:
        for key, value in cell.values.items():
            if key in shown:
                for reason, count in value.missing.items():
                    name = f"{names[cell.key]}: {column_for(key).title}"
                    lines.append(f"{name}: not measured in {count} of {cell.n} trials: {reason}")
    return lines


def memory_sources(comparison: Comparison) -> str | None:
    """Which peak the column of peak memory shows; None where it is not shown."""
    if "peak_memory_bytes" not in {column.key for column in comparison.columns}:
        return None
    by_source: dict[str, list[str]] = {}
    for cell in comparison.cells:
        for source in cell.memory_sources:
            by_source.setdefault(source, [])
            if cell.key.framework not in by_source[source]:
                by_source[source].append(cell.key.framework)
    words = {
        "cgroup": "the job's cgroup, page cache included",
        "largest_process_vmhwm": "the largest process (VmHWM)",
        "unknown": "a source that was not recorded",
    }
    if len(by_source) == 1:
        (source,) = by_source
        return f"Peak memory is kept by the kernel: of {words.get(source, source)}."
    listed = "; ".join(f"{', '.join(names)}: of {words.get(source, source)}" for source, names in by_source.items())
    return f"Peak memory is kept by the kernel. {listed}." if listed else None


def not_measured(comparison: Comparison) -> list[str]:
    """What the completed trials did not measure, and why."""
    return [
        f"{key}: {reason} ({count} trial{'s' if count != 1 else ''})"
        for key, reasons in comparison.not_measured.items()
        for reason, count in reasons.items()
    ]


def stability_lines(comparison: Comparison) -> list[str]:
    """One line a cell on the noise of its training time."""
    names = row_names(cell.key for cell in comparison.cells)
    return [f"{names[cell.key]}: {cell.stability.sentence}" for cell in comparison.cells]


def excluded_lines(comparison: Comparison) -> list[str]:
    """Trials that did not complete, with the reason."""
    return [f"{one.label} ({one.trial.id}): {one.termination}: {one.reason}" for one in comparison.excluded]


def next_commands(comparison: Comparison, store: Path | str) -> list[tuple[str, str]]:
    """Command and what it gives."""
    of = f"{shlex.quote(str(store))} --study {shlex.quote(comparison.study)}"
    output = shlex.quote(f"{comparison.study}.csv")
    return [
        (f"dlgauge report {of}", "a page with curves, timelines and all trials"),
        (f"dlgauge compare {of} --format csv --output {output}", "unrounded values"),
        (f"dlgauge compare {of} --all", "every quantity"),
    ]


def command_lines(commands: Sequence[tuple[str, str]], width: int | None = None) -> list[str]:
    """Command and what it gives side by side, or one below the other where that is wider than `width` characters."""
    longest = max(len(command) for command, _ in commands)
    lines = [f"{command:<{longest}}  {gives}" for command, gives in commands]
    if width is None or max(len(line) for line in lines) <= width:
        return lines
    return [line for command, gives in commands for line in (command, f"  {gives}")]


def footnotes(comparison: Comparison) -> Iterable[str]:
    """All that must stand below the numbers: how to read them, notes, sources, what is missing."""
    yield value_note(comparison)
    if comparison.cells:
        yield comparison.sampling.sentence
    yield from comparison.notes
    if source := memory_sources(comparison):
        yield source
    yield from missing_values(comparison)


def _without_marks(text: str) -> str:
    return text.replace("`", "")
