"""What a running trial looks like: which split, and a speed of the phase that it is of."""

from __future__ import annotations

from harness.cli.progress import TrialView
from harness.execution.tailing import Step
from tests.factories import make_trial

SECOND_NS = 1_000_000_000


def phase(name: str, step: int, t_s: float) -> dict[str, object]:
    return {"event": "phase", "phase": name, "step": step, "t_ns": int(t_s * SECOND_NS)}


def evaluation(split: str, step: int, top1: float | None) -> dict[str, object]:
    return {"event": "evaluation", "split": split, "step": step, "top1": top1, "loss": 0.5}


def step_of(number: int, t_s: float) -> Step:
    return Step(step=number, t_end_ns=int(t_s * SECOND_NS), data_ns=0, loss=0.25, learning_rate=0.01)


def test_validation_and_test_are_told_apart_and_a_speed_is_told_once() -> None:
    view = TrialView(make_trial(batch_size=64, steps=200))
    view.on_event(phase("train", 0, 10))
    view.on_step(step_of(100, 12))
    assert view.figures() == "train, loss 0.2500, 3,200 samples/s"
    view.on_event(phase("evaluate", 100, 12))
    assert view.figures() == "evaluate, loss 0.2500"
    line = view.on_event(evaluation("validation", 100, 0.5))
    assert line == "step 100/200: validation top-1 50.00 %, training loss 0.2500, trained at 3,200 samples/s"
    view.on_event(phase("evaluate", 100, 15))
    assert view.on_event(evaluation("test", 100, 0.75)) == "step 100/200: test top-1 75.00 %, training loss 0.2500"
    view.on_event(phase("train", 100, 20))
    view.on_step(step_of(100, 12))  # of the phase before, read late
    assert view.figures() == "train, loss 0.2500, validation top-1 50.00 %, test top-1 75.00 %"
    view.on_step(step_of(150, 21))
    assert view.figures().endswith("3,200 samples/s")


def test_a_loss_of_another_step_than_the_evaluations_says_which() -> None:
    view = TrialView(make_trial(batch_size=64, steps=200))
    view.on_step(step_of(150, 12))
    assert (
        view.on_event(evaluation("test", 100, 0.5))
        == "step 100/200: test top-1 50.00 %, training loss 0.2500 (step 150)"
    )


def test_an_evaluation_that_is_not_finite_is_told_in_words() -> None:
    view = TrialView(make_trial(batch_size=64, steps=200))
    line = view.on_event(evaluation("validation", 100, None))
    assert line == "step 100/200: validation top-1 has no finite result"
    assert view.figures() == "launch, validation top-1 has no finite result"
