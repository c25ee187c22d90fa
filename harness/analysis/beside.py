"""Trials beside those of a study's matrix: A/A pairs, and canaries (`harness.study.roles`).

A/A pairs: both arms of a pair are the same cell in the same block, so the true ratio of the second arm to the first is
1. Their paired ratio says what the study finds where there is nothing to find.

Canaries: the same small training at the borders of blocks. The ratio of the last to the first is how far the machine
drifted; how far two canaries that ran with nothing between them lie apart is how well a canary can tell it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.analysis.cells import CellKey, cell_key, group_into_cells, seed_of
from harness.analysis.statistics import PairedRatio, paired_ratio
from harness.study.roles import CANARY

if TYPE_CHECKING:
    from harness.records import Record

COMPLETED = "completed"
SPEED = "samples_per_s"
A_A_KEYS = ("training_time_s", "samples_per_s", "cpu_seconds", "peak_resident_bytes")
"""Quantities of which the arms are compared."""


@dataclass(frozen=True)
class ArmPair:
    """Both arms of one cell.

    Attributes:
        key: the cell.
        ratios: quantity -> second arm ÷ first arm, paired by block; without those that no block has of both arms.
        first, second: ids of the arms' trials, by block.
    """

    key: CellKey
    ratios: Mapping[str, PairedRatio]
    first: Mapping[int, str]
    second: Mapping[int, str]


@dataclass(frozen=True)
class CanaryRun:
    """One canary.

    Attributes:
        trial: its id.
        block: the block beside which it stands.
        side: `before` or `after` that block.
        samples_per_s: None where it did not complete.
        termination: how it ended.
    """

    trial: str
    block: int
    side: str
    samples_per_s: float | None
    termination: str

    @property
    def place(self) -> str:
        """Where it stands, such as `before block 1`."""
        return f"{self.side} block {self.block}"


@dataclass(frozen=True)
class Drift:
    """What the canaries of one kind say of the machine.

    Attributes:
        key: the cell that they are all of.
        steps: of each of them.
        runs: all canaries, in the order in which they ran.
    """

    key: CellKey
    steps: int
    runs: tuple[CanaryRun, ...]

    @property
    def completed(self) -> tuple[CanaryRun, ...]:
        """The canaries that have a speed."""
        return tuple(run for run in self.runs if run.samples_per_s is not None)

    @property
    def change(self) -> float | None:
        """Speed of the last ÷ speed of the first, less 1; None for fewer than two."""
        speeds = [run.samples_per_s for run in self.completed if run.samples_per_s]
        return speeds[-1] / speeds[0] - 1 if len(speeds) > 1 else None

    @property
    def apart(self) -> float | None:
        """The largest relative difference of two canaries that follow each other, after one block and before the next.

        None where there are none: canaries around the whole study have all of it between them.
        """
        pairs = [
            (first.samples_per_s, second.samples_per_s)
            for first, second in zip(self.runs, self.runs[1:], strict=False)
            if (first.side, second.side) == ("after", "before") and first.samples_per_s and second.samples_per_s
        ]
        return max((abs(second / first - 1) for first, second in pairs), default=None)


def a_a_pairs(records: Iterable[Record]) -> tuple[ArmPair, ...]:
    """The A/A pairs among the records of one study, in the order of their cells; completed trials only."""
    completed = [record for record in records if record.termination == COMPLETED]
    second_arms = [record for record in completed if record.role not in (None, CANARY)]
    if not second_arms:
        return ()
    first = group_into_cells(completed)
    second: dict[CellKey, list[Record]] = {}
    for record in sorted(second_arms, key=lambda record: record.started_at):
        second.setdefault(cell_key(record), []).append(record)
    ordered = [*(key for key in first if key in second), *(key for key in second if key not in first)]
    return tuple(_pair(key, first.get(key, []), second[key]) for key in ordered)


def _pair(key: CellKey, first: Sequence[Record], second: Sequence[Record]) -> ArmPair:
    ratios = {}
    for name in A_A_KEYS:
        found = paired_ratio(_by_block(second, name), _by_block(first, name))
        if found:
            ratios[name] = found
    return ArmPair(
        key=key,
        ratios=ratios,
        first={seed_of(record): record.id for record in first},
        second={seed_of(record): record.id for record in second},
    )


def _by_block(records: Iterable[Record], name: str) -> dict[int, float]:
    """The values of the blocks that have one; of two records of a block the later counts."""
    return {seed_of(record): value for record in records if (value := _number(record.summary.get(name))) is not None}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def drifts(records: Iterable[Record]) -> tuple[Drift, ...]:
    """What the canaries of one study say, one `Drift` for each kind and machine."""
    found: dict[CellKey, list[Record]] = {}
    canaries = [record for record in records if record.role == CANARY]
    for record in sorted(canaries, key=lambda record: record.started_at):
        found.setdefault(cell_key(record), []).append(record)
    return tuple(
        Drift(key, int((runs[0].specification.get("setting") or {}).get("steps", 0)), tuple(map(_run, runs)))
        for key, runs in found.items()
    )


def _run(record: Record) -> CanaryRun:
    place = record.specification["canary"]
    speed = _number(record.summary.get(SPEED)) if record.termination == COMPLETED else None
    return CanaryRun(record.id, int(place["block"]), str(place["when"]), speed, record.termination)
