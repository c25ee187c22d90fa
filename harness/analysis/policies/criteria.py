"""What policies are ranked by: accuracy, cost, robustness, confidence, or a weighting of them.

Each criterion gives one value a trial, so that policies can be compared seed by seed:

* accuracy: top-1 of the test images in percent, of the last evaluation (`final`), the best one (`best`), or of the
  validation images at their last evaluation (`validation`);
* cost: steps, seconds of training, CPU seconds or joules until a threshold of accuracy was first reached;
* robustness: the mean over the base-rate scales 0.1, 0.5, 5 and 10 of the accuracy there divided by the accuracy at
  scale 1; a scale at which training diverged counts 0;
* confidence: AC, the mean confidence of the correct predictions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.analysis.policies.columns import COST_CURVE
from harness.analysis.policies.grouping import Group, Row, framework_of
from harness.analysis.policies.naming import scaled_policy
from harness.errors import DlgaugeError
from harness.records.cost import ROUNDING_PERCENT, check_threshold
from harness.study.trial import canonical_json
from harness.validation import nearest

NAMES = ("accuracy", "cost", "robustness", "confidence")
COST_UNITS = {"steps": "steps", "seconds": "s", "cpu_seconds": "CPU s", "joules": "J"}
MEASURES = {
    "final": "final_top1_percent",
    "best": "best_top1_percent",
    "validation": "final_validation_top1_percent",
}
SCALES = (0.1, 0.5, 1.0, 5.0, 10.0)
"""Factors on the base rate by which LRBench judges robustness (its notebook, metric 6)."""


class NotReached(str):
    """Why there is no cost: the trial never reached the threshold, which says something about its policy."""


@dataclass(frozen=True)
class Settings:
    """How the criteria are to be read.

    Attributes:
        measure: which accuracy, a key of `MEASURES`.
        threshold_percent: accuracy whose cost is asked for; None where none is given.
        cost_unit: a key of `COST_UNITS`.
    """

    measure: str = "final"
    threshold_percent: float | None = None
    cost_unit: str = "steps"

    def __post_init__(self) -> None:
        for what, value, known in (("measure", self.measure, MEASURES), ("cost unit", self.cost_unit, COST_UNITS)):
            if value not in known:
                raise DlgaugeError(f"unknown {what} {value!r}{nearest(value, known)}")
        if self.threshold_percent is not None:
            check_threshold(self.threshold_percent)


@dataclass(frozen=True)
class Criterion:
    """One thing to rank by.

    Attributes:
        name: of `NAMES`.
        unit: of its values.
        lower_is_better: the direction.
        text: its definition in one line.
    """

    name: str
    unit: str
    lower_is_better: bool
    text: str


def criterion(name: str, settings: Settings) -> Criterion:
    """The criterion of a name.

    Raises:
        DlgaugeError: an unknown name, or cost without a threshold.
    """
    if name == "accuracy":
        of = {"final": "test top-1 of the last evaluation", "best": "best test top-1 of all evaluations"}
        text = of.get(settings.measure, "validation top-1 of the last evaluation")
        return Criterion(name, "%", False, text)
    if name == "cost":
        if settings.threshold_percent is None:
            raise DlgaugeError("a ranking by cost takes a threshold of accuracy", hint="such as --threshold 98.5")
        unit = COST_UNITS[settings.cost_unit]
        return Criterion(name, unit, True, f"{unit} until {settings.threshold_percent:g} % test top-1 is reached")
    if name == "robustness":
        text = "accuracy kept at 0.1, 0.5, 5 and 10 times the rate: mean of accuracy there / accuracy at scale 1"
        return Criterion(name, "1", False, text)
    if name == "confidence":
        return Criterion(name, "1", False, "AC, mean confidence of the correct predictions on the test images")
    raise DlgaugeError(f"unknown criterion {name!r}{nearest(name, NAMES)}")


def parse_by(text: str) -> dict[str, float]:
    """Criteria with weights that add up to 1, of `accuracy` or `accuracy=0.6,cost=0.4`.

    Raises:
        DlgaugeError: an unknown or repeated criterion, a weight that is no positive number.
    """
    hint = f"a criterion ({', '.join(NAMES)}), or weights such as 'accuracy=0.6,cost=0.4'"
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if name not in NAMES:
            raise DlgaugeError(f"unknown criterion {name!r} in --by {text!r}{nearest(name, NAMES)}", hint=hint)
        if name in weights:
            raise DlgaugeError(f"{name!r} stands twice in --by {text!r}", hint=hint)
        try:
            weights[name] = float(value) if equals else 1.0
        except ValueError:
            raise DlgaugeError(f"the weight {value!r} of {name!r} in --by is no number", hint=hint) from None
        if not 0 < weights[name] < float("inf"):
            raise DlgaugeError(f"the weight {value} of {name!r} in --by should be positive", hint=hint)
        if not equals and "," in text:
            raise DlgaugeError(f"{name!r} has no weight in --by {text!r}", hint=hint)
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def value_of(row: Row, name: str, settings: Settings) -> float | str:
    """A trial's value of accuracy, cost or confidence, or why there is none."""
    if name == "accuracy":
        column = MEASURES[settings.measure]
        return _value(row, column)
    if name == "confidence":
        return _value(row, "average_confidence")
    assert settings.threshold_percent is not None
    return cost_at(row, settings.threshold_percent, settings.cost_unit)


