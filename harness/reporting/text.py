"""A comparison as text: aligned for files and pipes, Markdown, LaTeX."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.analysis import Comparison
from harness.reporting import remarks
from harness.reporting.grid import Grid, comparison_grid

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


def plain(comparison: Comparison, store: Path | str) -> str:
    """Headings, the table with aligned columns, and everything a reader must know below it."""
    parts = [_lines(remarks.header_lines(comparison)), plain_table(comparison_grid(comparison))]
    parts += [f"{title}:\n{_lines(lines, '  ')}" for title, lines in sections(comparison, store)]
    return "\n\n".join(parts) + "\n"


def plain_table(grid: Grid) -> str:
    """The grid with columns as wide as their widest text; numbers to the right."""
    texts = [tuple(one_line(text) for text in row) for row in (grid.headers, *grid.texts)]
    widths = [max(len(row[i]) for row in texts) for i in range(len(grid.headers))]
    lines = [
        "  ".join(_aligned(text, width, right) for text, width, right in zip(row, widths, grid.numeric, strict=True))
        for row in texts
    ]  # noqa: E501
    rule = "  ".join("-" * width for width in widths)
    return "\n".join(line.rstrip() for line in (lines[0], rule, *lines[1:]))


def sections(
    comparison: Comparison, store: Path | str, width: int | None = None
) -> Iterable[tuple[str, Sequence[str]]]:
    """Title and lines of what stands below a table; empty sections are left out. Commands are laid out for `width`."""
    everything: list[tuple[str, Sequence[str]]] = [
        ("notes", list(remarks.footnotes(comparison))),
        ("columns", [f"{title}: {meaning}" for title, meaning in remarks.definitions(comparison)]),
        ("by paired seeds", remarks.ratio_sentences(comparison)),
        ("did not complete", remarks.excluded_lines(comparison)),
        ("not measured", remarks.not_measured(comparison)),
        ("stability", remarks.stability_lines(comparison)),
        ("next", remarks.command_lines(remarks.next_commands(comparison, store), width)),
    ]
    return [(title, lines) for title, lines in everything if lines]


def markdown(comparison: Comparison) -> str:
    """A table in GitHub's Markdown with the notes below it."""
    grid = comparison_grid(comparison)
    rule = ["---:" if right else "---" for right in grid.numeric]
    rows = [[markdown_escaped(text) for text in row] for row in (grid.headers, *grid.texts)]
    table = ["| " + " | ".join(row) + " |" for row in (rows[0], rule, *rows[1:])]
    above = [markdown_escaped(line) for line in remarks.header_lines(comparison)]
    below = [
        *remarks.footnotes(comparison),
        *(f"did not complete: {one}" for one in remarks.excluded_lines(comparison)),
    ]
    listed = "\n".join(f"* {markdown_escaped(line)}" for line in below)
    return "  \n".join(above) + "\n\n" + "\n".join(table) + "\n\n" + listed + "\n"


def markdown_escaped(text: str) -> str:
    """Text that Markdown shows as it is, also inside a table."""
    text = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for special in "\\`*_[]|":
        text = text.replace(special, f"\\{special}")
    return text


def latex(comparison: Comparison) -> str:
    r"""A `table` environment with booktabs rules (`\usepackage{booktabs}`), notes below it; every text is escaped."""
    grid = comparison_grid(comparison)
    alignment = "".join("r" if right else "l" for right in grid.numeric)
    rows = [" & ".join(latex_escaped(text) for text in row) + r" \\" for row in (grid.headers, *grid.texts)]
    caption = " ".join(f"{line}." for line in remarks.header_lines(comparison))
    below = [
        *remarks.footnotes(comparison),
        *(f"did not complete: {one}" for one in remarks.excluded_lines(comparison)),
    ]
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{latex_escaped(caption)}}}",
        rf"\begin{{tabular}}{{{alignment}}}",
        r"\toprule",
        rows[0],
        r"\midrule",
        *rows[1:],
        r"\bottomrule",
        r"\end{tabular}",
        r"",
        r"\medskip",
        r"{\footnotesize\raggedright",
        *(rf"{latex_escaped(line)}\par" for line in below),
        r"}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


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
