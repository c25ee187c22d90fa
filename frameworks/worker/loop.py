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
        adapter: built and with the test split staged, and the training split too unless there are `batches`.
        network: resolved, see `frameworks.worker.adapter.Adapter.build`.
        setting: the setting of the specification.
        seed: the trial's seed.
        learning_rates: float64, one a step.
        test_labels: int32 `(N,)`.
        train_count: number of training images.
        batches: of augmented images, which every step is then given; None where the adapter has the training split.
    """

    def __init__(
        self,
        adapter: Adapter,
        network: dict,
        setting: dict,
        seed: int,
        learning_rates,
        test_labels,
        train_count: int,
        events: EventLog,
        steps: StepLog,
        batches: "AugmentedBatches | None" = None,
    ) -> None:
        self._adapter = adapter
        self._setting = setting
        self._rates = [float(rate) for rate in learning_rates]
        self._test_labels = test_labels
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
        """Warm up, then train and evaluate in turn until the last step.

        Raises:
            Diverged: a loss was NaN or infinite; the step is logged.
        """
        total = self._setting["steps"]
        every = self._setting["evaluation"]["every_steps"] or total
        self._warm_up(min(self._setting["warm_up_steps"], total))
        while self._done < total:
            until = min(total, (self._done // every + 1) * every)
            self._enter("train")
            self._train(until)
            self._adapter.synchronize()
            self._evaluate()
        if total <= self._setting["warm_up_steps"]:
            self._evaluate()

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
        batch = self._setting["evaluation"]["batch_size"]
        self._adapter.predict("test", np.arange(batch, dtype=np.int32) % len(self._test_labels))

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

    def _evaluate(self) -> None:
        begin_ns = self._enter("evaluate")
        batch_size = self._setting["evaluation"]["batch_size"]
        probabilities = predict_all(self._adapter, "test", len(self._test_labels), batch_size)
        self._adapter.synchronize()
        scores = score(probabilities, self._test_labels)
        self._events.write(
            "evaluation",
            step=self._done,
            split="test",
            images=len(self._test_labels),
            duration_ns=time.monotonic_ns() - begin_ns,
            **scores,
        )


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
