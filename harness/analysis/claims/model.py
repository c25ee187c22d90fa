"""A claim: a finding as data, with its source, its cells, its relation, and what it may be carried over to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from harness.analysis.claims.relations import Relation
from harness.fields import FileModel, Number, PositiveInt, Slug

Text = Annotated[str, Field(min_length=1)]
Value = str | int | float | bool | None
Select = dict[str, Value | tuple[Value, ...]]
"""Column of the observations -> the value, or the values, that a record of the cell has there."""

Difference = Literal["hardware", "framework_version", "dataset_variant", "length"]
"""What may be otherwise than in the source: the machine; the version of a framework; a variant of the dataset
(`cifar10@jpeg75`); the number of training steps, in all cells by the same share."""

Device = Literal["cpu", "gpu"]


class Source(FileModel):
    """Where the finding stands, in words, and the table, figure or page of the paper where that is known."""

    place: Text
    table: str | None = None
    figure: str | None = None
    page: str | None = None

    @property
    def text(self) -> str:
        """One line."""
        parts = (("table", self.table), ("figure", self.figure), ("page", self.page))
        return "; ".join([self.place, *(f"{name} {value}" for name, value in parts if value)])


class Cell(FileModel):
    """Some records under one name.

    Attributes:
        select: which records.
        steps: training steps of the source; None where the claim is not about a run of one length.
        published: the value in the source, in the outcome's unit.
    """

    select: Annotated[Select, Field(min_length=1)]
    steps: PositiveInt | None = None
    published: Number | None = None


class Levels(FileModel):
    """One cell for every level of a factor that the records have.

    Attributes:
        of: the factor's column.
        select: which records.
        values: only these levels; None for all.
        steps: as of a cell.
    """

    of: Text
    select: Annotated[Select, Field(min_length=1)]
    values: Annotated[tuple[Value, ...], Field(min_length=2)] | None = None
    steps: PositiveInt | None = None


class Published(FileModel):
    """What the source measured on.

    Attributes:
        hardware: the machine in words.
        cpu_model: a part of the CPU's name by which a record's machine is known as the same kind; None: no machine is.
        device: what trained; no scope carries over to another. None: it makes no difference,
            or is not told.
        frameworks: framework -> its version; None where the source does not tell.
    """

    hardware: str | None = None
    cpu_model: str | None = None
    device: Device | None = None
    frameworks: dict[str, str | None] = {}


class Scope(FileModel):
    """What of the source's conditions may be otherwise; `because` says why the relation should hold even so."""

    transfers: tuple[Difference, ...] = ()
    because: str | None = None


class ClaimEntry(FileModel):
    """A claim as it stands in a file.

    Attributes:
        claim: its name.
        finding: what the source says, in own words.
        reading: how the finding became this relation, where that takes a choice.
        outcome: the summary key; of `none_best_in_all` and `untestable` none.
        published: in place of the file's, as a whole.
        study: name of a study that measures its cells.
    """

    claim: Slug
    finding: Text
    reading: str | None = None
    source: Source
    outcome: str | None = None
    cells: Annotated[dict[str, Cell], Field(min_length=1)] | None = None
    levels: Levels | None = None
    relation: Relation
    published: Published | None = None
    scope: Scope = Scope()
    study: str | None = None


class ClaimFile(FileModel):
    """A file of claims (docs/claims.md explains every key)."""

    claims: Slug
    paper: Text
    note: str | None = None
    published: Published = Published()
    findings: Annotated[tuple[ClaimEntry, ...], Field(min_length=1)]


@dataclass(frozen=True)
class Claim:
    """A claim that was read and held to everything that can be known without records.

    Attributes:
        file: name of its set of claims.
        paper: title and identifier.
        path, line: where it stands.
        entry: what it says.
        published: what the source measured on.
    """

    file: str
    paper: str
    path: Path
    line: int
    entry: ClaimEntry
    published: Published

    @property
    def name(self) -> str:
        """Unique among the claims that were read together."""
        return f"{self.file}/{self.entry.claim}"

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The summary keys that it is about."""
        relation = self.entry.relation
        if relation.kind == "none_best_in_all":
            return relation.outcomes
        return () if self.entry.outcome is None else (self.entry.outcome,)

    @property
    def selects(self) -> tuple[dict[str, Any], ...]:
        """The selections of its cells."""
        if self.entry.levels is not None:
            return (self.entry.levels.select,)
        return tuple(cell.select for cell in (self.entry.cells or {}).values())

    @property
    def selected_columns(self) -> frozenset[str]:
        """Columns by which its cells are told apart or chosen."""
        columns = {name for select in self.selects for name in select}
        return frozenset(columns | ({self.entry.levels.of} if self.entry.levels else set()))
