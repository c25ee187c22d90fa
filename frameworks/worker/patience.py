"""When training ends early: the rule of the setting's `early_stopping`. Standard library only; Python 3.7 or newer."""

from __future__ import annotations

import math


class Patience:
    """How long training goes on without an improvement on the validation images.

    `patience` is a step counted from 0: training ends after that step. The formula, its names and its source stand in
    `harness/workloads/settings/setting.py`, class `EarlyStopping`.

    Args:
        rule: `early_stopping` of the setting.
    """

    def __init__(self, rule: dict) -> None:
        self._watch = rule["watch"]
        self._factor = rule["patience_factor"]
        self._threshold = 1.0 - rule["smallest_improvement"]
        self._patience = float(rule["patience_steps"])
        self.best = math.inf
        self.best_step = 0

    @property
    def last_step(self) -> int:
        """The step, counted from 1, after which training ends unless there is an improvement before."""
        return math.ceil(self._patience) + 1

    def improved(self, step: int, scores: dict) -> bool:
        """Take in the scores of an evaluation of the validation images; True when none before was as good.

        Args:
            step: finished steps, so the last one counted from 1.
            scores: `top1` and `loss`; None where a probability was not finite, which improves nothing.
        """
        value = scores["loss" if self._watch == "loss" else "top1"]
        if value is None:
            return False
        value = value if self._watch == "loss" else 1.0 - value
        if not value < self.best:
            return False
        if value < self.best * self._threshold:
            self._patience = max(self._patience, self._factor * (step - 1))
        self.best, self.best_step = value, step
        return True
