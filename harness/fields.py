"""Types shared by the models of study, workload, setting and profile files.

Whole numbers and numbers are strict: `true` is not 1 and `"64"` is not 64, so that a slip in a file is an error.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from harness.units import parse_bytes, parse_seconds


class FileModel(BaseModel):
    """Base of everything that is read from a file: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


_SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")


def _check_slug(value: str) -> str:
    if not _SLUG.fullmatch(value):
        raise ValueError(f"should be of at most 80 lower-case letters, digits, '.', '_' and '-', not {value!r}")
    return value


Slug = Annotated[str, AfterValidator(_check_slug)]
"""A name that is safe as a file name: lower-case letters, digits, `.`, `_`, `-`."""

_FRAMEWORK_NAME = re.compile(rf"{_SLUG.pattern}(@[a-z0-9][a-z0-9._-]{{0,39}})?")


def _check_framework_name(value: str) -> str:
    if not _FRAMEWORK_NAME.fullmatch(value):
        raise ValueError(
            "should be of lower-case letters, digits, '.', '_' and '-', "
            f"the same framework in another environment as NAME@ENVIRONMENT, not {value!r}"
        )
    return value


FrameworkName = Annotated[str, AfterValidator(_check_framework_name)]
"""A framework's name: a slug, or two of them for the same framework in another environment (`torch@debian11`)."""

PositiveInt = Annotated[int, Field(strict=True, ge=1)]
NonNegativeInt = Annotated[int, Field(strict=True, ge=0)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
PositiveNumber = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
NonNegativeNumber = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

Bytes = Annotated[int, BeforeValidator(parse_bytes), Field(ge=1)]
"""An amount of memory: `4 GiB` or a number of bytes."""

Seconds = Annotated[float, BeforeValidator(parse_seconds), Field(gt=0)]
"""A duration: `30 min` or a number of seconds."""
