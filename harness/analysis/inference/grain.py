"""Values that are known to a grain only: an accuracy of 2,000 images moves in steps of 0.05 points, steps to
an accuracy in the distance of evaluations.

A value known to a grain q has the standard uncertainty q / sqrt(12) (JCGM 100:2008, GUM, F.2.2.1). So no standard
deviation of log-ratios is taken as smaller than what two such values leave: equal accuracies in three blocks do not
make an interval of width zero.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from harness.analysis.columns import cost_column
from harness.analysis.comparison import Cell

OF_TEST_IMAGES = ("top1_percent", "top5_percent", "top1_at_best_validation_percent")
OF_VALIDATION_IMAGES = ("best_validation_top1_percent",)


def grain_of(outcome: str, cell: Cell) -> float:
    """The step in which an outcome moves, in its unit: of an accuracy one image, of steps to one the distance of the
    evaluations, else 0."""
    cost = cost_column(outcome)
    if cost is not None and cost[0] == "steps":
        return evaluated_every(json.loads(cell.key.specification))
    if outcome not in (*OF_TEST_IMAGES, *OF_VALIDATION_IMAGES):
        return 0.0
    specification = json.loads(cell.key.specification)
    if outcome in OF_TEST_IMAGES:
        images = _part(_part(specification, "workload"), "dataset").get("test")
    else:
        images = _part(_part(specification, "setting"), "validation").get("images")
    return 100.0 / images if isinstance(images, int) and images > 0 else 0.0


def evaluated_every(specification: Mapping[str, Any]) -> float:
    """Training steps between evaluations of a trial; 0 where its specification does not tell them."""
    every = _part(_part(specification, "setting"), "evaluation").get("every_steps")
    return float(every) if isinstance(every, int) and every > 0 else 0.0


def grain_deviation(outcome: str, cell: Cell, other: Cell) -> float:
    """Standard deviation of a log-ratio of two cells that their grains alone leave: 0 where they have none.

    A relative uncertainty is, for small ones, the uncertainty of the logarithm; the two add in squares.
    """
    squares = 0.0
    for one in (cell, other):
        value = one.values.get(outcome)
        if value is not None and value.statistics is not None and value.statistics.mean > 0:
            squares += (grain_of(outcome, one) / value.statistics.mean) ** 2 / 12
    return math.sqrt(squares)


def _part(mapping: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = mapping.get(key)
    return value if isinstance(value, Mapping) else {}
