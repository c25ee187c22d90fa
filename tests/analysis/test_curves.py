"""Curves, training time and timelines against values worked by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.curves import (
    Curve,
    TrainingClock,
    accuracy_curve,
    decimated_indices,
    loss_curve,
    mean_curve,
)
from harness.analysis.timelines import timeline
from tests.synthetic import NS, write_record


@given(st.integers(1, 20_000), st.integers(2, 1500))
def test_decimation_keeps_the_ends_and_the_limit(length: int, most: int) -> None:
    kept = decimated_indices(length, most)
    assert kept[0] == 0
    assert kept[-1] == length - 1
    assert len(kept) <= most
    assert np.all(np.diff(kept) > 0)


def test_training_clock_stops_outside_train_phases() -> None:
    phases = [
        {"phase": "warm_up", "begin_ns": 0, "end_ns": 10 * NS},
        {"phase": "train", "begin_ns": 10 * NS, "end_ns": 14 * NS},
        {"phase": "evaluate", "begin_ns": 14 * NS, "end_ns": 20 * NS},
        {"phase": "train", "begin_ns": 20 * NS, "end_ns": 23 * NS},
    ]
    moments = [5 * NS, 12 * NS, 17 * NS, 21 * NS, 40 * NS]
    assert TrainingClock(phases).at(moments).tolist() == [0.0, 2.0, 4.0, 5.0, 7.0]


def test_training_clock_without_train_phases_stands_still() -> None:
    assert TrainingClock([]).at([1, 2]).tolist() == [0.0, 0.0]


def test_curves_of_a_record(tmp_path: Path) -> None:
    record = write_record(tmp_path, "torch", 2, steps=400)
    loss, accuracy = loss_curve(record), accuracy_curve(record)
    assert loss is not None
    assert accuracy is not None
    assert loss.steps[0] == 1
    assert loss.steps[-1] == 400
    assert loss.training_time_s[0] == 0.0
    assert loss.training_time_s[-1] == pytest.approx(400 / 65, rel=1e-6)
    assert accuracy.steps == (200, 400)
    assert accuracy.values == pytest.approx((94.0, 97.1))


def test_a_crashed_trial_has_no_curve(tmp_path: Path) -> None:
    record = write_record(tmp_path, termination="crashed")
    assert loss_curve(record) is None
    assert accuracy_curve(record) is None


def test_mean_curve_is_over_shared_steps_and_then_a_window() -> None:
    one = Curve((1, 2, 3), (0.0, 1.0, 2.0), (1.0, 2.0, 6.0))
    two = Curve((1, 2, 3, 4), (0.0, 3.0, 4.0, 5.0), (3.0, 4.0, 8.0, 9.0))
    mean = mean_curve([one, two])
    assert mean == Curve((1, 2, 3), (0.0, 2.0, 3.0), (2.0, 3.0, 7.0))
    smooth = mean_curve([one, two], window=3)
    assert smooth is not None
    assert smooth.values == (2.0, 4.0, 7.0)


def test_a_missing_value_is_not_filled_from_its_neighbours() -> None:
    curve = Curve((1, 2, 3), (0.0, 1.0, 2.0), (1.0, None, 3.0))
    mean = mean_curve([curve], window=3)
    assert mean is not None
    assert mean.values == (1.0, None, 3.0)


def test_timeline_differences_the_counter(tmp_path: Path) -> None:
    found = timeline(write_record(tmp_path, "torch", 2))
    assert found is not None
    (cores,) = found.cores
    train = next(span for span in found.phases if span.phase == "train")
    inside = [
        value
        for t, value in zip(cores.time_s, cores.values, strict=True)
        if train.begin_s + 0.5 < t < train.end_s - 0.1 and value is not None
    ]
    assert inside
    assert inside == pytest.approx([1.8] * len(inside), rel=1e-6)
    assert found.cpu_source == "process tree"
    assert found.phases[0].begin_s == 0.0


def test_no_samples_no_timeline(tmp_path: Path) -> None:
    assert timeline(write_record(tmp_path, samples=False)) is None
