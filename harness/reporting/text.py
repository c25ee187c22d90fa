"""A comparison as text: aligned for files and pipes, Markdown, LaTeX."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.analysis import Comparison
from harness.analysis.inference import Judgement, Options, judge
from harness.reporting import remarks, verdicts
from harness.reporting.grid import Grid, comparison_grid
from harness.reporting.statistics_tables import TextTable, statistics_tables

LATEX_SPECIALS = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "÷": r"$\div$",
    "−": r"$-$",
    "·": r"$\cdot$",
}


def judged(comparison: Comparison, judgement: Judgement | None) -> Judgement:
    """The judgement at hand, or that of the outcome whose verdicts stand below a table."""
    return judgement or judge(comparison, Options(outcomes=(verdicts.main_outcome(comparison),), bootstrap=False))


def plain(
    comparison: Comparison, store: Path | str, judgement: Judgement | None = None, *, statistics: bool = False
) -> str:
    """Headings, the table with aligned columns, and everything a reader must know below it.

    Args:
        comparison: what to show.
        store: the folder of records, for the commands.
        judgement: what `judge` found; by default that of the training time.
        statistics: whether everything in it is shown, not the verdicts alone.
    """
    known = judged(comparison, judgement)
    parts = [_lines(remarks.header_lines(comparison)), plain_table(comparison_grid(comparison))]
    if statistics:
        parts += [_plain_statistics(one) for one in statistics_tables(known)]
    below = sections(comparison, store, judgement=known, statistics=statistics)
    parts += [f"{title}:\n{_lines(lines, '  ')}" for title, lines in below]
    return "\n\n".join(parts) + "\n"


def plain_table(grid: Grid) -> str:
    """The grid with columns as wide as their widest text; numbers to the right."""
    return aligned_table(grid.headers, grid.texts, grid.numeric)


def aligned_table(headers: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> str:
    """Columns as wide as their widest text; numbers to the right."""
    texts = [tuple(one_line(text) for text in row) for row in (headers, *rows)]
    widths = [max(len(row[i]) for row in texts) for i in range(len(headers))]
    lines = [
        "  ".join(_aligned(text, width, right) for text, width, right in zip(row, widths, numeric, strict=True))
        for row in texts
    ]
    rule = "  ".join("-" * width for width in widths)
    return "\n".join(line.rstrip() for line in (lines[0], rule, *lines[1:]))


def _plain_statistics(table: TextTable) -> str:
    notes = f"\n{_lines(table.notes, '  ')}" if table.notes else ""
    return f"{one_line(table.title)}\n{aligned_table(table.headers, table.rows, table.numeric)}{notes}"


def sections(
    comparison: Comparison,
    store: Path | str,
    width: int | None = None,
    judgement: Judgement | None = None,
    *,
    statistics: bool = False,
) -> Iterable[tuple[str, Sequence[str]]]:
    """Title and lines of what stands below a table; empty sections are left out. Commands are laid out for `width`."""
    known, outcome = judged(comparison, judgement), verdicts.main_outcome(comparison)
    decided = [*verdicts.verdict_lines(known, outcome), *_stable(known, outcome)]
    commands = [
        *verdicts.deciding_lines(known, comparison, store, outcome),
        *remarks.next_commands(comparison, store),
    ]
    everything: list[tuple[str, Sequence[str]]] = [
        ("notes", list(remarks.footnotes(comparison))),
        ("columns", [f"{title}: {meaning}" for title, meaning in remarks.definitions(comparison)]),
        ("by blocks", decided),
        (
            "Pareto fronts",
            [line for front in known.fronts for line in verdicts.front_lines(front)] if statistics else [],
        ),
        ("did not complete", remarks.excluded_lines(comparison)),
        ("not measured", remarks.not_measured(comparison)),
        ("stability", remarks.stability_lines(comparison)),
        ("next", remarks.command_lines(commands, width)),
    ]
    return [(title, lines) for title, lines in everything if lines]


def _stable(judgement: Judgement, outcome: str) -> list[str]:
    line = verdicts.stable_line(judgement, outcome)
    return [line] if line else []


def _below(comparison: Comparison, judgement: Judgement, statistics: bool) -> list[str]:
    """What stands below a table in Markdown and LaTeX."""
    outcome = verdicts.main_outcome(comparison)
    fronts = [line.strip() for front in judgement.fronts for line in verdicts.front_lines(front)] if statistics else []
    return [
        *remarks.footnotes(comparison),
        *verdicts.verdict_lines(judgement, outcome),
        *_stable(judgement, outcome),
        *fronts,
        *(f"did not complete: {one}" for one in remarks.excluded_lines(comparison)),
    ]


def markdown(comparison: Comparison, judgement: Judgement | None = None, *, statistics: bool = False) -> str:
    """A table in GitHub's Markdown with the notes below it; with `statistics` a table a family after it."""
    known, grid = judged(comparison, judgement), comparison_grid(comparison)
    above = [markdown_escaped(line) for line in remarks.header_lines(comparison)]
    listed = "\n".join(f"* {markdown_escaped(line)}" for line in _below(comparison, known, statistics))
    table = markdown_table(grid.headers, grid.texts, grid.numeric)
    parts = ["  \n".join(above), table, listed]
    for one in statistics_tables(known) if statistics else ():
        notes = "\n".join(f"* {markdown_escaped(line)}" for line in one.notes)
        parts += [markdown_escaped(one.title), markdown_table(one.headers, one.rows, one.numeric), notes]
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown_table(headers: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> str:
    """A table in GitHub's Markdown; every text is escaped."""
    rule = ["---:" if right else "---" for right in numeric]
    texts = [[markdown_escaped(text) for text in row] for row in (headers, *rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (texts[0], rule, *texts[1:]))


def markdown_escaped(text: str) -> str:
    """Text that Markdown shows as it is, also inside a table."""
    text = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for special in "\\`*_[]|":
        text = text.replace(special, f"\\{special}")
    return text


def latex(comparison: Comparison, judgement: Judgement | None = None, *, statistics: bool = False) -> str:
    r"""A `table` environment with booktabs rules (`\usepackage{booktabs}`), notes below it; every text is escaped.

    With `statistics` another one a family follows.
    """
    known, grid = judged(comparison, judgement), comparison_grid(comparison)
    caption = " ".join(f"{line}." for line in remarks.header_lines(comparison))
    floats = [_latex_float(caption, grid.headers, grid.texts, grid.numeric, _below(comparison, known, statistics))]
    for one in statistics_tables(known) if statistics else ():
        floats.append(_latex_float(f"{one.title}.", one.headers, one.rows, one.numeric, one.notes))
    return "\n".join((r"% needs \usepackage{booktabs}", *floats)) + "\n"


def _latex_float(
    caption: str,
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    numeric: Sequence[bool],
    below: Sequence[str],
) -> str:
    alignment = "".join("r" if right else "l" for right in numeric)
    texts = [" & ".join(latex_escaped(text) for text in row) + r" \\" for row in (headers, *rows)]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{latex_escaped(caption)}}}",
        rf"\begin{{tabular}}{{{alignment}}}",
        r"\toprule",
        texts[0],
        r"\midrule",
        *texts[1:],
        r"\bottomrule",
        r"\end{tabular}",
        r"",
        r"\medskip",
        r"{\footnotesize\raggedright",
        *(rf"{latex_escaped(line)}\par" for line in below),
        r"}",
        r"\end{table}",
    ]
    return "\n".join(lines)


def latex_escaped(text: str) -> str:
    """Text that LaTeX typesets as it is."""
    return "".join(LATEX_SPECIALS.get(character, character) for character in one_line(text))


def one_line(text: str) -> str:
    """Text without line breaks and control characters, so that one cell stays one cell."""
    return "".join(character if character.isprintable() else " " for character in text)


def _lines(lines: Sequence[str], indent: str = "") -> str:
    return "\n".join(indent + one_line(line) for line in lines)


def _aligned(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)
