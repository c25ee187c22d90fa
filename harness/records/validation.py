"""The best evaluation of the validation images, and what the test images gave at that step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.records.reading import integer, number

VALIDATION_KEYS = ("best_validation_step", "best_validation_top1_percent", "top1_at_best_validation_percent")
NO_VALIDATION = "the setting holds no validation images out"


def best_validation(
    evaluations: Sequence[Mapping[str, Any]], setting: Mapping[str, Any]
) -> tuple[int | float | str, int | float | str, int | float | str]:
    """Values of `VALIDATION_KEYS`, or the reason why there is none.

    Best is the first with the smallest error, or loss where the setting's `early_stopping` watches that.

    Args:
        evaluations: events, in the order of time.
        setting: of the specification.
    """
    validation = setting.get("validation")
    if not validation:
        return (NO_VALIDATION,) * 3
    if not validation.get("every_steps"):
        return ("the setting never evaluates the validation images that it holds out",) * 3
    by_loss = (setting.get("early_stopping") or {}).get("watch") == "loss"
    best: tuple[float, int, float] | None = None
    for event in evaluations:
        step, top1 = integer(event.get("step")), number(event.get("top1"))
        value = number(event.get("loss")) if by_loss else None if top1 is None else 1.0 - top1
        if event["split"] != "validation" or step is None or top1 is None or value is None:
            continue
        if best is None or value < best[0]:
            best = value, step, top1
    if best is None:
        return ("no evaluation of the validation images has a result",) * 3
    _, step, top1 = best
    tested = [
        found
        for event in evaluations
        if event["split"] == "test" and event.get("step") == step and (found := number(event.get("top1"))) is not None
    ]
    of_test = tested[-1] * 100.0 if tested else f"the test images were not evaluated at step {step}"
    return step, top1 * 100.0, of_test
