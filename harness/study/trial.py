"""A trial: one cell of the matrix with one seed, and its identity."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values have equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


class Trial(BaseModel):
    """One cell of a study's matrix with one seed; immutable.

    Attributes:
        study: the study's name.
        label: short text for people, such as `torch · caffe-mnist · batch_size=64 · seed 2`.
        specification: everything that decides the result, as plain JSON values (docs/architecture.md section 2).
        varied: the hyper-parameters that the study varies, with this trial's values.
        overrides: what the study sets in place of what the setting and the profile of those names say.
    """

    model_config = ConfigDict(frozen=True)

    study: str
    label: str
    specification: dict[str, Any]
    varied: dict[str, Any] = {}
    overrides: dict[str, Any] = {}

    @cached_property
    def id(self) -> str:
        """16 hex digits: SHA-256 of the canonical JSON of the specification."""
        return hashlib.sha256(canonical_json(self.specification).encode()).hexdigest()[:16]

    @property
    def framework(self) -> str:
        """Name of the framework under measurement."""
        return str(self.specification["framework"]["name"])


class UnsupportedCell(BaseModel):
    """A cell of the matrix that cannot run, with the reason."""

    model_config = ConfigDict(frozen=True)

    description: str
    what: str
    why: str


class LeftOutCell(BaseModel):
    """A cell of the matrix that the study leaves out.

    Attributes:
        description: the cell's label.
        reason: why, in the study's words.
        when: the condition that holds for it.
    """

    model_config = ConfigDict(frozen=True)

    description: str
    reason: str
    when: str


class Plan(BaseModel):
    """The study expanded.

    Attributes:
        trials: in the order they run.
        unsupported: cells that cannot run.
        left_out: cells that the study does not want to run.
        notes: remarks, such as trials that were merged.
    """

    model_config = ConfigDict(frozen=True)

    study: str
    trials: tuple[Trial, ...]
    unsupported: tuple[UnsupportedCell, ...] = ()
    left_out: tuple[LeftOutCell, ...] = ()
    notes: tuple[str, ...] = ()
