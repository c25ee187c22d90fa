"""What need not be tried: trials larger than one of the same cell that ran out of memory."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.study.trial import canonical_json

LARGER = "larger than one that ran out of memory (trial {trial})"


@dataclass(frozen=True)
class _Size:
    """What decides how much memory a trial of a cell needs, and how much it gets."""

    batch_size: int
    evaluation_batch_size: int
    memory_bytes: float

    def exceeds(self, other: _Size) -> bool:
        """A larger batch, nothing else smaller, and no more memory: what did not fit there does not fit here."""
        return (
            self.batch_size > other.batch_size
            and self.evaluation_batch_size >= other.evaluation_batch_size
            and self.memory_bytes <= other.memory_bytes
        )


class OutOfMemoryTrials:
    """Remembers the trials that ran out of memory, by the part of their specification that all sizes share."""

    def __init__(self, known: Iterable[tuple[str, Mapping[str, Any]]] = ()) -> None:
        """Args: known: (trial id, specification) of earlier ones."""
        self._found: dict[str, list[tuple[str, _Size]]] = {}
        for trial, specification in known:
            self.add(trial, specification)

    def add(self, trial: str, specification: Mapping[str, Any]) -> None:
        """Note one more. A specification of an older version, which lacks a key, matches nothing and is left out."""
        try:
            key, size = _cell_and_size(specification)
        except (KeyError, TypeError):
            return
        self._found.setdefault(key, []).append((trial, size))

    def smaller_than(self, specification: Mapping[str, Any]) -> str | None:
        """The id of a smaller trial of the same cell that ran out of memory; None where there is none."""
        key, size = _cell_and_size(specification)
        return next((trial for trial, other in self._found.get(key, ()) if size.exceeds(other)), None)


def _cell_and_size(specification: Mapping[str, Any]) -> tuple[str, _Size]:
    """The specification without what may differ between the sizes of one cell, as text; and the size."""
    cell = copy.deepcopy(dict(specification))
    setting, profile = cell["setting"], cell["profile"]
    evaluation = setting["evaluation"]
    memory = profile.pop("memory_bytes")
    size = _Size(setting.pop("batch_size"), evaluation.pop("batch_size"), math.inf if memory is None else memory)
    for part, names in (
        (cell, ("seed", "time_limit_s", "arm")),
        (setting, ("steps", "warm_up_steps")),
        (evaluation, ("every_steps",)),
        (profile, ("name", "price_per_hour")),
    ):
        for name in names:
            part.pop(name, None)
    return canonical_json(cell), size
