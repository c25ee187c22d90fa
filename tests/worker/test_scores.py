"""Loss, accuracy and confidence of an evaluation, worked out by hand."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from frameworks.worker.scores import (
    NONE_CORRECT,
    NOT_FINITE,
    ONE_CLASS_CORRECT,
    ONE_CORRECT,
    SCORES,
    score,
    with_training_loss,
)


def labels(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def test_loss_and_accuracy_by_hand() -> None:
    probabilities = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]], np.float32)
    scores = score(probabilities, labels(0, 1))
    assert scores["loss"] == pytest.approx(-(math.log(0.5) + math.log(0.2)) / 2, rel=1e-6)
    assert (scores["top1"], scores["top5"]) == (0.5, 1.0)


def test_a_network_that_says_nothing_gets_no_credit_for_ties() -> None:
    uniform = np.full((10, 10), 0.1, np.float32)
    scores = score(uniform, np.arange(10, dtype=np.int32))
    assert (scores["top1"], scores["top5"]) == (0.1, 0.5)


def test_a_certain_mistake_has_a_finite_loss() -> None:
    certain = np.array([[1.0, 0.0]], np.float32)
    assert 80 < score(certain, labels(1))["loss"] < 90


def test_what_is_not_finite_has_no_score() -> None:
    broken = score(np.array([[np.nan, 0.0]], np.float32), labels(1))
    assert broken == {**dict.fromkeys(SCORES), "not_measured": dict.fromkeys(SCORES, NOT_FINITE)}


CONFIDENT = np.array(
    [
        [0.75, 0.25, 0.00],  # of class 0, right
        [0.50, 0.25, 0.25],  # of class 0, right
        [0.25, 0.75, 0.00],  # of class 0, wrong
        [0.00, 1.00, 0.00],  # of class 1, right
        [0.90, 0.05, 0.05],  # of class 2, wrong: the class has no correct image
    ],
    np.float32,
)


def test_confidence_is_of_the_correct_images_alone() -> None:
    scores = score(CONFIDENT, labels(0, 0, 0, 1, 2))
    right = [0.75, 0.5, 1.0]
    assert scores["average_confidence"] == pytest.approx(sum(right) / 3)
    assert scores["confidence_deviation"] == pytest.approx(statistics.pstdev(right))
    assert scores["confidence_deviation_across_classes"] == pytest.approx(statistics.pstdev([0.625, 1.0]))
    assert scores["not_measured"] == {}


def test_a_class_without_a_correct_image_is_left_out_and_not_counted_as_0() -> None:
    """As in LRBench's notebook; its Keras code has a 0 for such a class."""
    found = score(CONFIDENT, labels(0, 0, 0, 1, 2))["confidence_deviation_across_classes"]
    assert found != pytest.approx(statistics.pstdev([0.625, 1.0, 0.0]))


def test_too_few_correct_images_are_refused_with_a_reason() -> None:
    keys = SCORES[3:]
    none = score(CONFIDENT, labels(2, 2, 2, 2, 2))
    assert [none[key] for key in keys] == [None] * 3
    assert none["not_measured"] == dict.fromkeys(keys, NONE_CORRECT)
    one = score(CONFIDENT, labels(0, 1, 2, 2, 2))
    assert [one[key] for key in keys] == [0.75, None, None]
    assert one["not_measured"] == {keys[1]: ONE_CORRECT, keys[2]: ONE_CLASS_CORRECT}
    one_class = score(CONFIDENT, labels(0, 0, 2, 2, 2))
    assert [one_class[key] for key in keys] == [0.625, 0.125, None]
    assert one_class["not_measured"] == {keys[2]: ONE_CLASS_CORRECT}


def test_a_million_images_lose_no_digits() -> None:
    """In float32 the mean of a million equal numbers is off in the fourth digit or earlier when summed one by one."""
    probabilities = np.tile(np.array([[0.7, 0.3]], np.float32), (1_000_000, 1))
    scores = score(probabilities, np.zeros(1_000_000, np.int32))
    assert scores["average_confidence"] == pytest.approx(float(np.float32(0.7)), rel=1e-12)
    assert scores["confidence_deviation"] == pytest.approx(0.0, abs=1e-12)


def test_the_loss_difference_is_what_was_evaluated_minus_training() -> None:
    scores = score(CONFIDENT, labels(0, 0, 0, 1, 2))
    found = with_training_loss(scores, 0.25)
    assert (found["training_loss"], found["loss_difference"]) == (0.25, scores["loss"] - 0.25)
    broken = with_training_loss(score(np.array([[np.nan, 0.0]], np.float32), labels(1)), 0.25)
    assert (broken["training_loss"], broken["loss_difference"]) == (0.25, None)
    assert broken["not_measured"]["loss_difference"] == NOT_FINITE
