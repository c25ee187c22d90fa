"""`repeats` of a study: the number of blocks chosen from a pilot, in place of a list of seeds."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from harness.fields import FileModel, NonNegativeInt
from harness.units import parse_share

FEWEST_PILOT_BLOCKS = 2
"""Fewest blocks that have a spread."""
MOST_BLOCKS = 1000


def _share(value: Any) -> float:
    share = parse_share(value)
    if not 0 < share < 1:
        raise ValueError(f"should be more than 0 % and less than 100 %, not {value!r}")
    return share


class Repeats(FileModel):
    """How many blocks a study runs, as it stands in its file.

    Attributes:
        resolve: the smallest difference to be told, as a share such as `3%`: the half width that the 95 % interval of
            each ratio of throughputs should have.
        pilot: blocks that are run to see how much the ratios vary.
        at_most: no more blocks than this, whatever the pilot says.
        first: the first block's seed; the others count up from it.
    """

    resolve: Annotated[float, BeforeValidator(_share)]
    pilot: Annotated[int, Field(strict=True, ge=FEWEST_PILOT_BLOCKS, le=MOST_BLOCKS)] = 3
    at_most: Annotated[int, Field(strict=True, ge=FEWEST_PILOT_BLOCKS, le=MOST_BLOCKS)] = 30
    first: NonNegativeInt = 1

    @model_validator(mode="after")
    def _pilot_within(self) -> Self:
        if self.pilot > self.at_most:
            raise ValueError(f"at_most {self.at_most} should not be smaller than pilot {self.pilot}")
        return self

    @property
    def words(self) -> str:
        """The share for people, such as `3 %`."""
        return f"{100 * self.resolve:g} %"

    def seeds(self, blocks: int) -> tuple[int, ...]:
        """The seeds of so many blocks, those of the pilot first."""
        return tuple(range(self.first, self.first + blocks))
