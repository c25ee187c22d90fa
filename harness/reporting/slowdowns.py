"""What co-location cost, as text, Markdown, LaTeX, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from harness.analysis.slowdown import Slowdown, Slowdowns
from harness.analysis.statistics import PairedRatio
from harness.reporting.grid import Grid, GridCell
from harness.reporting.text import latex_escaped, markdown_escaped, one_line, plain_table

FORMAT_VERSION = 1
"""Version of the JSON form. History: 1, the first form."""

HEADERS = ("job", "jobs", "cores", "blocks", "alone samples/s", "samples/s a job", "slowdown", "together", "overlap")
MEANINGS = (
    "slowdown: samples/s of the job alone ÷ samples/s of one of the jobs while all of them trained, geometric mean "
    "over blocks with its 95 % interval (t of the logarithms).",
    "together: what all jobs get through ÷ what one alone does: jobs ÷ slowdown.",
    "overlap: smallest part of the training time, over the blocks, in which all jobs trained.",
)
NONE = "n/a"


def slowdowns_text(found: Sequence[Slowdowns]) -> str:
    """Aligned text: one table a study, with the notes below it."""
    return "\n".join(_plain(one) for one in found)


def _plain(one: Slowdowns) -> str:
    lines = [f"slowdown side by side: study {one.study}", "", plain_table(_grid(one)) if one.rows else "no row", ""]
    return "\n".join([*lines, *_remarks(one)]) + "\n"


def slowdowns_markdown(found: Sequence[Slowdowns]) -> str:
    """A Markdown table a study."""
    parts = []
    for one in found:
        grid = _grid(one)
        rule = ["---:" if right else "---" for right in grid.numeric]
        rows = [[markdown_escaped(text) for text in row] for row in (grid.headers, *grid.texts)]
        table = ["| " + " | ".join(row) + " |" for row in (rows[0], rule, *rows[1:])]
        notes = [f"* {markdown_escaped(line)}" for line in _remarks(one)]
        parts.append("\n".join([f"Slowdown side by side: study {one.study}", "", *table, "", *notes]) + "\n")
    return "\n".join(parts)


def slowdowns_latex(found: Sequence[Slowdowns]) -> str:
    """A LaTeX `tabular` a study with booktabs rules, the notes as comments."""
    parts = []
    for one in found:
        grid = _grid(one)
        columns = "".join("r" if right else "l" for right in grid.numeric)
        rows = [" & ".join(latex_escaped(text) for text in row) + r" \\" for row in (grid.headers, *grid.texts)]
        notes = [f"% {one_line(line)}" for line in _remarks(one)]
        body = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", rows[0], r"\midrule", *rows[1:], r"\bottomrule"]
        head = [r"% needs \usepackage{booktabs}", f"% study {one_line(one.study)}", *notes]
        parts.append("\n".join([*head, *body, r"\end{tabular}"]) + "\n")
    return "\n".join(parts)


def slowdowns_json(found: Sequence[Slowdowns]) -> str:
    """Everything unrounded, with the trials behind each number."""
    studies = [
        {
            "study": one.study,
            "rows": [_plain_values(row) for row in one.rows],
            "failed": [{"label": label, "reason": reason} for label, reason in one.failed],
        }
        for one in found
    ]
    return json.dumps({"format_version": FORMAT_VERSION, "studies": studies}, indent=1, ensure_ascii=False) + "\n"


def slowdowns_csv(found: Sequence[Slowdowns]) -> str:
    """One line a block of a row, unrounded."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["study", "job", "jobs", "cores", "seed", "alone_samples_per_s", "samples_per_s", "slowdown"])
    for one in found:
        for row in one.rows:
            for seed in sorted(row.samples_per_s.keys() | row.alone_samples_per_s.keys()):
                values = (row.alone_samples_per_s.get(seed), row.samples_per_s.get(seed), row.by_seed.get(seed))
                numbers = ["" if value is None else repr(value) for value in values]
                writer.writerow([one.study, row.job, row.jobs, row.cores, seed, *numbers])
    return buffer.getvalue()


def _grid(one: Slowdowns) -> Grid:
    rows = [_texts(row) for row in one.rows]
    return Grid(
        headers=HEADERS,
        keys=tuple(() for _ in HEADERS),
        rows=tuple(tuple(GridCell(text, text) for text in texts) for texts in rows),
        numeric=tuple(name not in ("job", "cores") for name in HEADERS),
    )


def _texts(row: Slowdown) -> tuple[str, ...]:
    return (
        row.job,
        str(row.jobs),
        row.cores,
        str(row.ratio.n if row.ratio else 0),
        _mean(row.alone_samples_per_s.values()),
        _mean(row.samples_per_s.values()),
        _ratio(row.ratio),
        _ratio(row.total),
        NONE if row.overlap is None else f"{100 * row.overlap:.1f} %",
    )


def _mean(values: Any) -> str:
    numbers = list(values)
    return f"{sum(numbers) / len(numbers):.4g}" if numbers else NONE


def _ratio(ratio: PairedRatio | None) -> str:
    if ratio is None:
        return NONE
    if ratio.low is None or ratio.high is None:
        return f"{ratio.ratio:.3f}"
    return f"{ratio.ratio:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]"


def _remarks(one: Slowdowns) -> list[str]:
    notes = [note for row in one.rows for note in row.notes]
    single = [row.name for row in one.rows if row.ratio is not None and row.ratio.n == 1]
    if single:
        notes.append(f"one block only, so no interval: {', '.join(single)}; add seeds to the study")
    ended = [f"did not complete: {label}: {reason}" for label, reason in one.failed]
    return [*MEANINGS, *notes, *ended]


def _plain_values(row: Slowdown) -> dict[str, Any]:
    total = row.total
    return {
        "job": row.job,
        "framework": row.key.framework,
        "version": row.key.version,
        "workload": row.key.workload,
        "setting": row.key.setting,
        "profile": row.key.profile,
        "varied": dict(row.key.varied),
        "jobs": row.jobs,
        "cores": row.cores,
        "slowdown": _interval(row.ratio),
        "together": _interval(total),
        "blocks": [
            {
                "seed": seed,
                "alone_samples_per_s": row.alone_samples_per_s.get(seed),
                "samples_per_s": row.samples_per_s.get(seed),
                "slowdown": row.by_seed.get(seed),
            }
            for seed in sorted(row.samples_per_s.keys() | row.alone_samples_per_s.keys())
        ],
        "smallest_overlap_fraction": row.overlap,
        "trials": [one.id for one in row.trials],
        "alone_trials": [one.id for one in row.alone_trials],
        "disturbed_trials": row.disturbed,
        "notes": list(row.notes),
    }


def _interval(ratio: PairedRatio | None) -> dict[str, Any] | None:
    return None if ratio is None else {"value": ratio.ratio, "low_95": ratio.low, "high_95": ratio.high, "n": ratio.n}
