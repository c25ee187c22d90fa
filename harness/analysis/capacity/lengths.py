"""How long a job is: training steps, given or to an accuracy, and the start-up before them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.capacity import rows as table
from harness.analysis.capacity.prediction import CONFIDENCE, Basis, Prediction, refused

if TYPE_CHECKING:
    import pandas as pd

START_UP = ("import_time_s", "prepare_time_s", "build_time_s", "warm_up_time_s")
"""Phases before training; `warm_up_time_s` is null without warm-up steps and counts nothing then."""

SETTINGS = ("setting", "policy", "learning_rate", "momentum", "weight_decay", "steps")
"""What must be one value before steps to an accuracy are one quantity; `steps` since many policies stretch over
them."""


def given_steps(steps: float) -> Prediction:
    """A number of steps that is known."""
    return Prediction("steps", "1", float(steps), float(steps), float(steps), CONFIDENCE, Basis.MEASURED)


def log_t_interval(
    quantity: str,
    unit: str,
    values: Sequence[float],
    confidence: float,
    records: Sequence[str],
    resolution: float = 0.0,
) -> Prediction:
    """A new value of a positive quantity, from values of the same cell: t prediction interval of the logarithms.

    `mean ± t s sqrt(1 + 1 / n)` with n - 1 degrees of freedom; of one value there is no interval.

    Args:
        resolution: distance of the values that can be told apart, in their unit. Its variance `resolution² / 12` (that
            of a uniform distribution) is added, so that values that agree to one such step are not taken for exact.
    """
    logs = np.log(np.asarray(values, dtype=float))
    n, mean = len(logs), float(logs.mean())
    estimate = math.exp(mean)
    if n < 2:
        reason = f"no interval: {quantity} is known from one trial"
        return Prediction(quantity, unit, estimate, None, None, confidence, Basis.MEASURED, (reason,), tuple(records))
    from scipy.stats import t

    variance = float(logs.var(ddof=1)) + (resolution / estimate) ** 2 / 12
    half = float(t.ppf((1 + confidence) / 2, n - 1)) * math.sqrt(variance * (1 + 1 / n))
    ends = (math.exp(mean - half), math.exp(mean + half))
    return Prediction(quantity, unit, estimate, *ends, confidence, Basis.MEASURED, (), tuple(records))


def start_up(rows: pd.DataFrame, workers: float, confidence: float = CONFIDENCE) -> Prediction:
    """Seconds from the start of the worker to its first step of training, from the trials with so many workers, else
    of all.

    Args:
        rows: of one throughput model.
    """
    import pandas as pd

    phases = pd.DataFrame({key: rows[key] for key in START_UP if key in rows.columns})
    needed = [key for key in START_UP if key != "warm_up_time_s"]
    if any(key not in phases.columns for key in needed):
        return refused("start_up_s", "s", ["the records do not hold the phases before training"])
    known = phases[needed].notna().all(axis=1)
    same = known & (rows["workers"] == workers)
    chosen = same if int(same.sum()) >= 2 else known
    if not chosen.any():
        return refused("start_up_s", "s", ["no trial has all phases before training"])
    values = phases[chosen].fillna(0.0).sum(axis=1)
    return log_t_interval("start_up_s", "s", list(values), confidence, table.records_of(rows[chosen]))


def steps_to_accuracy(
    rows: pd.DataFrame,
    top1_percent: float,
    batch_size: int,
    setting: dict[str, object],
    confidence: float = CONFIDENCE,
) -> Prediction:
    """Steps until the test accuracy first reaches a threshold, from the trials with this batch size and setting.

    It is measured, never modelled over batch sizes: how many steps an accuracy takes follows no law that records of
    other batch sizes could tell (Shallue et al., JMLR 20, 2019). Where a trial did not reach it, there is no answer
    but how many did.

    Args:
        rows: of one throughput model.
        setting: keys of `SETTINGS` that the job gives.
    """
    quantity = f"steps_to:{top1_percent:g}"
    found = rows[rows["batch_size"] == batch_size]
    if not len(found):
        told = ", ".join(f"{level:g}" for level in table.levels_of(rows, "batch_size"))
        why = f"steps to an accuracy are known of measured batch sizes alone: {told}, not {batch_size}"
        return refused(quantity, "1", [why])
    for key, value in setting.items():
        if key in found.columns:
            found = found[found[key].map(lambda one, wanted=value: _same(one, wanted))]
    if not len(found):
        asked = ", ".join(f"{key} {value}" for key, value in setting.items())
        return refused(quantity, "1", [f"no trial of batch size {batch_size} with {asked}"])
    several = {key: sorted({str(one) for one in found[key]}) for key in SETTINGS if key in found.columns}
    if ambiguous := [f"{key}: {', '.join(levels)}" for key, levels in several.items() if len(levels) > 1]:
        return refused(quantity, "1", [f"the trials differ in {'; '.join(ambiguous)}: say which in the job"])
    costs = [reached(trial, path, top1_percent) for trial, path in zip(found["trial"], found["path"], strict=True)]
    ids = [one.trial for one in costs]
    if missing := [f"{one.trial}: {one.why}" for one in costs if one.why]:
        told = f"{len(costs) - len(missing)} of {len(costs)} trials tell steps to {top1_percent:g} %"
        return refused(quantity, "1", [told, *missing], ids)
    return steps_interval(quantity, costs, confidence)


def steps_interval(quantity: str, costs: Sequence[Reached], confidence: float = CONFIDENCE) -> Prediction:
    """Steps of a new seed from those of trials that all reached the accuracy, no finer than they were evaluated."""
    ids = [one.trial for one in costs]
    every = max(one.every_steps for one in costs)
    return log_t_interval(quantity, "1", [one.steps for one in costs], confidence, ids, float(every))


@dataclass(frozen=True)
class Reached:
    """When one trial first reached an accuracy.

    Attributes:
        steps: NaN where it did not, or where its record does not tell.
        seconds: of training; NaN where not known.
        every_steps: distance of the evaluations: how finely the steps are known.
        why: why there are no steps; empty where there are.
    """

    trial: str
    steps: float
    seconds: float
    every_steps: int
    why: str


def reached(trial: object, path: object, top1_percent: float) -> Reached:
    """The cost to an accuracy of one record, by its folder."""
    from harness.errors import StoreError
    from harness.records import Record
    from harness.records.cost import cost_to_threshold

    try:
        record = Record.read(Path(str(path)))
        cost = cost_to_threshold(record, top1_percent)
    except StoreError as error:
        return Reached(str(trial), math.nan, math.nan, 0, error.what)
    setting = record.specification.get("setting")
    evaluation = setting.get("evaluation") if isinstance(setting, dict) else None
    every = evaluation.get("every_steps") if isinstance(evaluation, dict) else None
    steps = math.nan if cost.steps is None else float(cost.steps)
    seconds = math.nan if cost.seconds is None else float(cost.seconds)
    why = "" if cost.steps is not None else str(cost.reasons.get("steps"))
    return Reached(str(trial), steps, seconds, every if isinstance(every, int) else 0, why)


def _same(one: object, wanted: object) -> bool:
    if isinstance(one, int | float) and isinstance(wanted, int | float):
        return math.isclose(float(one), float(wanted), rel_tol=1e-9)
    return str(one) == str(wanted)
