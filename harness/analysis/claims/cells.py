"""The records of one cell, and what cells may differ in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.analysis.claims.model import Cell, Claim
from harness.analysis.factors import FACTORS, IDENTITY_FACTORS

if TYPE_CHECKING:
    import pandas as pd

    from harness.analysis.observations import Observations

DATA = ("dataset", "content_sha256")
PROFILE = ("profile", "cpus", "threads", "precision", "memory_bytes")
HYPER_PARAMETERS = ("batch_size", "learning_rate", "policy", "optimizer", "momentum", "weight_decay", "steps")
IMPLIED = {
    "framework": ("framework_version", "environment", "blas"),
    "framework_version": ("environment", "blas"),
    "environment": ("framework_version", "blas"),
    "workload": ("network", *DATA),
    "setting": HYPER_PARAMETERS,
    "optimizer": ("momentum", "weight_decay"),
    "policy": ("learning_rate",),
    "batch_size": ("steps",),
    **dict.fromkeys(PROFILE, PROFILE),
}
"""What follows from a column: cells that a claim tells apart by the one may differ in the others."""


@dataclass(frozen=True)
class CellRecords:
    """The records of one cell of a group.

    Attributes:
        name: of the cell.
        cell: what it selects.
        rows: one record a block, in the order of the blocks.
        left_out: records of the same cell and block that started earlier, in another study.
        other_lengths: numbers of training steps of records that were left for those of another length.
    """

    name: str
    cell: Cell
    rows: pd.DataFrame
    left_out: tuple[str, ...] = ()
    other_lengths: tuple[int, ...] = ()

    @property
    def steps(self) -> tuple[int, ...]:
        """Training steps of its records."""
        return tuple(sorted({int(value) for value in self.rows["steps"].dropna()}))

    @property
    def share(self) -> float | None:
        """Its training steps as a share of the source's; None where the source's are not given, or its own differ."""
        if self.cell.steps is None or len(self.steps) != 1:
            return None
        return self.steps[0] / self.cell.steps


def text_of(value: Any) -> str:
    """A level as text: a whole number without a point."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def is_null(value: Any) -> bool:
    """Whether a table has no value here."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def differences(claim: Claim, cells: Sequence[CellRecords], observations: Observations) -> list[str]:
    """Columns in which cells differ though the claim tells them apart by others."""
    about = {name for name in claim.selected_columns if _tells_apart(name, cells)}
    allowed = set(about) | {implied for name in about for implied in IMPLIED.get(name, ())} | {"price_per_hour"}
    if all(one.cell.steps is not None for one in cells):
        allowed.add("steps")
    problems = []
    for column in dict.fromkeys((*IDENTITY_FACTORS, *FACTORS, *observations.varied)):
        if column in allowed or column not in observations.frame.columns or _follows(column, about):
            continue
        by_value: dict[str, list[str]] = {}
        for one in cells:
            value = one.rows[column].iloc[0]
            by_value.setdefault("null" if is_null(value) else text_of(value), []).append(one.name)
        if len(by_value) > 1:
            listed = ", ".join(f"{value} in {' and '.join(names)}" for value, names in by_value.items())
            problems.append(f"the cells differ in {column}, by which the claim does not tell them apart: {listed}")
    return problems


def _tells_apart(column: str, cells: Sequence[CellRecords]) -> bool:
    """Whether cells select different values of a column, or some select one and others do not."""
    return len({str(one.cell.select.get(column, "-")) for one in cells}) > 1


def _follows(column: str, about: set[str]) -> bool:
    """Whether a column of what a study varies is part of a setting or policy that the claim tells cells apart by."""
    if column in IDENTITY_FACTORS or column in FACTORS:
        return False
    return "setting" in about or ("learning_rate" in column and bool(about & {"policy", "learning_rate"}))