def cost_at(row: Row, threshold_percent: float, unit: str) -> float | str:
    """What it cost to reach an accuracy first, or why that is not known."""
    curve = row[COST_CURVE] or []
    for point in curve:
        if point["top1_percent"] >= threshold_percent - ROUNDING_PERCENT:
            value = point[unit]
            return float(value) if value is not None else _reason(row, f"{COST_CURVE}.{unit}")
    best = f"the best evaluation had {curve[-1]['top1_percent']:g} %" if curve else "it has no evaluation"
    return NotReached(f"{threshold_percent:g} % was not reached: {best}")


def grain_of(rows: Iterable[Row], name: str, settings: Settings) -> float:
    """The smallest step in which values move: one image, or the steps between evaluations; 0 where there is none."""
    if name == "accuracy":
        column = "validation_images" if settings.measure == "validation" else "test_images"
        return max((100.0 / row[column] for row in rows if row[column]), default=0.0)
    if name == "cost" and settings.cost_unit == "steps":
        return float(max((row["evaluated_every_steps"] or 0 for row in rows), default=0))
    return 0.0


def robustness_of(policy_json: str, group: Group) -> dict[tuple[str, int], float] | str:
    """Of each framework and seed the mean kept accuracy over the scales but 1, or why there is none.

    A seed counts where scale 1 and all of 0.1, 0.5, 5 and 10 have a result.
    """
    by_scale: dict[float, Mapping[tuple[str, int], float]] = {}
    missing = []
    for scale in SCALES:
        key = canonical_json(scaled_policy(json.loads(policy_json), scale))
        rows = group.scaled_policies.get(key, ())
        by_scale[scale] = {(framework_of(row), row["seed"]): accuracy_or_zero(row) for row in rows}
        if not rows:
            missing.append(f"{scale:g}")
    if missing:
        return f"no result at the base-rate scales {', '.join(missing)}"
    units = set.intersection(*(set(values) for values in by_scale.values()))
    kept = {unit: _kept(unit, by_scale) for unit in sorted(units) if by_scale[1.0][unit] > 0}
    return kept or "no seed has a result at all base-rate scales"


def accuracy_or_zero(row: Row) -> float:
    """Test accuracy in percent; a trial that diverged has none to show, which counts as 0."""
    return 0.0 if row["termination"] == "diverged" else float(row["final_top1_percent"] or 0.0)


def _kept(unit: tuple[str, int], by_scale: Mapping[float, Mapping[tuple[str, int], float]]) -> float:
    others: Sequence[float] = [by_scale[scale][unit] for scale in SCALES if scale != 1]
    return sum(others) / len(others) / by_scale[1.0][unit]


def _value(row: Row, column: str) -> float | str:
    value = row[column]
    return float(value) if value is not None else _reason(row, column)


def _reason(row: Row, column: str) -> str:
    told: dict[str, Any] = json.loads(row["not_measured"] or "{}")
    return str(told.get(column, f"{column} was not measured"))
