"""A titled table with lines under it, in every form that `dlgauge capacity` writes."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from harness.reporting.grid import Grid, GridCell
from harness.reporting.text import latex_escaped, markdown_escaped, one_line, plain_table


@dataclass(frozen=True)
class Sheet:
    """One table.

    Attributes:
        headers: one a column, with units.
        rows: texts, each as long as `headers`.
        numeric: whether a column holds numbers (aligned right).
        lines: sentences: those in `above` are the answer, those in `below` what it rests on.
    """

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()


def plain(sheets: Sequence[Sheet]) -> str:
    """Tables with aligned columns."""
    return "\n".join(_plain(sheet) for sheet in sheets)


def _plain(sheet: Sheet) -> str:
    parts = [sheet.title, *(f"  {one_line(line)}" for line in sheet.above)]
    if sheet.rows:
        grid = Grid(sheet.headers, ((),) * len(sheet.headers), _cells(sheet), sheet.numeric)
        parts += ["", plain_table(grid), ""] if sheet.below else ["", plain_table(grid)]
    parts += [f"  {one_line(line)}" for line in sheet.below]
    return "\n".join(parts) + "\n"


def _cells(sheet: Sheet) -> tuple[tuple[GridCell, ...], ...]:
    return tuple(tuple(GridCell(text, text) for text in row) for row in sheet.rows)


def markdown(sheets: Sequence[Sheet]) -> str:
    """Tables in GitHub's Markdown."""
    return "\n".join(_markdown(sheet) for sheet in sheets)


def _markdown(sheet: Sheet) -> str:
    lines = [f"**{markdown_escaped(sheet.title)}**", ""]
    lines += [f"* {markdown_escaped(line)}" for line in sheet.above]
    if sheet.rows:
        rule = ["---:" if right else "---" for right in sheet.numeric]
        rows = [[markdown_escaped(text) for text in row] for row in (sheet.headers, *sheet.rows)]
        lines += ["", *("| " + " | ".join(row) + " |" for row in (rows[0], rule, *rows[1:])), ""]
    lines += [f"* {markdown_escaped(line)}" for line in sheet.below]
    return "\n".join(lines).rstrip() + "\n"


def latex(sheets: Sequence[Sheet]) -> str:
    r"""`table` environments with booktabs rules (`\usepackage{booktabs}`); every text is escaped."""
    return "\n".join(["% needs \\usepackage{booktabs}", *(_latex(sheet) for sheet in sheets)])


def _latex(sheet: Sheet) -> str:
    alignment = "".join("r" if right else "l" for right in sheet.numeric)
    caption = ". ".join([sheet.title, *sheet.above])
    lines = [r"\begin{table}", r"\centering", rf"\caption{{{latex_escaped(caption)}}}"]
    if sheet.rows:
        rows = [" & ".join(latex_escaped(text) for text in row) + r" \\" for row in (sheet.headers, *sheet.rows)]
        lines += [rf"\begin{{tabular}}{{{alignment}}}", r"\toprule", rows[0], r"\midrule", *rows[1:]]
        lines += [r"\bottomrule", r"\end{tabular}"]
    if sheet.below:
        lines += ["", r"\medskip", r"{\footnotesize\raggedright"]
        lines += [*(rf"{latex_escaped(line)}\par" for line in sheet.below), "}"]
    return "\n".join([*lines, r"\end{table}", ""])


def comma_separated(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """CSV with unrounded values; None is empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(headers)
    writer.writerows([["" if value is None else value for value in row] for row in rows])
    return buffer.getvalue()
