"""The best evaluation of the validation images."""

from __future__ import annotations

from typing import Any

from harness.records.validation import NO_VALIDATION, best_validation

SETTING = {"validation": {"images": 10, "position": "last", "every_steps": 5}, "early_stopping": None}


def evaluation(step: int, split: str, top1: float | None, loss: float = 1.0) -> dict[str, Any]:
    return {"event": "evaluation", "step": step, "split": split, "top1": top1, "loss": loss}


EVENTS = [
    evaluation(5, "validation", 0.5, 0.9),
    evaluation(5, "test", 0.4),
    evaluation(10, "validation", 0.75, 0.8),
    evaluation(10, "test", 0.6),
    evaluation(15, "validation", 0.75, 0.2),
    evaluation(20, "validation", None, 0.1),
    evaluation(20, "test", 0.7),
]


def test_the_first_of_equally_good_evaluations_is_the_best() -> None:
    assert best_validation(EVENTS, SETTING) == (10, 75.0, 60.0)


def test_what_early_stopping_watches_decides() -> None:
    found = best_validation(EVENTS, {**SETTING, "early_stopping": {"watch": "loss"}})
    assert found[:2] == (15, 75.0)
    assert found[2] == "the test images were not evaluated at step 15"


def test_without_validation_there_is_a_reason() -> None:
    assert best_validation(EVENTS, {}) == (NO_VALIDATION,) * 3
    never = {"validation": {"images": 5, "position": "first", "every_steps": None}}
    assert "never evaluates" in str(best_validation(EVENTS, never)[0])
    assert "no evaluation" in str(best_validation(EVENTS[1:2], SETTING)[0])
