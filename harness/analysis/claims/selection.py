"""Which records a claim is about: its cells, under one set of conditions, one record a block.

Records of other dataset content, another machine or another profile never stand side by side: each set of such
conditions under which every cell has records is a group of its own, and the claim is evaluated in each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.analysis.claims.cells import DATA, PROFILE, CellRecords, differences, is_null, text_of
from harness.analysis.claims.model import Cell, Claim
from harness.analysis.factors import FACTORS, IDENTITY_FACTORS
from harness.workloads.datasets.description import VARIANT_SIGN

if TYPE_CHECKING:
    import pandas as pd

    from harness.analysis.observations import Observations

CONDITIONS = (*DATA, "host", *PROFILE)
"""Columns in which all records of a group agree; those of the profile only where the claim is not about one of them."""

NOT_PART_OF_A_CELL = ("steps", "price_per_hour")
"""Factors that records of one cell may differ in by themselves: the length is held to the source's apart, the price
changes no measurement."""

WITH_VARIANTS = ("workload", "dataset")


@dataclass(frozen=True)
class Group:
    """The cells of a claim under one set of conditions.

    Attributes:
        conditions: column -> value.
        cells: in the order of the claim.
        problems: why its records make no cells that could be compared.
    """

    conditions: Mapping[str, Any]
    cells: tuple[CellRecords, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Selection:
    """What of the observations a claim is about.

    Attributes:
        groups: sets of conditions under which every cell has records, in the order of their values.
        cells: every cell of the claim, with all its records under whatever conditions.
        wanted: what every cell selects.
        incomplete: sets of conditions under which some cell has none.
        problems: what of the claim the observations do not have at all.
    """

    groups: tuple[Group, ...]
    cells: Mapping[str, pd.DataFrame]
    wanted: Mapping[str, Mapping[str, Any]]
    incomplete: tuple[Mapping[str, Any], ...]
    problems: tuple[str, ...] = ()


def select(claim: Claim, observations: Observations) -> Selection:
    """The records of a claim. Never an error: what is missing or mixed is said."""
    frame = observations.frame
    missing = [name for name in sorted(claim.selected_columns) if name not in frame.columns]
    if missing:
        said = tuple(f"no record varies {name!r}" for name in missing)
        return Selection((), {}, {}, (), said)
    cells = {name: (cell, frame[_mask(frame, cell.select)]) for name, cell in _cells(claim, frame).items()}
    found = {name: rows for name, (_, rows) in cells.items()}
    columns = [name for name in CONDITIONS if name in frame.columns and not _is_about(claim, name)]
    every = _distinct(found.values(), columns)
    complete, incomplete = [], []
    for conditions in every:
        within = {name: (cell, rows[_mask(rows, conditions, exact=True)]) for name, (cell, rows) in cells.items()}
        if claim.entry.levels is not None and claim.entry.levels.values is None:
            within = {name: one for name, one in within.items() if len(one[1])}  # the levels that were measured here
        if within and all(len(rows) for _, rows in within.values()):
            complete.append(_group(claim, conditions, within, observations))
        else:
            incomplete.append(conditions)
    wanted = {name: cell.select for name, (cell, _) in cells.items()}
    return Selection(tuple(complete), found, wanted, tuple(incomplete))


def _is_about(claim: Claim, column: str) -> bool:
    """Whether a claim's cells differ in a column, or in one that follows from it, by its own will."""
    chosen = claim.selected_columns
    return column in PROFILE and bool(chosen & set(PROFILE)) or column in chosen and column not in DATA


def _cells(claim: Claim, frame: pd.DataFrame) -> dict[str, Cell]:
    if claim.entry.cells is not None:
        return dict(claim.entry.cells)
    levels = claim.entry.levels
    if levels is None:
        return {}
    values: Iterable[Any] = levels.values or ()
    if levels.values is None:
        there = frame[_mask(frame, levels.select)][levels.of].dropna().unique().tolist()
        values = sorted(there, key=lambda value: (isinstance(value, str), value))
    return {
        text_of(value): Cell(select={**levels.select, levels.of: _plain(value)}, steps=levels.steps) for value in values
    }


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _mask(frame: pd.DataFrame, wanted: Mapping[str, Any], *, exact: bool = False) -> pd.Series:
    """Rows whose columns have the wanted values; a workload or dataset without a variant stands for its variants."""
    import pandas as pd

    mask = pd.Series(True, index=frame.index)
    for column, value in wanted.items():
        values = value if isinstance(value, tuple) else (value,)
        variants = column in WITH_VARIANTS and not exact
        own = frame[column]
        there = own.dropna().unique().tolist()
        meant = [found for found in there if any(_same(found, one, variants) for one in values)]
        mask &= own.isin(meant) | (own.isna() & any(is_null(one) for one in values))
    return mask


