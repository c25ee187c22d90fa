"""A correlation as text: aligned for files and pipes, Markdown, LaTeX."""

from __future__ import annotations

from collections.abc import Iterable

from harness.analysis.correlation.analysis import Correlation
from harness.reporting.correlation_sentences import sentences
from harness.reporting.correlation_tables import Table, tables
from harness.reporting.text import latex_escaped, markdown_escaped, one_line, plain_table


def header_lines(found: Correlation) -> list[str]:
    """What it is of."""
    apart = f", {found.conditions}" if found.conditions else ""
    lines = [f"{found.study}{apart}: {found.trial_count} completed trials in {found.block_count} blocks (one a seed)"]
    levels = [f"{factor.name} ({_levels(factor.levels)})" for factor in found.factors]
    lines.append(f"factors: {'; '.join(levels) or 'none with more than one level'}")
    return lines


def plain(found: Correlation) -> str:
    """Headings, limits, sentences, tables."""
    parts = ["\n".join(one_line(line) for line in header_lines(found))]
    if found.problems:
        parts.append("limits:\n" + _lines(one.sentence for one in found.problems))
    for title, lines in sentences(found):
        parts.append(
            f"{title}:\n"
            + _lines(f"{one.text} [{', '.join(one.rows[:3])}{' …' if len(one.rows) > 3 else ''}]" for one in lines)
        )
    for table in tables(found):
        ids = _with_ids(table)
        parts.append(f"{table.title}\n{one_line(table.note)}\n\n{plain_table(ids.grid)}")
    return "\n\n".join(parts) + "\n"


def markdown(found: Correlation) -> str:
    """The same in GitHub's Markdown."""
    parts = ["  \n".join(markdown_escaped(line) for line in header_lines(found))]
    if found.problems:
        parts.append("**Limits**\n\n" + _listed(one.sentence for one in found.problems))
    for title, lines in sentences(found):
        parts.append(f"**{markdown_escaped(title)}**\n\n" + _listed(one.text for one in lines))
    for table in tables(found):
        grid = _with_ids(table).grid
        rule = ["---:" if right else "---" for right in grid.numeric]
        rows = [[markdown_escaped(text) for text in row] for row in (grid.headers, *grid.texts)]
        drawn = ["| " + " | ".join(row) + " |" for row in (rows[0], rule, *rows[1:])]
        parts.append(f"**{markdown_escaped(table.title)}** {markdown_escaped(table.note)}\n\n" + "\n".join(drawn))
    return "\n\n".join(parts) + "\n"


def latex(found: Correlation) -> str:
    r"""A `longtable` for each table (`\usepackage{booktabs,longtable}`), what limits the numbers below the last."""
    parts = [r"% needs \usepackage{booktabs,longtable}"]
    heading = " ".join(f"{line}." for line in header_lines(found))
    for table in tables(found):
        grid = table.grid
        alignment = "".join("r" if right else "l" for right in grid.numeric)
        rows = [" & ".join(latex_escaped(text) for text in row) + r" \\" for row in (grid.headers, *grid.texts)]
        parts += [
            r"{\footnotesize",
            rf"\begin{{longtable}}{{{alignment}}}",
            rf"\caption{{{latex_escaped(f'{table.title}. {heading} {table.note}')}}}\\",
            r"\toprule",
            rows[0],
            r"\midrule",
            r"\endhead",
            r"\bottomrule",
            r"\endfoot",
            *rows[1:],
            r"\end{longtable}",
            r"}",
        ]
    if found.problems:
        parts += [
            r"{\footnotesize\raggedright",
            *(rf"{latex_escaped(one.sentence)}\par" for one in found.problems),
            r"}",
        ]
    return "\n".join(parts) + "\n"


def _with_ids(table: Table) -> Table:
    rows = tuple((row_id, (row_id, *texts)) for row_id, texts in table.rows)
    return Table(table.name, table.title, table.note, ("row", *table.headers), rows, (False, *table.numeric))


def _levels(levels: tuple[object, ...]) -> str:
    shown = [f"{one:g}" if isinstance(one, float) else str(one) for one in levels]
    return ", ".join(shown) if len(shown) <= 8 else f"{len(shown)} from {shown[0]} to {shown[-1]}"


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(f"  {one_line(line)}" for line in lines)


def _listed(lines: Iterable[str]) -> str:
    return "\n".join(f"* {markdown_escaped(line)}" for line in lines)
