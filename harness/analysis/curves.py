"""Learning curves of a record: loss and accuracy against steps and against training time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from harness.records import Record

MAX_POINTS = 1000
"""Points kept of a curve; more cannot be told apart on a screen."""


@dataclass(frozen=True)
class Curve:
    """Values of one quantity while a trial trains; equal lengths.

    Attributes:
        steps: finished training steps.
        training_time_s: time spent in train phases until then.
        values: the quantity; None where it is not finite.
    """

    steps: tuple[int, ...]
    training_time_s: tuple[float, ...]
    values: tuple[float | None, ...]


def decimated_indices(length: int, most: int = MAX_POINTS) -> np.ndarray:
    """Indices of every k-th element of a sequence, and of its last, with k the smallest that gives at most `most`.

    Plain decimation: the kept points are as they were recorded, none is averaged.
    """
    if length <= most:
        return np.arange(length)
    stride = -(-(length - 1) // (most - 1))
    kept = np.arange(0, length, stride)
    return kept if kept[-1] == length - 1 else np.append(kept, length - 1)


class TrainingClock:
    """Converts moments to training time: the time spent in train phases until then.

    Args:
        phases: of the manifest: dicts with `phase`, `begin_ns`, `end_ns`.
    """

    def __init__(self, phases: Sequence[Mapping[str, Any]]) -> None:
        edges: list[tuple[int, int]] = [
            (int(phase["begin_ns"]), int(phase["end_ns"])) for phase in phases if phase.get("phase") == "train"
        ]
        edges.sort()
        self._origin_ns = edges[0][0] if edges else 0
        self._moments: list[float] = []
        self._elapsed: list[float] = []
        total = 0.0
        for begin, end in edges:
            self._moments += [(begin - self._origin_ns) / 1e9, (end - self._origin_ns) / 1e9]
            self._elapsed += [total, total + (end - begin) / 1e9]
            total += (end - begin) / 1e9

    def at(self, t_ns: Sequence[int]) -> np.ndarray:
        """Training time in seconds at each moment; 0 before the first train phase (warm up)."""
        if not self._moments:
            return np.zeros(len(t_ns))
        seconds = (np.asarray(t_ns, dtype=np.int64) - self._origin_ns) / 1e9
        return np.interp(seconds, self._moments, self._elapsed)


def loss_curve(record: Record, most: int = MAX_POINTS) -> Curve | None:
    """Loss of the mini batches; None where no step was recorded. At most `most` points."""
    steps = _columns(record, "steps", ("step", "t_end_ns", "loss"))
    if not steps or not steps["step"]:
        return None
    kept = decimated_indices(len(steps["step"]), most)
    time_s = _clock(record).at(steps["t_end_ns"])
    return Curve(
        tuple(int(steps["step"][i]) for i in kept),
        tuple(float(time_s[i]) for i in kept),
        tuple(_finite(steps["loss"][i]) for i in kept),
    )


def accuracy_curve(record: Record) -> Curve | None:
    """Top-1 accuracy on the test split in percent at each evaluation; None where there was no evaluation."""
    table = _columns(record, "evaluations", ("step", "t_ns", "split", "top1"))
    if not table:
        return None
    rows = [i for i, split in enumerate(table["split"]) if split in ("test", None)]
    if not rows:
        return None
    time_s = _clock(record).at([table["t_ns"][i] for i in rows])
    percents = (_finite(table["top1"][i]) for i in rows)
    return Curve(
        tuple(int(table["step"][i]) for i in rows),
        tuple(float(value) for value in time_s),
        tuple(None if value is None else 100 * value for value in percents),
    )


def mean_curve(curves: Sequence[Curve], window: int = 1) -> Curve | None:
    """Mean over curves (seeds) at the steps that all of them have, then over a centred window of `window` points.

    The training time of a point is the mean over the curves at that step. At the ends the window shrinks, so that a
    point is always the mean of points centred on it.
    """
    if not curves:
        return None
    shared = set(curves[0].steps).intersection(*(curve.steps for curve in curves[1:]))
    if not shared:
        return None
    steps = sorted(shared)
    rows = [
        dict(zip(curve.steps, zip(curve.training_time_s, curve.values, strict=True), strict=True)) for curve in curves
    ]
    time_s = np.mean([[row[step][0] for step in steps] for row in rows], axis=0)
    values = np.mean([[_or_nan(row[step][1]) for step in steps] for row in rows], axis=0)
    smooth = _centred_mean(values, window)
    return Curve(tuple(steps), tuple(float(t) for t in time_s), tuple(_finite(value) for value in smooth))


def _centred_mean(values: np.ndarray, window: int) -> np.ndarray:
    half = max(0, (window - 1) // 2)
    if half == 0:
        return values
    index = np.arange(len(values))
    reach = np.minimum(np.minimum(index, len(values) - 1 - index), half)
    known = np.isfinite(values)
    total = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    count = np.concatenate([[0], np.cumsum(known)])
    first, last = index - reach, index + reach + 1
    found = count[last] - count[first]
    # A point without a value stays without one: a mean of its neighbours would be invented.
    return np.where(known, (total[last] - total[first]) / np.maximum(found, 1), np.nan)


def _clock(record: Record) -> TrainingClock:
    return TrainingClock(record.manifest.get("phases") or [])


def _columns(record: Record, name: str, columns: Sequence[str]) -> dict[str, list[Any]] | None:
    table = record.table(name)
    if any(column not in table.column_names for column in columns):
        return None
    return {column: table.column(column).to_pylist() for column in columns}


def _finite(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    return number if np.isfinite(number) else None


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value
