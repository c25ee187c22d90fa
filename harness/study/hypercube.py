"""A Latin hypercube over several keys: points that cover the range of every key evenly, in place of all combinations.

Each key's range is cut into as many parts of equal share as there are points, and each part holds one point; which
parts of two keys meet is drawn (McKay, Beckman and Conover, Technometrics 21(2), 1979). The points are those that
`scipy.stats.qmc.LatinHypercube` draws from the seed, so the same study has the same points everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WrapValidator
from pydantic_core.core_schema import ValidatorFunctionWrapHandler

from harness.fields import FileModel, NonNegativeInt
from harness.study.keys import NumberKind
from harness.study.ranges import Range, values_at

MOST_POINTS = 10_000


def _list_or_range(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """A list is held to the type; a mapping is a range, which is looked at where the key is known."""
    return value if isinstance(value, dict) else validate(value)


def _refuse_scalar(value: Any) -> Any:
    if not isinstance(value, list | tuple | dict):
        raise ValueError(f"should be a list, or a range such as {{from: 16, to: 1024, factor: 2}}, not {value!r}")
    return value


def _as_given(value: Any) -> Any:
    return value if isinstance(value, dict) else list(value)


Values = Annotated[
    tuple[Any, ...],
    Field(min_length=1),
    WrapValidator(_list_or_range),
    BeforeValidator(_refuse_scalar),
    PlainSerializer(_as_given),
]
"""The values of a varied key: a list, or a mapping that says a range."""


class LatinHypercube(FileModel):
    """A Latin hypercube as it stands in a study file.

    Attributes:
        points: how many.
        seed: that they are drawn from.
        keys: the values of each key, as in `vary`.
    """

    points: Annotated[int, Field(strict=True, ge=2, le=MOST_POINTS)]
    seed: NonNegativeInt = 1
    keys: Annotated[dict[str, Values], Field(min_length=1)]

    @property
    def words(self) -> str:
        """What it is, for people."""
        return f"{self.points} points of a Latin hypercube over {', '.join(self.keys)}, drawn from seed {self.seed}"


def unit_points(points: int, keys: int, seed: int) -> list[list[float]]:
    """Of each key, `points` shares in [0, 1), one in each part of length 1 / points."""
    from scipy.stats import qmc

    drawn = qmc.LatinHypercube(d=keys, seed=seed).random(points)
    return [[float(share) for share in column] for column in drawn.T]


def values_in(given: Sequence[Any] | Range, kind: NumberKind | None, shares: Sequence[float]) -> list[Any]:
    """The value of one key at each point; of a list, every value has an equal part.

    Raises:
        RangeError: a range that has no values for its key.
    """
    if isinstance(given, Range):
        return values_at(given, kind, shares)
    return [given[int(share * len(given))] for share in shares]
