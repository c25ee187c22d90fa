"""LaTeX tables for papers: booktabs rules, units, n and 95 % intervals, every text escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.analysis import Column
from harness.analysis.columns import column_for, cost_column
from harness.analysis.policies.criteria import Settings, parse_by
from harness.analysis.policies.database import PolicyDatabase
from harness.analysis.policies.grouping import group_rows, notes_on
from harness.analysis.policies.intervals import Interval
from harness.analysis.policies.ranking import rank
from harness.errors import DlgaugeError
from harness.records.summary_keys import SUMMARY_KEYS
from harness.reporting.paper.captions import facts_of
from harness.reporting.paper.measuring import mark_of_column, trials_of
from harness.reporting.paper.model import Mark, PaperFigure
from harness.reporting.paper.naming import group_names, panels_of_conditions
from harness.reporting.paper.quantities import quantity_axis, quantity_title
from harness.reporting.paper.source import Source
from harness.reporting.policies import mean_text, ranking_latex
from harness.reporting.text import latex_escaped

OUTCOMES = ("training_time_s", "test_time_s", "top1_percent", "samples_per_s", "cores_used_mean", "peak_memory_bytes")
MEANS = "Mean ± half width of the 95 % interval of the mean (Student's t over trials); a number alone is of one trial."
NOT_MEASURED = "n/a"
WIDE = 6
"""Columns from which on a table spans both columns of a page."""


def outcomes_table(source: Source) -> str:
    """The cells of a study as a table, one row each, with the quantities of `source.comparison.columns`."""
    cells = source.cells
    groups = group_names(cells)
    titles = panels_of_conditions(cells, source.comparison.conditions)
    marks = [
        [
            mark_of_column(
                source,
                cell,
                column,
                panel=titles[cell.conditions],
                series=cell.key.framework,
                x_name="cell",
                x_unit="",
                x=group,
            )
            for column in source.comparison.columns
        ]
        for cell, group in zip(cells, groups, strict=True)
    ]
    rows = []
    for cell, group, own in zip(cells, groups, marks, strict=True):
        rows.append(
            [
                cell.conditions,
                group,
                f"{cell.key.framework} {cell.key.version}",
                str(cell.n),
                *(value_text(mark, cell.n) for mark in own),
            ]
        )
    headers = ["conditions", "cell", "framework", "n", *(quantity_axis(column) for column in source.comparison.columns)]
    kept = [index for index, header in enumerate(headers) if _says_something(header, [row[index] for row in rows])]
    flat = [mark for own in marks for mark in own]
    memory = any(quantity_title(column).startswith("peak") for column in source.comparison.columns)
    return booktabs(
        [headers[index] for index in kept],
        [[row[index] for index in kept] for row in rows],
        left=sum(headers[index] in ("conditions", "cell", "framework") for index in kept),
        caption=" ".join([MEANS, *facts_of(source, flat, memory=memory)]),
        label=f"outcomes-{source.study}",
        trials=trials_of(flat),
    )


def _says_something(header: str, texts: Sequence[str]) -> bool:
    """Conditions and cells are named where there is more than one."""
    return header not in ("conditions", "cell") or len(set(texts)) > 1


def policies_table(source: Source) -> str:
    """The policies of a study in their order by test accuracy (`dlgauge lr rank`), one table a ranking.

    Raises:
        DlgaugeError: no trial completed or diverged.
    """
    rows = [row for row in PolicyDatabase(source.store).own_rows([source.study]) if row["trial"] in source.chosen]
    by, settings = parse_by("accuracy"), Settings(measure="final", threshold_percent=None, cost_unit="steps")
    groups = [*group_rows(rows), *group_rows(rows, pooled=True)]
    rankings = [found for group in groups if (found := rank(group, by, settings)).entries]
    if not rankings:
        raise DlgaugeError(f"no policy of {source.study} to rank: no trial completed or diverged")
    first, _, rest = ranking_latex(rankings, notes_on(groups, rows)).partition("\n")
    trials = sorted({trial for one in rankings for entry in one.entries for trial in entry.trials})
    return "\n".join([first, *_id_comments(trials), rest])


def marks_table(figure: PaperFigure, study: str) -> str:
    """The numbers of a figure as a table: rows by place and series, a column a quantity.

    Raises:
        DlgaugeError: a figure of curves, which has too many numbers for print.
    """
    if figure.dense:
        raise DlgaugeError(
            f"{figure.name} is a figure of curves, {len(figure.marks)} points: no table for print",
            hint=f"its numbers stand in the CSV file beside the picture: --output {figure.name}.pdf",
        )
    quantities = list(dict.fromkeys(mark.quantity for mark in figure.marks))
    rows: dict[tuple[str, str, str], dict[str, Mark]] = {}
    for mark in figure.marks:
        x = mark.x if isinstance(mark.x, str) else f"{mark.x:g}"
        rows.setdefault((mark.panel, x, mark.series), {})[mark.quantity] = mark
    first = figure.marks[0]
    x_header = first.x_name if not first.x_unit else f"{first.x_name} ({first.x_unit})"
    headers = ["panel", x_header, "series", "n", *(_header(figure, quantity) for quantity in quantities)]
    texts = []
    for (panel, x, series), own in rows.items():
        n = max(mark.n for mark in own.values())
        cells = [value_text(own[quantity], n) if quantity in own else "" for quantity in quantities]
        texts.append([panel, x, series, str(n), *cells])
    kept = [index for index, header in enumerate(headers) if header != "panel" or len({row[0] for row in texts}) > 1]
    return booktabs(
        [headers[index] for index in kept],
        [[row[index] for index in kept] for row in texts],
        left=len(kept) - 1 - len(quantities),
        caption=" ".join([f"{figure.title[0].upper()}{figure.title[1:]}.", MEANS, *figure.facts]),
        label=f"{figure.name}-{study}",
        trials=figure.trials,
    )


def value_text(mark: Mark, n: int) -> str:
    """`28.4 ± 1.2` in the shown unit; with `(2 of 3)` where fewer trials than the row's have the value."""
    if mark.value is None:
        return NOT_MEASURED
    column = _column(mark.quantity, mark.unit)
    half = None if mark.high_95 is None else (mark.high_95 - mark.value) / column.scale
    text = mean_text(Interval(mark.n, mark.value / column.scale, None, half), column.digits)
    return f"{text} ({mark.n} of {n})" if mark.n < n else text


