"""The training loop: who is timed when, what is logged, when it stops."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frameworks.worker.events import EventLog, StepLog
from frameworks.worker.loop import Diverged, TrainingLoop, predict_all
from frameworks.worker.masks import DropoutMasks
from frameworks.worker.order import BatchOrder
from frameworks.worker.protocol import STEP_RECORD
from harness.execution.tailing import EventTail, last_step

TEST_LABELS = np.arange(7, dtype=np.int32) % 3
VALIDATION_LABELS = np.arange(6, dtype=np.int32) % 3


class Recorder:
    """An adapter that notes what it is asked."""

    def __init__(self, losses: list[float] | None = None, right: list[int] | None = None) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.losses = losses
        self.right = list(right or [])
        self.masks: list[dict[str, np.ndarray] | None] = []
        self.rate = 0.0

    def train_step(self, indices: np.ndarray, rate: float, masks: dict[str, np.ndarray] | None) -> float:
        self.masks.append(masks)
        return self._step("train_step", (indices.tolist(), rate))

    def train_on(self, images: np.ndarray, labels: np.ndarray, rate: float, masks: Any) -> float:
        self.masks.append(masks)
        return self._step("train_on", (images.copy(), labels.tolist(), rate))

    def applied_rate(self) -> float:
        """As a framework in float32 holds it."""
        return float(np.float32(self.rate))

    def _step(self, name: str, value: Any) -> float:
        self.rate = value[-1]
        self.calls.append((name, value))
        done = sum(name in ("train_step", "train_on") for name, _ in self.calls)
        return self.losses[done - 1] if self.losses else 1.0 / done

    def predict(self, split: str, indices: np.ndarray) -> np.ndarray:
        """Right for the test images; for the first so many validation images, one number of `right` an evaluation."""
        self.calls.append(("predict", indices.tolist()))
        if split == "test":
            return np.eye(3, dtype=np.float32)[TEST_LABELS[indices]]
        assert split == "validation"
        warming_up = not any(name in ("train_step", "train_on") and self.right for name, _ in self.calls[:-1])
        right = self.right[0] if self.right else 0
        if not warming_up and indices.max() >= len(VALIDATION_LABELS) - 1:
            self.right.pop(0)
        wrong = (indices >= right).astype(int)
        return np.eye(3, dtype=np.float32)[(VALIDATION_LABELS[indices] + wrong) % 3]

    def synchronize(self) -> None:
        self.calls.append(("synchronize", None))

    def data_ns(self) -> int:
        return 5


NETWORK: dict[str, Any] = {"name": "none", "layers": []}


def run_loop(
    folder: Path,
    adapter: Recorder,
    *,
    steps: int = 10,
    every: int = 4,
    warm_up: int = 1,
    batches: Any = None,
    network: dict[str, Any] = NETWORK,
    validate_every: int | None = None,
    early_stopping: dict[str, Any] | None = None,
    learning_rate: dict[str, Any] | None = None,
    rates: Any = None,
    wait: Any = None,
) -> list[dict[str, Any]]:
    setting = {
        "steps": steps,
        "batch_size": 4,
        "warm_up_steps": warm_up,
        "evaluation": {"every_steps": every, "batch_size": 3},
        "validation": {"images": 6, "position": "last", "every_steps": validate_every},
        "early_stopping": early_stopping,
        "learning_rate": learning_rate or {"policy": "EXP", "k0": 1.0, "gamma": 0.5},
    }
    labels = {"validation": VALIDATION_LABELS} if validate_every else {}
    labels["test"] = TEST_LABELS
    events, log = EventLog(str(folder / "events.jsonl"), "none.sock"), StepLog(str(folder / "steps.bin"))
    rates = 0.5 ** np.arange(steps) if rates is None else rates
    loop = TrainingLoop(
        adapter,  # type: ignore[arg-type]
        network,
        setting,
        1,
        rates,
        labels,
        20,
        events,
        log,
        batches,
        wait,
    )
    try:
        loop.run()
    finally:
        log.flush(events.phase("end", loop.steps_done))
    return EventTail(folder / "events.jsonl").read(at_end=True)


def phases(events: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(event["phase"], event["step"]) for event in events if event["event"] == "phase"]


def test_phases_follow_each_other_and_hold_the_right_steps(tmp_path: Path) -> None:
    events = run_loop(tmp_path, Recorder())
    expected = [("warm_up", 0), ("train", 1), ("evaluate", 4), ("train", 4), ("evaluate", 8), ("train", 8)]
    assert phases(events) == [*expected, ("evaluate", 10), ("end", 10)]
    assert [event["step"] for event in events if event["event"] == "evaluation"] == [4, 8, 10]


def test_it_waits_once_between_the_warm_up_and_the_first_other_step(tmp_path: Path) -> None:
    adapter = Recorder()
    run_loop(tmp_path, adapter, warm_up=2, wait=lambda: adapter.calls.append(("wait", None)))
    names = [name for name, _ in adapter.calls]
    assert names.count("wait") == 1
    at = names.index("wait")
    assert names[:at].count("train_step") == 2
    assert names[at - 1] == "synchronize"
    assert names[at:].count("train_step") == 8


RULE = {"watch": "error", "patience_steps": 5, "patience_factor": 2.0, "smallest_improvement": 0.0}


def test_training_ends_when_validation_has_not_improved_for_its_patience(tmp_path: Path) -> None:
    adapter = Recorder(right=[2, 4, 4, 3, 4, 1, 1])
    events = run_loop(tmp_path, adapter, steps=40, every=40, validate_every=3, early_stopping=RULE)
    # Better at step 6, the fifth from 0, so that patience is 10: training ends after step 11.
    assert [(event["split"], event["step"]) for event in events if event["event"] == "evaluation"] == [
        ("validation", 3),
        ("test", 3),
        ("validation", 6),
        ("test", 6),
        ("validation", 9),
        ("test", 11),
    ]
    assert [event["top1"] for event in events if event.get("split") == "validation"] == [2 / 6, 4 / 6, 4 / 6]
    stop = next(event for event in events if event["event"] == "early_stop")
    assert (stop["step"], stop["best_step"], stop["best"]) == (11, 6, pytest.approx(2 / 6))
    assert phases(events)[:5] == [("warm_up", 0), ("train", 1), ("evaluate", 3), ("evaluate", 3), ("train", 3)]


def test_validation_without_early_stopping_is_only_looked_at(tmp_path: Path) -> None:
    events = run_loop(tmp_path, Recorder(right=[1, 2, 3]), steps=10, every=4, validate_every=3)
    found = [(event["split"], event["step"]) for event in events if event["event"] == "evaluation"]
    validated = [("validation", 3), ("validation", 6), ("validation", 9)]
    assert [one for one in found if one[0] == "validation"] == validated
    assert [one for one in found if one[0] == "test"] == [("test", 4), ("test", 8), ("test", 10)]
    assert not any(event["event"] == "early_stop" for event in events)


def test_every_step_gets_its_batch_and_its_rate(tmp_path: Path) -> None:
    adapter = Recorder()
    run_loop(tmp_path, adapter)
    given = [value for name, value in adapter.calls if name == "train_step"]
    order = BatchOrder(1, 20, 4)
    assert given == [(order.next().tolist(), 0.5**step) for step in range(10)]


class SlowBatches:
    """Mini-batches that take a while."""

    def __init__(self) -> None:
        self.given = 0

    def next(self) -> tuple[np.ndarray, np.ndarray]:
        time.sleep(0.002)
        self.given += 1
        return np.full((4, 1, 2, 2), self.given, np.float32), np.arange(4, dtype=np.int32)


def test_every_step_gets_the_masks_of_its_dropout_layers(tmp_path: Path) -> None:
    dropout = {"name": "drop", "kind": "dropout", "keep": 0.5, "output_shape": [6]}
    network, adapter = {"name": "net", "layers": [dropout]}, Recorder()
    run_loop(tmp_path, adapter, network=network)
    drawn = DropoutMasks(1, network, 4)
    assert len(adapter.masks) == 10
    for masks in adapter.masks:
        expected = drawn.next()
        assert masks is not None and expected is not None
        np.testing.assert_array_equal(masks["drop"], expected["drop"])


def test_a_network_without_dropout_gets_no_masks(tmp_path: Path) -> None:
    adapter = Recorder()
    run_loop(tmp_path, adapter)
    assert adapter.masks == [None] * 10


def test_with_augmentation_every_step_gets_images_and_its_waiting_is_recorded(tmp_path: Path) -> None:
    adapter = Recorder()
    events = run_loop(tmp_path, adapter, batches=SlowBatches())
    given = [value for name, value in adapter.calls if name == "train_on"]
    assert [int(images[0, 0, 0, 0]) for images, _, _ in given] == list(range(1, 11))
    assert [rate for _, _, rate in given] == [0.5**step for step in range(10)]
    assert not any(name == "train_step" for name, _ in adapter.calls)
    assert [event["step"] for event in events if event["event"] == "evaluation"] == [4, 8, 10]
    step = last_step(tmp_path / "steps.bin")
    assert step is not None and step.data_ns >= 2_000_000


def test_the_device_is_waited_for_before_every_phase_mark(tmp_path: Path) -> None:
    adapter = Recorder()
    run_loop(tmp_path, adapter)
    names = [name for name, _ in adapter.calls]
    last_steps = [4, 8, 10]
    for step in last_steps:
        position = [i for i, name in enumerate(names) if name == "train_step"][step - 1]
        assert names[position + 1] == "synchronize"


def test_without_evaluation_steps_it_evaluates_once_at_the_end(tmp_path: Path) -> None:
    events = run_loop(tmp_path, Recorder(), every=0)
    assert [event["step"] for event in events if event["event"] == "evaluation"] == [10]


def test_a_training_of_warm_up_steps_alone_is_evaluated(tmp_path: Path) -> None:
    events = run_loop(tmp_path, Recorder(), steps=2, warm_up=3)
    assert phases(events) == [("warm_up", 0), ("evaluate", 2), ("end", 2)]


def test_steps_are_logged_one_by_one(tmp_path: Path) -> None:
    run_loop(tmp_path, Recorder())
    step = last_step(tmp_path / "steps.bin")
    assert step is not None
    assert (step.step, step.loss, step.learning_rate) == (10, 0.1, 0.5**9)
    assert step.data_ns >= 5


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_stops_the_training_at_that_step(tmp_path: Path, bad: float) -> None:
    adapter = Recorder([1.0, 1.0, bad, 1.0])
    with pytest.raises(Diverged) as caught:
        run_loop(tmp_path, adapter)
    assert caught.value.step == 3
    step = last_step(tmp_path / "steps.bin")
    assert step is not None and step.step == 3


def test_prediction_always_asks_for_whole_batches_and_drops_the_filling() -> None:
    adapter = Recorder()
    probabilities = predict_all(adapter, "test", 7, 3)  # type: ignore[arg-type]
    assert [len(value) for name, value in adapter.calls if name == "predict"] == [3, 3, 3]
    assert probabilities.argmax(axis=1).tolist() == TEST_LABELS.tolist()


def learning_rates(folder: Path) -> list[float]:
    content = (folder / "steps.bin").read_bytes()
    return [record[-1] for record in STEP_RECORD.iter_unpack(content)]


REDUCE = {
    "policy": "REDUCE_ON_PLATEAU",
    "k0": 0.5,
    "factor": 0.5,
    "patience": 0,
    "threshold": 0.0,
    "threshold_mode": "relative",
    "cooldown": 0,
    "smallest_rate": 0.0,
    "watch": "error",
}


def test_a_plateau_rule_changes_the_rate_of_the_steps_to_come(tmp_path: Path) -> None:
    adapter = Recorder(right=[2, 2, 4, 4, 4])
    levels = np.array([[0.5], [0.25], [0.125]])
    options: dict[str, Any] = {"learning_rate": REDUCE, "rates": levels}
    events = run_loop(tmp_path, adapter, steps=10, every=10, validate_every=2, **options)
    # Validation after 2, 4, 6, 8 and 10 steps; no better at 4 and 8, and at 10, where there is no step to come.
    changes = [event for event in events if event["event"] == "rate_change"]
    assert [(event["step"], event["from_rate"], event["to_rate"]) for event in changes] == [
        (4, 0.5, 0.25),
        (8, 0.25, 0.125),
    ]
    assert [(event["from_candidate"], event["to_candidate"], event["watch"]) for event in changes] == [
        (0, 1, "error"),
        (1, 2, "error"),
    ]
    assert [event["value"] for event in changes] == [pytest.approx(4 / 6), pytest.approx(2 / 6)]
    assert learning_rates(tmp_path) == [0.5] * 4 + [0.25] * 4 + [0.125] * 2
    given = [value[-1] for name, value in adapter.calls if name == "train_step"]
    assert given == learning_rates(tmp_path)


def test_the_test_images_change_no_rate(tmp_path: Path) -> None:
    """They are evaluated between; only what the validation images say counts."""
    options: dict[str, Any] = {"learning_rate": REDUCE, "rates": np.array([[0.5], [0.25]])}
    events = run_loop(tmp_path, Recorder(right=[1, 2, 3]), steps=10, every=1, validate_every=3, **options)
    assert len([event for event in events if event.get("split") == "test"]) == 9
    assert not any(event["event"] == "rate_change" for event in events)
    assert learning_rates(tmp_path) == [0.5] * 10


def test_a_change_of_policy_goes_on_in_time(tmp_path: Path) -> None:
    rule = {"policy": "CHANGE_ON_PLATEAU", "start_index": 1, "cooldown": 0, "threshold": 0.01, "window": 2}
    candidates = np.array([np.arange(12) + 100.0, np.arange(12) + 10.0, np.arange(12) + 1.0])
    run_loop(
        tmp_path,
        Recorder(right=[2, 2, 4, 6, 6, 6]),
        steps=12,
        every=12,
        validate_every=2,
        learning_rate={**rule, "turn": 0.8, "watch": "error"},
        rates=candidates,
    )
    # A plateau after 4 steps, before 80 % of 12 (9.6): up; another after 10: down. Both go on at the step itself.
    assert learning_rates(tmp_path) == [*range(10, 14), *range(104, 110), 20, 21]


def test_the_rate_recorded_is_the_one_that_the_adapter_applied(tmp_path: Path) -> None:
    run_loop(tmp_path, Recorder(), rates=np.full(10, 0.1))
    assert learning_rates(tmp_path) == [float(np.float32(0.1))] * 10
    assert float(np.float32(0.1)) != 0.1


def test_the_training_loss_is_that_of_the_last_epoch(tmp_path: Path) -> None:
    """20 images in mini-batches of 4: 5 steps are an epoch; before the first is over, all steps count."""
    losses = [float(step) for step in range(1, 11)]
    events = run_loop(tmp_path, Recorder(losses))
    found = {event["step"]: event for event in events if event["event"] == "evaluation"}
    means = {4: 2.5, 8: 6.0, 10: 8.0}
    assert {step: event["training_loss"] for step, event in found.items()} == means
    for step, event in found.items():
        assert event["loss_difference"] == event["loss"] - means[step]


def test_events_are_whole_json_lines(tmp_path: Path) -> None:
    run_loop(tmp_path, Recorder())
    for line in (tmp_path / "events.jsonl").read_text().splitlines():
        assert isinstance(json.loads(line)["t_ns"], int)
