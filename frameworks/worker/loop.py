"""The training loop that every framework runs under: it owns order and time."""

from __future__ import annotations

import math
import time
from array import array
from typing import Callable

import numpy as np

from frameworks.worker.adapter import Adapter
from frameworks.worker.augmentation import AugmentedBatches
from frameworks.worker.events import EventLog, StepLog
from frameworks.worker.masks import DropoutMasks
from frameworks.worker.order import BatchOrder
from frameworks.worker.patience import Patience
from frameworks.worker.plateau import plateau_rule, watched
from frameworks.worker.protocol import DATA_NS_UNKNOWN
from frameworks.worker.scores import score, with_training_loss


class Diverged(Exception):
    """The loss of a step is NaN or infinite."""

    def __init__(self, step: int, loss: float) -> None:
        super().__init__("loss %r at step %d" % (loss, step))
        self.step = step
        self.loss = loss


class TrainingLoop:
    """Runs the steps and evaluations of one setting through an adapter.

    Args:
        adapter: built and with the splits of `labels` staged, and the training split too unless there are `batches`.
        network: resolved, see `frameworks.worker.adapter.Adapter.build`.
        setting: the setting of the specification.
        seed: the trial's seed.
        learning_rates: float64, one a step `(steps,)`; of a plateau rule `(n, steps)` or `(n, 1)`, one row a candidate.
        labels: of every split that is evaluated, int32 `(N,)`: `test`, and `validation` where the setting evaluates it.
        train_count: number of images that are trained on.
        batches: of augmented images, which every step is then given; None where the adapter has the training split.
        wait: called once, between the warm-up and the first other step; None where there is nothing to wait for.
    """

    def __init__(
        self,
        adapter: Adapter,
        network: dict,
        setting: dict,
        seed: int,
        learning_rates,
        labels: dict,
        train_count: int,
        events: EventLog,
        steps: StepLog,
        batches: "AugmentedBatches | None" = None,
        wait: "Callable[[], None] | None" = None,
    ) -> None:
        self._adapter = adapter
        self._setting = setting
        self._candidates = np.atleast_2d(np.asarray(learning_rates, np.float64))
        self._plateau = plateau_rule(setting["learning_rate"], len(self._candidates), setting["steps"])
        self._rates = self._candidate(self._plateau.index if self._plateau else 0)
        self._labels = labels
        self._patience = Patience(setting["early_stopping"]) if setting.get("early_stopping") else None
        self._train = self._train_on_indices if batches is None else self._train_on_batches
        self._batches = batches
        self._wait = wait
        self._order = BatchOrder(seed, train_count, setting["batch_size"])
        self._masks = DropoutMasks(seed, network, setting["batch_size"])
        self._events = events
        self._steps = steps
        self._losses = array("d", bytes(8 * setting["steps"]))
        self._epoch = -(-train_count // setting["batch_size"])
        self._done = 0

    @property
    def steps_done(self) -> int:
        """Number of finished training steps."""
        return self._done

    def run(self) -> None:
        """Warm up, then train and evaluate in turn until the last step or the end of patience.

        Raises:
            Diverged: a loss was NaN or infinite; the step is logged.
        """
        total = self._setting["steps"]
        every = self._setting["evaluation"]["every_steps"] or total
        validate_every = self._setting["validation"]["every_steps"] if "validation" in self._labels else total
        self._warm_up(min(self._setting["warm_up_steps"], total))
        while self._done < self._last_step():
            self._train_until(min(self._last_step(), *(self._after(period) for period in (every, validate_every))))
            improved = "validation" in self._labels and self._done % validate_every == 0 and self._validate()
            if improved or self._done % every == 0 or self._done >= self._last_step():
                self._evaluate("test")
        if total <= self._setting["warm_up_steps"]:
            self._evaluate("test")
        if self._done < total:
            assert self._patience is not None
            best = self._patience.best if self._patience.best_step else None
            self._events.write("early_stop", step=self._done, best_step=self._patience.best_step, best=best)

    def _last_step(self) -> int:
        total = self._setting["steps"]
        return total if self._patience is None else min(total, self._patience.last_step)

    def _after(self, period: int) -> int:
        """The next step that is a multiple of a period."""
        return (self._done // period + 1) * period

    def _train_until(self, until: int) -> None:
        self._enter("train")
        self._train(until)
        self._adapter.synchronize()

    def _validate(self) -> bool:
        """Evaluate the validation images; whether the setting's patience sees an improvement."""
        scores = self._evaluate("validation")
        if self._plateau is not None and self._done < self._setting["steps"]:
            self._follow(scores)
        return self._patience is not None and self._patience.improved(self._done, scores)

    def _follow(self, scores: dict) -> None:
        """Let the plateau rule look at the validation images; another rate of the steps to come is an event."""
        assert self._plateau is not None
        index, before = self._plateau.index, self._rates[self._done - 1]
        if not self._plateau.look(self._done, scores):
            return
        self._rates = self._candidate(self._plateau.index)
        rule = self._setting["learning_rate"]
        self._events.write(
            "rate_change",
            step=self._done,
            from_candidate=index,
            to_candidate=self._plateau.index,
            from_rate=before,
            to_rate=self._rates[self._done],
            watch=rule["watch"],
            value=watched(rule, scores),
        )

    def _candidate(self, index: int) -> "list[float]":
        """The rate of every step under a candidate, as Python numbers: they are the fastest to hand out."""
        row = self._candidates[index]
        return np.broadcast_to(row, (self._setting["steps"],)).tolist() if len(row) == 1 else row.tolist()

    def _enter(self, phase: str) -> int:
        self._adapter.synchronize()
        t_ns = self._events.phase(phase, self._done)
        self._steps.flush(t_ns)
        return t_ns

    def _warm_up(self, until: int) -> None:
        begin_ns = self._enter("warm_up")
        if until:
            self._train(1)
            self._adapter.synchronize()
            self._events.write("first_step", duration_ns=time.monotonic_ns() - begin_ns)
            self._train(until)
        batch = np.arange(self._setting["evaluation"]["batch_size"], dtype=np.int32)
        for split, labels in self._labels.items():
            self._adapter.predict(split, batch % len(labels))
        if self._wait is not None:
            self._adapter.synchronize()
            self._wait()

    def _train_on_indices(self, until: int) -> None:
        """The hot path: everything that is not the framework's own work is between two `train_step` calls."""
        train_step, next_batch, next_masks = self._adapter.train_step, self._order.next, self._masks.next
        data_ns, add, rates, now = self._adapter.data_ns, self._steps.add, self._rates, time.monotonic_ns
        applied_rate, losses = self._adapter.applied_rate, self._losses
        for step in range(self._done, until):
            before_ns = now()
            indices, masks = next_batch(), next_masks()
            order_ns = now() - before_ns
            losses[step] = loss = train_step(indices, rates[step], masks)
            gather_ns, end_ns = data_ns(), now()
            add(step + 1, end_ns, DATA_NS_UNKNOWN if gather_ns is None else order_ns + gather_ns, loss, applied_rate())
            self._done = step + 1
            if not math.isfinite(loss):
                raise Diverged(step + 1, loss)

    def _train_on_batches(self, until: int) -> None:
        """The hot path with augmentation; data takes as long as waiting for the mini-batch and handing it over."""
        assert self._batches is not None
        train_on, next_batch, next_masks = self._adapter.train_on, self._batches.next, self._masks.next
        data_ns, add, rates, now = self._adapter.data_ns, self._steps.add, self._rates, time.monotonic_ns
        applied_rate, losses = self._adapter.applied_rate, self._losses
        for step in range(self._done, until):
            before_ns = now()
            images, labels = next_batch()
            masks = next_masks()
            waited_ns = now() - before_ns
            losses[step] = loss = train_on(images, labels, rates[step], masks)
            end_ns = now()
            add(step + 1, end_ns, waited_ns + (data_ns() or 0), loss, applied_rate())
            self._done = step + 1
            if not math.isfinite(loss):
                raise Diverged(step + 1, loss)

    def _evaluate(self, split: str) -> dict:
        begin_ns = self._enter("evaluate")
        labels = self._labels[split]
        probabilities = predict_all(self._adapter, split, len(labels), self._setting["evaluation"]["batch_size"])
        self._adapter.synchronize()
        scores = with_training_loss(score(probabilities, labels), self._training_loss())
        self._events.write(
            "evaluation",
            step=self._done,
            split=split,
            images=len(labels),
            duration_ns=time.monotonic_ns() - begin_ns,
            **scores,
        )
        return scores

    def _training_loss(self) -> float:
        """Mean loss of the steps of the last epoch, or of all steps where there are fewer."""
        return float(np.mean(self._losses[max(0, self._done - self._epoch) : self._done]))


def predict_all(adapter: Adapter, split: str, count: int, batch_size: int) -> np.ndarray:
    """Probabilities of the first `count` images of a split, float32 `(count, classes)`.

    Every call has `batch_size` indices (frameworks may compile for it); the last batch is filled up by repeating
    images from the start, whose results are dropped.
    """
    parts = []
    for first in range(0, count, batch_size):
        indices = np.arange(first, first + batch_size, dtype=np.int32) % count
        parts.append(np.array(adapter.predict(split, indices), dtype=np.float32))
    return np.concatenate(parts)[:count]