def _same(found: Any, wanted: Any, variants: bool) -> bool:
    if is_null(found) or is_null(wanted):
        return is_null(found) and is_null(wanted)
    if isinstance(found, int | float) and isinstance(wanted, int | float):
        return math.isclose(found, wanted, rel_tol=1e-9)
    if variants and VARIANT_SIGN not in str(wanted):
        return str(found).split(VARIANT_SIGN)[0] == str(wanted)
    return str(found) == str(wanted)


def _distinct(frames: Iterable[pd.DataFrame], columns: Sequence[str]) -> list[dict[str, Any]]:
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for frame in frames:
        for row in frame[list(columns)].drop_duplicates().to_dict("records"):
            found.setdefault(tuple(str(row[name]) for name in columns), {str(key): value for key, value in row.items()})
    return [found[key] for key in sorted(found)]


def _group(
    claim: Claim,
    conditions: Mapping[str, Any],
    cells: Mapping[str, tuple[Cell, pd.DataFrame]],
    observations: Observations,
) -> Group:
    chosen = _by_length(cells)
    problems: list[str] = []
    made = []
    for name, (cell, rows) in chosen.items():
        kept, left_out, said = _one_a_block(name, rows, _own_columns(cell, observations))
        problems += said
        every = {int(value) for value in cells[name][1]["steps"].dropna()}
        others = tuple(sorted(every - {int(value) for value in rows["steps"].dropna()}))
        made.append(CellRecords(name, cell, kept, left_out, others))
    if not problems:
        problems += differences(claim, made, observations)
    return Group(dict(conditions), tuple(made), tuple(problems))


def _by_length(cells: Mapping[str, tuple[Cell, pd.DataFrame]]) -> dict[str, tuple[Cell, pd.DataFrame]]:
    """Of each cell the records whose length is one share of the source's: the largest that all cells have.

    Where there is none that all have, of each cell the largest of its own.
    """
    shares = {
        name: {_share(steps, cell.steps): steps for steps in rows["steps"].dropna().unique().tolist()}
        for name, (cell, rows) in cells.items()
        if cell.steps is not None
    }
    common = set.intersection(*(set(one) for one in shares.values())) if shares else set()
    chosen = dict(cells)
    for name, own in shares.items():
        if own:
            cell, rows = cells[name]
            steps = own[max(common or own)]
            chosen[name] = (cell, rows[rows["steps"] == steps])
    return chosen


def _share(steps: float, of: int | None) -> float:
    """To three digits: 1/50 of an odd number of steps is not whole."""
    return float(f"{steps / of:.3g}") if of else 0.0


def _own_columns(cell: Cell, observations: Observations) -> list[str]:
    """Columns in which the records of one cell must agree."""
    skipped = set(NOT_PART_OF_A_CELL) - (set() if cell.steps is not None else {"steps"})
    names = dict.fromkeys((*IDENTITY_FACTORS, *FACTORS, *observations.varied))
    return [name for name in names if name in observations.frame.columns and name not in skipped]


def _one_a_block(
    name: str, rows: pd.DataFrame, columns: Sequence[str]
) -> tuple[pd.DataFrame, tuple[str, ...], list[str]]:
    """The latest record of each block, those left out, and why the records are no one cell."""
    problems = []
    for column in columns:
        values = list(dict.fromkeys("null" if is_null(value) else text_of(value) for value in rows[column].tolist()))
        if len(values) > 1:
            listed = ", ".join(sorted(values, key=lambda text: (len(text), text))[:6]) + (
                ", …" if len(values) > 6 else ""
            )
            problems.append(
                f"cell {name!r} mixes records that differ in {column} ({listed}): its select should tell which"
            )
    ordered = rows.sort_values(["block", "started_at", "trial"], kind="stable")
    if not problems:
        twice = ordered[ordered.duplicated(["study", "block"], keep=False)]
        if len(twice):
            problems.append(
                f"cell {name!r} mixes records of one study and block that differ in what no column shows: "
                f"trials {', '.join(map(str, twice['trial']))}"
            )
    kept = ordered.drop_duplicates("block", keep="last")
    left_out = (
        () if problems else tuple(str(trial) for trial in ordered.loc[ordered.index.difference(kept.index), "trial"])
    )
    return kept, left_out, problems
