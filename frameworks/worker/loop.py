"""The training loop that every framework runs under: it owns order and time."""

from __future__ import annotations

import math
import time

import numpy as np

from frameworks.worker.adapter import Adapter
from frameworks.worker.augmentation import AugmentedBatches
from frameworks.worker.events import EventLog, StepLog
from frameworks.worker.masks import DropoutMasks
from frameworks.worker.order import BatchOrder
from frameworks.worker.patience import Patience
from frameworks.worker.protocol import DATA_NS_UNKNOWN

SMALLEST_PROBABILITY = float(np.finfo(np.float32).tiny)


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
        learning_rates: float64, one a step.
        labels: of every split that is evaluated, int32 `(N,)`: `test`, and `validation` where the setting evaluates it.
        train_count: number of images that are trained on.
        batches: of augmented images, which every step is then given; None where the adapter has the training split.
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
    ) -> None:
        self._adapter = adapter
        self._setting = setting
        self._rates = [float(rate) for rate in learning_rates]
        self._labels = labels
        self._patience = Patience(setting["early_stopping"]) if setting.get("early_stopping") else None
        self._train = self._train_on_indices if batches is None else self._train_on_batches
        self._batches = batches
        self._order = BatchOrder(seed, train_count, setting["batch_size"])
        self._masks = DropoutMasks(seed, network, setting["batch_size"])
        self._events = events
        self._steps = steps
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
        return self._patience is not None and self._patience.improved(self._done, scores)

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

    def _train_on_indices(self, until: int) -> None:
        """The hot path: everything that is not the framework's own work is between two `train_step` calls."""
        train_step, next_batch, next_masks = self._adapter.train_step, self._order.next, self._masks.next
        data_ns, add, rates, now = self._adapter.data_ns, self._steps.add, self._rates, time.monotonic_ns
        for step in range(self._done, until):
            before_ns = now()
            indices, masks = next_batch(), next_masks()
            order_ns = now() - before_ns
            rate = rates[step]
            loss = train_step(indices, rate, masks)
            gather_ns = data_ns()
            add(step + 1, now(), DATA_NS_UNKNOWN if gather_ns is None else order_ns + gather_ns, loss, rate)
            self._done = step + 1
            if not math.isfinite(loss):
                raise Diverged(step + 1, loss)

    def _train_on_batches(self, until: int) -> None:
        """The hot path with augmentation; data takes as long as waiting for the mini-batch and handing it over."""
        assert self._batches is not None
        train_on, next_batch, next_masks = self._adapter.train_on, self._batches.next, self._masks.next
        data_ns, add, rates, now = self._adapter.data_ns, self._steps.add, self._rates, time.monotonic_ns
        for step in range(self._done, until):
            before_ns = now()
            images, labels = next_batch()
            masks = next_masks()
            waited_ns = now() - before_ns
            rate = rates[step]
            loss = train_on(images, labels, rate, masks)
            add(step + 1, now(), waited_ns + (data_ns() or 0), loss, rate)
            self._done = step + 1
            if not math.isfinite(loss):
                raise Diverged(step + 1, loss)

    def _evaluate(self, split: str) -> dict:
        begin_ns = self._enter("evaluate")
        labels = self._labels[split]
        probabilities = predict_all(self._adapter, split, len(labels), self._setting["evaluation"]["batch_size"])
        self._adapter.synchronize()
        scores = score(probabilities, labels)
        self._events.write(
            "evaluation",
            step=self._done,
            split=split,
            images=len(labels),
            duration_ns=time.monotonic_ns() - begin_ns,
            **scores,
        )
        return scores


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


def score(probabilities: np.ndarray, labels: np.ndarray) -> dict:
    """Mean cross-entropy, top-1 and top-5 fractions; all None when a probability is not finite.

    A probability of 0 counts as the smallest normal float32, so that one certain mistake does not make the loss
    infinite. Equal probabilities are ranked by class number, as `argmax` does.
    """
    if not np.isfinite(probabilities).all():
        return {"loss": None, "top1": None, "top5": None}
    rows, classes = np.arange(len(labels)), np.arange(probabilities.shape[1])
    of_label = probabilities[rows, labels]
    larger = probabilities > of_label[:, None]
    tied_before = (probabilities == of_label[:, None]) & (classes[None, :] < labels[:, None])
    rank = (larger | tied_before).sum(axis=1)
    loss = -np.log(np.maximum(of_label.astype(np.float64), SMALLEST_PROBABILITY)).mean()
    return {"loss": float(loss), "top1": float((rank < 1).mean()), "top5": float((rank < 5).mean())}
