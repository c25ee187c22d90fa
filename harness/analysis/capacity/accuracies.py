"""Steps and training time to an accuracy: of every cell that reached it, with the error of the seeds left out.

A cell is one batch size, profile and setting. Steps are those of its trials; time is steps x batch size / samples/s of
the throughput model. Cost is the time at a price, so its relative error is that of the time. Held out is one seed at a
time: the steps are then those of the other seeds, and the curve of samples/s is fitted without that seed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.analysis.capacity import rows as table
from harness.analysis.capacity.heldout import HeldOut, LeftOutCell
from harness.analysis.capacity.lengths import SETTINGS, Reached, reached, steps_interval
from harness.analysis.capacity.models import CapacityModels, NoModel
from harness.analysis.capacity.prediction import CONFIDENCE, Prediction, inverse, product, share
from harness.analysis.capacity.regression import CannotFit
from harness.analysis.capacity.throughput import ThroughputModel, fit_curve
from harness.records.cost import check_threshold

if TYPE_CHECKING:
    import pandas as pd

CELL = ("batch_size", "profile", *SETTINGS)


@dataclass(frozen=True)
class AccuracyCell:
    """One cell that reached the accuracy in all its trials.

    Attributes:
        group: of its throughput model.
        levels: of `CELL`.
        steps: to the accuracy, of a new seed.
        seconds: of training to it.
        held_out: error of the seconds of each seed left out.
        records: its trials.
    """

    group: table.Group
    levels: dict[str, Any]
    steps: Prediction
    seconds: Prediction
    held_out: HeldOut
    records: tuple[str, ...]


def accuracy_cells(models: CapacityModels, top1_percent: float) -> tuple[list[AccuracyCell], list[NoModel]]:
    """All cells that reached an accuracy, and those of which not all trials did, with the reasons.

    Raises:
        DlgaugeError: the threshold is no accuracy in percent.
    """
    check_threshold(top1_percent)
    found: list[AccuracyCell] = []
    missing: list[NoModel] = []
    for model, rows in zip(models.throughput, models.throughput_rows, strict=True):
        keys = [key for key in CELL if key in rows.columns]
        for name, members in rows.groupby(keys, dropna=False, sort=True):
            levels = dict(zip(keys, name if isinstance(name, tuple) else (name,), strict=True))
            told = [reached(t, p, top1_percent) for t, p in zip(members["trial"], members["path"], strict=True)]
            if lacking := [one for one in told if one.why]:
                words = ", ".join(f"{key} {value}" for key, value in levels.items() if value == value)
                why = f"{words}: {len(lacking)} of {len(told)} trials did not: {lacking[0].why}"
                records = tuple(one.trial for one in lacking)
                missing.append(NoModel(f"seconds_to:{top1_percent:g}", model.group, why, records))
                continue
            found.append(_cell(model, rows, members, levels, told, top1_percent))
    return found, missing


def _cell(
    model: ThroughputModel,
    rows: pd.DataFrame,
    members: pd.DataFrame,
    levels: dict[str, Any],
    told: list[Reached],
    top1_percent: float,
) -> AccuracyCell:
    records = tuple(one.trial for one in told)
    batch, workers = float(members["batch_size"].iloc[0]), float(members["workers"].iloc[0])
    each = share(CONFIDENCE, 2)
    step_s = inverse("step_s", "s", model.predict(batch, workers, each), batch)
    name = f"{top1_percent:g}"
    return AccuracyCell(
        group=model.group,
        levels=levels,
        steps=steps_interval(f"steps_to:{name}", told),
        seconds=product(f"seconds_to:{name}", "s", [steps_interval(f"steps_to:{name}", told, each), step_s]),
        held_out=_held_out(rows, members, told),
        records=records,
    )


def _held_out(rows: pd.DataFrame, members: pd.DataFrame, told: list[Reached]) -> HeldOut:
    """Each seed left out: predicted by the steps of the other seeds and a curve fitted without it."""
    cells, impossible = [], []
    seeds = list(members["seed"])
    for position, one in enumerate(told):
        seed = seeds[position]
        others = [other.steps for other, its in zip(told, seeds, strict=True) if its != seed]
        if not others:
            impossible.append(f"seed {seed}: no other seed")
            continue
        if not math.isfinite(one.seconds):
            impossible.append(f"seed {seed}: its record does not tell the seconds")
            continue
        try:
            curve = fit_curve(rows[rows["seed"] != seed])
        except CannotFit as error:
            impossible.append(f"seed {seed}: {error}")
            continue
        rate = float(curve.values(members.iloc[[position]])[0])
        if not math.isfinite(rate):
            impossible.append(f"seed {seed}: the others do not tell samples/s")
            continue
        steps = math.exp(float(np.log(others).mean()))
        predicted = steps * float(members["batch_size"].iloc[position]) / rate
        levels = {"seed": int(seed)}
        cells.append(LeftOutCell(levels, 1, one.seconds, predicted, predicted / one.seconds - 1, False))
    return HeldOut(("seed",), tuple(cells), tuple(impossible))
