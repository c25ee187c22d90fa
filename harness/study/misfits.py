"""What of a valid setting does not fit the workload that it is to train, or the length of its training."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from harness.schedules import MOST_STEPS, PlateauRule, Policy, PolicyError, candidate_rates, usable_evaluations
from harness.validation import KeyPath
from harness.workloads.settings import TOO_LONG, Setting
from harness.workloads.workload import Workload


def misfits(setting: Setting, steps: int, workload: Workload) -> Iterator[tuple[KeyPath, str]]:
    """What of a valid setting does not fit the workload."""
    if steps > MOST_STEPS:
        key, length = ("samples", f"{setting.samples}") if setting.samples else ("epochs", f"{setting.epochs:g}")
        yield (key,), f"{key} {length} are {steps} steps, more than the {MOST_STEPS} there may be: {TOO_LONG}"
        return
    dataset, validation = workload.dataset, setting.validation
    trained_on = setting.trained_on(dataset.train)
    if validation and trained_on < 1:
        message = f"validation.images {validation.images} leaves none of the {dataset.train} training images of dataset"
        yield ("validation", "images"), f"{message} {dataset.name!r} to train on"
        return
    if setting.batch_size > trained_on:
        left = f"{trained_on} training images" + (" that are not held out" if validation else "")
        yield ("batch_size",), _too_large("batch_size", setting.batch_size, dataset.name, left)
    counts = {"test": dataset.test}
    if validation and validation.every_steps:
        counts["validation"] = validation.images
    for split, count in counts.items():
        if setting.evaluation.batch_size > count:
            message = _too_large(
                "evaluation.batch_size", setting.evaluation.batch_size, dataset.name, f"{count} {split} images"
            )
            yield ("evaluation", "batch_size"), message
    if setting.early_stopping and validation and validation.every_steps:
        patience, first = setting.early_stopping.patience_steps, max(validation.every_steps, setting.warm_up_steps + 1)
        if patience + 1 < first:
            message = f"early_stopping.patience_steps {patience} would end training before the first validation, which "
            yield ("early_stopping", "patience_steps"), f"{message}comes after {first} steps"
    if setting.samples and (own := setting.steps_for(dataset.train)) <= setting.warm_up_steps:
        are = f"samples {setting.samples} are {own} step{'s' * (own != 1)} of batch_size {setting.batch_size}"
        yield ("samples",), f"{are}, none of them after the warm_up_steps, {setting.warm_up_steps}"
    if setting.warm_up_steps >= steps:
        yield ("warm_up_steps",), f"warm_up_steps {setting.warm_up_steps} should be smaller than the {steps} steps"
    yield from _rate_misfits(setting, steps)


def _rate_misfits(setting: Setting, steps: int) -> Iterator[tuple[KeyPath, str]]:
    """What of the learning rate does not fit the length of the training."""
    rule, validation = setting.learning_rate, setting.validation
    if isinstance(rule, PlateauRule):
        assert validation is not None and validation.every_steps is not None
        every, warm_up = validation.every_steps, setting.warm_up_steps
        looks = usable_evaluations(steps, every, warm_up)
        if every >= steps:
            message = f"validation.every_steps {every} should be smaller than the {steps} steps: "
            yield ("validation", "every_steps"), f"{message}{rule.policy} would never change the rate"
        elif looks < (least := rule.least_evaluations):
            message = f"learning_rate: {rule.policy} changes the rate after {least} evaluations of validation images"
            when = f"one every {every} steps, after {warm_up} warm-up steps and before the last of {steps} steps"
            yield ("learning_rate",), f"{message} at the soonest, and there are {looks}: {when}"
        try:
            candidate_rates(rule, steps, looks)
        except ValueError as error:
            yield ("learning_rate",), f"learning_rate: {error}"
        return
    if fault := _fault_of_rates(rule, steps):
        yield ("learning_rate",), fault


@functools.lru_cache(maxsize=256)
def _fault_of_rates(policy: Policy, steps: int) -> str | None:
    """What is wrong with the rate at some step; the same policy stands in many cells."""
    try:
        policy.trace(steps)
    except PolicyError as error:
        return str(error)
    return None


def _too_large(key: str, size: int, dataset: str, images: str) -> str:
    return f"{key} {size} is larger than dataset {dataset!r} with its {images}"
