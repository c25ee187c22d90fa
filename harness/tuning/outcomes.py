"""What the records of short runs say: one view of a record for range tests and searches alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.records import Record, Store


@dataclass(frozen=True)
class Outcome:
    """One run with one policy and one seed, as its record has it.

    Attributes:
        trial: id; `record` the record's folder.
        termination: one word; `reason` the rest, None for a run that completed.
        steps: finished training steps.
        first_loss: training loss of the first mini-batch, before any update.
        final_loss: mean training loss over the last part of the steps (`final_share`); None where that is not finite.
        top1, images: of the last evaluation of the validation images, and their number; None where there is none.
        validation_loss: mean loss on them.
        test_top1: of the last evaluation of the test images; for information, nothing is decided by it.
        diverged_step, diverged_rate: where the loss left the finite numbers, and the rate in force there.
        training_time_s: sum of the train phases.
    """

    trial: str
    record: Path
    framework: str
    seed: int
    learning_rate: dict[str, Any]
    termination: str
    reason: str | None
    steps: int
    first_loss: float | None
    final_loss: float | None
    top1: float | None
    images: int | None
    validation_loss: float | None
    test_top1: float | None
    diverged_step: int | None
    diverged_rate: float | None
    training_time_s: float | None

    @property
    def completed(self) -> bool:
        """The run did all its steps."""
        return self.termination == "completed"


FINAL_SHARE = 0.2
"""The final training loss is the mean over the last fifth of the steps: one mini-batch says little, and a mean over
much more would still hold the loss from before the rate had its effect."""


def outcomes_of(store: Store, study: str, trials: Iterable[str]) -> dict[str, Outcome]:
    """Trial id -> outcome, of those trials of the study that have a record."""
    wanted = set(trials)
    return {record.id: outcome_of(record) for record in store.records(study) if record.id in wanted}


def outcome_of(record: Record) -> Outcome:
    """The outcome that a record holds."""
    steps = _rows(record, "steps", ("loss", "learning_rate"))
    evaluations = _rows(record, "evaluations", ("split", "top1", "loss", "images"))
    losses, rates = steps["loss"], steps["learning_rate"]
    validation, test = _last(evaluations, "validation"), _last(evaluations, "test")
    diverged = record.termination == "diverged" and len(losses) > 0
    termination = record.manifest["termination"]
    return Outcome(
        trial=record.id,
        record=record.path,
        framework=str(record.specification["framework"]["name"]),
        seed=int(record.specification["seed"]),
        learning_rate=dict(record.specification["setting"]["learning_rate"]),
        termination=record.termination,
        reason=termination.get("reason"),
        steps=len(losses),
        first_loss=_finite(losses[0]) if losses else None,
        final_loss=None if diverged else _mean_of_the_end(losses),
        top1=_finite(validation.get("top1")),
        images=validation.get("images"),
        validation_loss=_finite(validation.get("loss")),
        test_top1=_finite(test.get("top1")),
        diverged_step=len(losses) if diverged else None,
        diverged_rate=rates[-1] if diverged else None,
        training_time_s=record.summary.get("training_time_s"),
    )


def _rows(record: Record, table: str, columns: tuple[str, ...]) -> dict[str, list[Any]]:
    """Columns of a table; empty where a run ended before there was anything to write."""
    from harness.errors import StoreError

    try:
        found = record.table(table)
    except StoreError:
        return {column: [] for column in columns}
    return {column: found.column(column).to_pylist() for column in columns}


def _last(evaluations: dict[str, list[Any]], split: str) -> dict[str, Any]:
    places = [index for index, of in enumerate(evaluations["split"]) if of == split]
    return {column: values[places[-1]] for column, values in evaluations.items()} if places else {}


def _finite(value: Any) -> float | None:
    import math

    return float(value) if value is not None and math.isfinite(value) else None


def _mean_of_the_end(losses: list[float]) -> float | None:
    if not losses:
        return None
    part = losses[-max(1, round(FINAL_SHARE * len(losses))) :]
    return _finite(sum(part) / len(part))