def _column(key: str, unit: str) -> Column:
    if key in SUMMARY_KEYS or cost_column(key):
        return column_for(key)
    scale = 1024.0 * 1024.0 if unit == "bytes" else 1.0
    words = key.replace("phases.", "").replace("_", " ").replace(" bytes", "").replace(" seconds", "")
    return Column(key, words, unit, "", scale)


def _header(figure: PaperFigure, quantity: str) -> str:
    unit = next(mark.unit for mark in figure.marks if mark.quantity == quantity)
    return quantity_axis(_column(quantity, unit))


def _id_comments(trials: Sequence[str]) -> list[str]:
    return [f"% trials: {' '.join(trials[start : start + 6])}" for start in range(0, len(trials), 6)]


def booktabs(
    headers: Sequence[str], rows: Sequence[Sequence[str]], *, left: int, caption: str, label: str, trials: Sequence[str]
) -> str:
    r"""A `table` environment, `table*` where it is wide, that needs `\usepackage{booktabs}`; every text is escaped.

    Args:
        headers: with units.
        rows: each as long as `headers`.
        left: columns from the left that hold text; the others hold numbers and are aligned right.
        caption: plain text.
        label: becomes `\label{tab:...}` of letters, digits and hyphens.
        trials: ids behind the numbers; they stand in comments.
    """
    environment = "table*" if len(headers) > WIDE else "table"
    alignment = "l" * left + "r" * (len(headers) - left)
    body = [" & ".join(latex_escaped(text) for text in row) + r" \\" for row in (headers, *rows)]
    plain_label = re.sub(r"[^A-Za-z0-9]+", "-", label).strip("-")
    lines = [
        r"% needs \usepackage{booktabs}",
        *_id_comments(trials),
        rf"\begin{{{environment}}}",
        r"\centering",
        rf"\caption{{{latex_escaped(caption)}}}",
        rf"\label{{tab:{plain_label}}}",
        rf"\begin{{tabular}}{{{alignment}}}",
        r"\toprule",
        body[0],
        r"\midrule",
        *body[1:],
        r"\bottomrule",
        r"\end{tabular}",
        rf"\end{{{environment}}}",
    ]
    return "\n".join(lines) + "\n"
