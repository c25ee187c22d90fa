"""Relations: what a claim says of its cells, as it stands in a file.

Every relation becomes comparisons of two cells (or means of one), each with a region that the claim says its value is
in (`harness.analysis.claims.parts`). In words:

| kind | holds where |
|---|---|
| `order` | each cell is above the one before it in the list (`falling`: below) |
| `ratio` | the ratio of two cells is in a region |
| `difference` | the difference of two cells, in the outcome's unit, is in a region |
| `equal` | every two cells differ by less than a tolerance (two one-sided tests) |
| `different` | some two cells differ by more than a tolerance: `equal` does not hold |
| `trend` | over the levels of a factor each cell is above the one before (`falling`: below), but for a tolerance |
| `best_of` | one cell is better than every other |
| `beaten` | some other cell is better than this one: `best_of` does not hold |
| `threshold` | the mean of every cell is in a region |
| `none_best_in_all` | for every cell there is another that is better in one of the outcomes |
| `untestable` | nothing: why it cannot be said of records |
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from harness.fields import FileModel, NonNegativeNumber, Number, PositiveNumber

CellNames = Annotated[tuple[str, ...], Field(min_length=2)]
Direction = Literal["rising", "falling"]
Scale = Literal["ratio", "difference"]


class Region(FileModel):
    """Where a value should be: `at_least`, `at_most` or both; or `value` with a tolerance on both sides."""

    at_least: Number | None = None
    at_most: Number | None = None
    value: Number | None = None
    tolerance: NonNegativeNumber | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        bounded = self.at_least is not None or self.at_most is not None
        if bounded == (self.value is not None):
            raise ValueError("should have `at_least` or `at_most` (or both), or `value` with a `tolerance`")
        if (self.value is not None) != (self.tolerance is not None):
            raise ValueError("should have `value` and `tolerance` together, or neither of them")
        if self.at_least is not None and self.at_most is not None and self.at_least >= self.at_most:
            raise ValueError(f"should have `at_least` below `at_most`, not {self.at_least:g} and {self.at_most:g}")
        return self

    def bounds(self) -> tuple[float, float]:
        """Lower and upper bound, infinite where there is none; of a `value` that much below and above."""
        if self.value is not None and self.tolerance is not None:
            return self.value - self.tolerance, self.value + self.tolerance
        return (
            -math.inf if self.at_least is None else self.at_least,
            math.inf if self.at_most is None else self.at_most,
        )


class Order(FileModel):
    """The cells, in this order, rise (or fall); every adjacent pair is decided.

    Attributes:
        scale: pairs as ratios or as differences; None: differences of percentages, ratios of all else.
    """

    kind: Literal["order"]
    cells: CellNames
    direction: Direction = "rising"
    scale: Scale | None = None


class Ratio(Region):
    """`of` divided by `to` is in a region; with `value` the tolerance is a share of it, the same factor up and down."""

    kind: Literal["ratio"]
    of: str
    to: str

    @model_validator(mode="after")
    def _positive(self) -> Self:
        named = {"at_least": self.at_least, "at_most": self.at_most, "value": self.value}
        for key, bound in named.items():
            if bound is not None and bound <= 0:
                raise ValueError(f"should have {key} above 0, as every ratio is, not {bound:g}")
        return self

    def bounds(self) -> tuple[float, float]:
        """As a ratio: `value ÷ (1 + tolerance)` to `value × (1 + tolerance)`."""
        if self.value is not None and self.tolerance is not None:
            return self.value / (1 + self.tolerance), self.value * (1 + self.tolerance)
        low, high = super().bounds()
        return max(low, 0.0), high


class Difference(Region):
    """`of` less `less` is in a region, in the outcome's unit (percentage points for an accuracy)."""

    kind: Literal["difference"]
    of: str
    less: str


class _Alike(FileModel):
    """A tolerance of two cells: in the outcome's unit, or as a share (`relative_tolerance`)."""

    cells: CellNames | None = None
    tolerance: PositiveNumber | None = None
    relative_tolerance: PositiveNumber | None = None

    @model_validator(mode="after")
    def _one_tolerance(self) -> Self:
        if (self.tolerance is None) == (self.relative_tolerance is None):
            raise ValueError("should have either `tolerance` or `relative_tolerance`")
        return self


class Equal(_Alike):
    """Every two cells (all of the claim, or those listed) are within the tolerance of each other."""

    kind: Literal["equal"]


class Different(_Alike):
    """Some two cells are further apart than the tolerance."""

    kind: Literal["different"]


class Trend(FileModel):
    """The outcome rises (or falls) over the levels of a claim.

    Attributes:
        tolerance: share by which a step from one level to the next may go the other way; the whole, from the first
            level to the last, may not.
    """

    kind: Literal["trend"]
    direction: Direction
    scale: Scale | None = None
    tolerance: NonNegativeNumber = 0.0


class _Best(FileModel):
    """`cell` against every other one of the claim.

    Attributes:
        better: `higher` or `lower`; None: as the outcome's own description says.
        tolerance: how much better another may be, in the outcome's unit (a share on the scale `ratio`).
    """

    cell: str
    better: Literal["higher", "lower"] | None = None
    scale: Scale | None = None
    tolerance: NonNegativeNumber = 0.0


class BestOf(_Best):
    """`cell` is better than every other one."""

    kind: Literal["best_of"]


class Beaten(_Best):
    """Some other cell is better than `cell`."""

    kind: Literal["beaten"]


class Threshold(Region):
    """The mean of every cell is in a region, in the outcome's unit; `slack` widens it on both sides."""

    kind: Literal["threshold"]
    slack: NonNegativeNumber = 0.0


class NoneBestInAll(FileModel):
    """No cell is the best in all of the outcomes; which way is better is each outcome's own."""

    kind: Literal["none_best_in_all"]
    outcomes: Annotated[tuple[str, ...], Field(min_length=2)]


class Untestable(FileModel):
    """A finding that no relation of records expresses."""

    kind: Literal["untestable"]
    why: Annotated[str, Field(min_length=1)]


Relation = Annotated[
    Order | Ratio | Difference | Equal | Different | Trend | BestOf | Beaten | Threshold | NoneBestInAll | Untestable,
    Field(discriminator="kind"),
]
