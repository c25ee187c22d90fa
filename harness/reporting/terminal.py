"""A comparison on a terminal: as wide a table as fits, narrower forms where it does not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.analysis import Comparison
from harness.analysis.inference import Judgement
from harness.reporting import remarks
from harness.reporting.grid import Grid, GridCell, comparison_grid
from harness.reporting.statistics_tables import TextTable, statistics_tables
from harness.reporting.text import judged, one_line, sections

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

PADDING = 3
"""Characters that rich puts between two columns of a table."""

EDGES = 2
"""Characters that rich puts at the two edges of a table."""

INDENT = 2
"""Characters before a line below the table."""


def terminal(
    comparison: Comparison,
    store: Path | str,
    width: int,
    judgement: Judgement | None = None,
    *,
    statistics: bool = False,
) -> Group:
    """Everything that `plain` says, as a rich renderable for a terminal of `width` columns."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    parts: list[Text | Padding | Table] = [
        Text(one_line(line), style="bold" if index == 0 else "")
        for index, line in enumerate(remarks.header_lines(comparison))
    ]
    parts += tables(comparison, width)
    known = judged(comparison, judgement)
    for one in statistics_tables(known) if statistics else ():
        parts += [Text(f"\n{one_line(one.title)}", style="bold"), _statistics(one)]
        parts += [Padding(Text(one_line(line)), (0, 0, 0, INDENT), expand=False) for line in one.notes]
    for title, lines in sections(comparison, store, width - INDENT, known, statistics=statistics):
        style = "yellow" if title == "did not complete" else "bold"
        parts.append(Text(f"\n{title}" if parts else title, style=style))
        parts += [Padding(Text(one_line(line)), (0, 0, 0, INDENT), expand=False) for line in lines]
    return Group(*parts)


def _statistics(table: TextTable) -> Table:
    """A table of the inference; its texts are folded where the terminal is too narrow for them, never cut."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for header, right in zip(table.headers, table.numeric, strict=True):
        made.add_column(header, justify="right" if right else "left", overflow="fold")
    for row in table.rows:
        made.add_row(*(Text(one_line(text)) for text in row))
    return made


def tables(comparison: Comparison, width: int) -> list[Table]:
    """The table in the widest form that fits: one line a row, two lines a row, or cells side by side as columns."""
    grid = comparison_grid(comparison)
    if not grid.rows:
        return []
    if _needed(grid, wrapped=False) <= width:
        return [_by_row(grid, wrapped=False)]
    if _needed(grid, wrapped=True) <= width:
        return [_by_row(grid, wrapped=True)]
    return _by_column(comparison_grid(comparison, joined=False), width)


def _needed(grid: Grid, *, wrapped: bool) -> int:
    return EDGES + sum(_width(grid, index, wrapped) for index in range(len(grid.headers)))


def _width(grid: Grid, index: int, wrapped: bool) -> int:
    texts = [row[index] for row in grid.rows]
    header = grid.headers[index]
    if not wrapped:
        return max(len(header), *(len(cell.text) for cell in texts)) + PADDING
    return max(*(len(word) for word in header.split()), *(max(len(c.mean), len(c.spread)) for c in texts)) + PADDING


def _by_row(grid: Grid, *, wrapped: bool) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_lines=False, pad_edge=False, leading=1 if wrapped else 0)
    for index, (header, right) in enumerate(zip(grid.headers, grid.numeric, strict=True)):
        table.add_column(
            header,
            justify="right" if right else "left",
            no_wrap=not wrapped,
            overflow="fold",
            min_width=_width(grid, index, wrapped) - PADDING,
        )
    for row in grid.rows:
        table.add_row(*(_rich_text(cell, wrapped) for cell in row))
    return table


def _by_column(grid: Grid, width: int) -> list[Table]:
    """Quantities as rows, cells as columns; as many cells to a table as fit, on two lines each where that helps."""
    chunks = _chunks(grid, width, wrapped=False)
    in_two_lines = _chunks(grid, width, wrapped=True)
    wrapped = len(in_two_lines) < len(chunks)
    return [_transposed(grid, chunk, wrapped) for chunk in (in_two_lines if wrapped else chunks)]


def _chunks(grid: Grid, width: int, *, wrapped: bool) -> list[list[int]]:
    """Numbers of the rows of the grid that stand side by side in one table."""
    names = EDGES + max(len(header) for header in grid.headers) + PADDING
    chunks: list[list[int]] = [[]]
    used = names
    for index, row in enumerate(grid.rows):
        needed = PADDING + max(max(len(c.mean), len(c.spread)) if wrapped else len(c.text) for c in row)
        if chunks[-1] and used + needed > width:
            chunks.append([])
            used = names
        chunks[-1].append(index)
        used += needed
    return chunks


def _transposed(grid: Grid, chosen: list[int], wrapped: bool) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(grid.headers[0], no_wrap=True)
    for index in chosen:
        table.add_column(Text(one_line(grid.rows[index][0].text)), justify="right", overflow="fold")
    for position in range(1, len(grid.headers)):
        table.add_row(grid.headers[position], *(_rich_text(grid.rows[i][position], wrapped) for i in chosen))
    return table


def _rich_text(cell: GridCell, wrapped: bool) -> Text:
    from rich.text import Text

    if not wrapped or not cell.spread:
        return Text(one_line(cell.mean if wrapped else cell.text))
    return Text.assemble(one_line(cell.mean), "\n", (one_line(cell.spread), "dim"))
