"""What it cost a trial to reach an accuracy for the first time: steps, seconds, CPU seconds, joules.

"#Iterations @ Accuracy Threshold" of LRBench (its notebook `lrbench-mnist-caffe.ipynb`, metric 8) is `steps`; the other
three are the same moment on other scales. The accuracy is that of the test images, as in LRBench; the moment is known
no finer than the setting's `evaluation.every_steps`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.errors import DlgaugeError
from harness.records.reading import integer, number

if TYPE_CHECKING:
    from harness.records.record import Record

ROUNDING_PERCENT = 1e-9
"""A fraction times 100 may miss its percentage by rounding: 0.57 * 100 is below 57. One image is far more than this."""

ENERGY_KEYS = {"package": "package_energy_joules", "gpu": "gpu_energy_joules"}


@dataclass(frozen=True)
class CostToThreshold:
    """Cost until the first evaluation of the test images that reached an accuracy.

    Attributes:
        top1_percent: the accuracy asked for.
        steps: finished training steps, warm-up included.
        seconds: training time: the `train` phases up to then. Evaluations, compilation and warm-up are not in it.
        cpu_seconds: CPU time of the job in those phases.
        joules: energy in those phases, of what `joules_of` names. The counters are the whole machine's.
        joules_of: `package` (RAPL), `gpu` (all GPUs of the trial), or both.
        reasons: name of a number that is None -> why.
    """

    top1_percent: float
    steps: int | None = None
    seconds: float | None = None
    cpu_seconds: float | None = None
    joules: float | None = None
    joules_of: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)


COSTS = ("steps", "seconds", "cpu_seconds", "joules")
"""The numbers of a `CostToThreshold`."""


def cost_to_threshold(record: Record, top1_percent: float) -> CostToThreshold:
    """Cost of a record's trial until its test accuracy first reached a threshold.

    Args:
        top1_percent: above 0, at most 100.

    Raises:
        DlgaugeError: the threshold is outside that range.
        StoreError: the record's table of evaluations cannot be read.
    """
    check_threshold(top1_percent)
    evaluations = record.table("evaluations").select(["step", "t_ns", "split", "top1"]).to_pylist()
    reached = _first_reached(evaluations, top1_percent)
    if isinstance(reached, str):
        return CostToThreshold(top1_percent, reasons=dict.fromkeys(COSTS, reached))
    step, t_ns = reached
    rows = [row for row in record.phases if row.get("phase") == "train" and row.get("end_ns", t_ns + 1) <= t_ns]
    if not rows:
        why = f"it was reached after {step} steps, before any train phase"
        return CostToThreshold(top1_percent, steps=step, reasons=dict.fromkeys(COSTS[1:], why))
    found: dict[str, Any] = {"steps": step, "seconds": sum(float(row["duration_s"]) for row in rows)}
    reasons: dict[str, str] = {}
    found["cpu_seconds"] = _sum(rows, "cpu_seconds", record.not_measured, reasons, "cpu_seconds")
    energy = {name: _sum(rows, key, record.not_measured, reasons, name) for name, key in ENERGY_KEYS.items()}
    told = {name: joules for name, joules in energy.items() if joules is not None}
    why = [reasons.pop(name) for name in ENERGY_KEYS if name in reasons]
    if told:
        found.update(joules=sum(told.values()), joules_of=tuple(told))
    else:
        reasons["joules"] = "; ".join(why)
    return CostToThreshold(top1_percent, **found, reasons=reasons)


def check_threshold(top1_percent: float) -> None:
    """Raise `DlgaugeError` for a threshold that is no accuracy in percent."""
    if not 0 < top1_percent <= 100:
        raise DlgaugeError(f"an accuracy threshold should be above 0 and at most 100 percent, not {top1_percent:g}")


def _first_reached(evaluations: Sequence[Mapping[str, Any]], top1_percent: float) -> tuple[int, int] | str:
    """(step, time) of the first evaluation of the test images that reached it, or why there is none."""
    tested = [
        (step, t_ns, 100.0 * top1)
        for row in evaluations
        if row.get("split") in ("test", None)
        and (step := integer(row.get("step"))) is not None
        and (t_ns := integer(row.get("t_ns"))) is not None
        and (top1 := number(row.get("top1"))) is not None
    ]
    if not tested:
        return "no evaluation of the test images has a result"
    for step, t_ns, percent in tested:
        if percent >= top1_percent - ROUNDING_PERCENT:
            return step, t_ns
    step, _, highest = max(tested, key=lambda one: one[2])
    nearest = f"of {len(tested)} evaluations the best had {highest:g} % after {step} steps"
    return f"{top1_percent:g} % was not reached: {nearest}"


def _sum(
    rows: Sequence[Mapping[str, Any]], key: str, told: Mapping[str, str], reasons: dict[str, str], name: str
) -> float | None:
    """A quantity over phases; None, with the reason under `name`, where a phase has none."""
    values = [number(row.get(key)) for row in rows]
    missing = sum(value is None for value in values)
    if missing:
        why = told.get(f"phases.{key}", "the record does not say why")
        reasons[name] = f"{key} is missing in {missing} of {len(rows)} train phases: {why}"
        return None
    return float(sum(value for value in values if value is not None))
