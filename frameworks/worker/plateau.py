"""Plateau rules: which of the candidate rates is in force, decided after each evaluation of the validation images.

The rules, their sources and where they deviate from them stand in `harness/schedules/plateau.py`, which also makes the
candidates. Standard library only; Python 3.7 or newer.
"""

from __future__ import annotations

import math
from typing import List  # noqa: F401 - in a type comment


def plateau_rule(learning_rate: dict, candidates: int, steps: int) -> "ReduceOnPlateau | ChangeOnPlateau | None":
    """The rule of a setting's `learning_rate`; None where that is a function of the step alone.

    Args:
        candidates: number of candidate rates.
        steps: of the whole training.
    """
    policy = learning_rate["policy"]
    if policy == "REDUCE_ON_PLATEAU":
        return ReduceOnPlateau(learning_rate, candidates)
    return ChangeOnPlateau(learning_rate, candidates, steps) if policy == "CHANGE_ON_PLATEAU" else None


def watched(rule: dict, scores: dict) -> "float | None":
    """The quantity that a rule watches, smaller is better; None where the evaluation has no finite value.

    Args:
        scores: `top1` and `loss` of an evaluation.
    """
    value = scores["loss" if rule["watch"] == "loss" else "top1"]
    if value is None or not math.isfinite(value):
        return None
    return value if rule["watch"] == "loss" else 1.0 - value


class ReduceOnPlateau:
    """The next smaller candidate after more than `patience` evaluations in a row without an improvement.

    Args:
        rule: `learning_rate` of the setting.
        candidates: see `plateau_rule`.

    Attributes:
        index: the candidate in force.
    """

    def __init__(self, rule: dict, candidates: int) -> None:
        self._rule = rule
        self._last = candidates - 1
        self._best = math.inf
        self._bad = 0
        self._cooldown = 0
        self.index = 0

    def look(self, step: int, scores: dict) -> bool:  # noqa: ARG002 - the other rule needs it
        """Take in an evaluation after `step` finished steps; whether another candidate is in force from now on."""
        value = watched(self._rule, scores)
        if value is not None and self._is_better(value):
            self._best, self._bad = value, 0
        else:
            self._bad += 1
        if self._cooldown > 0:
            self._cooldown -= 1
            self._bad = 0
        if self._bad <= self._rule["patience"]:
            return False
        self._bad = 0
        if self.index == self._last:
            return False
        self.index += 1
        self._cooldown = self._rule["cooldown"]
        return True

    def _is_better(self, value: float) -> bool:
        if self._rule["threshold_mode"] == "absolute":
            return value < self._best - self._rule["threshold"]
        return value < self._best * (1.0 - self._rule["threshold"])


class ChangeOnPlateau:
    """One policy up the list before `turn` of the training is over, one down after it, whenever there is a plateau.

    Args:
        rule: `learning_rate` of the setting.
        candidates, steps: see `plateau_rule`.

    Attributes:
        index: the candidate in force.
    """

    def __init__(self, rule: dict, candidates: int, steps: int) -> None:
        self._rule = rule
        self._last = candidates - 1
        # The first step after the turn; 0.55 * 100 is a little above 55 in floating point.
        self._turn = math.ceil(rule["turn"] * steps - 1e-9 * steps)
        self._seen = []  # type: List[float | None]
        self._cooldown = 0
        self.index = rule["start_index"]

    def look(self, step: int, scores: dict) -> bool:
        """Take in an evaluation after `step` finished steps; whether another candidate is in force from now on."""
        self._seen.append(watched(self._rule, scores))
        if self._cooldown > 0:
            self._cooldown -= 1
            return False
        if not self._is_plateau():
            return False
        index = self.index - 1 if step < self._turn else self.index + 1
        if not 0 <= index <= self._last:
            return False
        self.index, self._cooldown = index, self._rule["cooldown"]
        return True

    def _is_plateau(self) -> bool:
        latest = self._seen[-self._rule["window"] :]
        if len(latest) < self._rule["window"]:
            return False
        gains = []
        for before, after in zip(latest, latest[1:]):
            if before is None or after is None:
                return False
            gains.append(before - after)
        return max(gains) < self._rule["threshold"]
