"""Trials beside those of the matrix: the second arms of A/A pairs, and canaries.

A second arm is a trial of the matrix run once more in the same block: the true ratio of the two arms is 1, so what is
found in its place is what the study finds where there is nothing. Its specification has `arm: 2`. A canary is a fixed
small trial at the borders of a block, which tells whether the machine kept its speed. Its specification has `canary`,
with the block and the side. Trials of the matrix have neither key, so that their ids are those that they had before
there were such trials.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from harness.fields import FileModel, FrameworkName, NonNegativeInt, Slug

SECOND_ARM = 2
CANARY = "canary"

Side = Literal["before", "after"]
ROLE_KEYS = ("arm", "canary")
"""Keys of a specification that only trials beside the matrix have."""


CANARY_SEED = 1
"""Of every canary: they do the same work, to the last weight."""
CANARY_STEPS = 300
FEWEST_CANARY_STEPS = 20
MOST_CANARY_STEPS = 100_000


class CanaryFile(FileModel):
    """What a study says of its canaries.

    Attributes:
        around: `study`: one before the first and one after the last block; `block`: before and after every one.
        framework: None for the study's first.
        steps: of LeNet on the embedded subset of MNIST.
        profile: name of a profile that comes with the project.
    """

    around: Literal["block", "study"] = "study"
    framework: FrameworkName | None = None
    steps: Annotated[int, Field(strict=True, ge=FEWEST_CANARY_STEPS, le=MOST_CANARY_STEPS)] = CANARY_STEPS
    profile: Slug = "local"


class CanaryPlace(FileModel):
    """Where in a study a canary stands: on one side of the block of a seed."""

    block: NonNegativeInt
    when: Side


def is_canary(specification: Mapping[str, Any]) -> bool:
    """Whether a specification is a canary's."""
    return specification.get("canary") is not None


def is_second_arm(specification: Mapping[str, Any]) -> bool:
    """Whether a specification is that of the second arm of an A/A pair."""
    return specification.get("arm") is not None


def role_of(specification: Mapping[str, Any]) -> str | None:
    """What a trial is beside the matrix: `canary`, or `arm 2`; None for a trial of the matrix."""
    if is_canary(specification):
        return CANARY
    return f"arm {specification['arm']}" if is_second_arm(specification) else None
