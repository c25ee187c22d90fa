"""The settings' optimizers: what Caffe's solver cannot be told is done to the gradients before its own update.

A stock solver has no call for the rate of the next step. With rate 1 and no decay of its own it does `v = m v + d;
w -= v` (Nesterov's: `w -= m v + d`), where `d` is a blob's `diff` as the callback leaves it. So `d = r (g + decay w)`
gives the form `rate_in_velocity` exactly, on the solver's code. For everything else the solver's momentum is 0 and `d`
is the whole step, computed here.
"""

from __future__ import annotations

import numpy as np

from frameworks.worker.adapter import check_optimizer

PIECE = 1 << 17
"""Elements that are updated together: so few that they stay in a cache from one operation to the next."""


def solver_kind(setting: dict) -> "tuple[str, float]":
    """(type, momentum) of the solver for a setting."""
    optimizer = check_optimizer(setting)
    if not _on_solver(optimizer):
        return "SGD", 0.0
    nesterov = optimizer["nesterov"] and optimizer["momentum"] > 0
    return "Nesterov" if nesterov else "SGD", optimizer["momentum"]


def make_update(parameters: dict, settings: dict, masks: dict, setting: dict) -> "Update":
    """The update for a setting.

    Args:
        parameters: name -> Caffe's blob.
        settings: name -> `{rate, weight_decay}`.
        masks: name -> 1 where a weight is connected, else 0, for parameters with a connection table.
    """
    optimizer = setting["optimizer"]
    if _on_solver(optimizer):
        return ScaledGradient(parameters, settings, masks, optimizer)
    kind = {"sgd": OwnVelocity, "adam": Adam}[optimizer["kind"]]
    return kind(parameters, settings, masks, optimizer)


def _on_solver(optimizer):
    if optimizer["kind"] != "sgd":
        return False
    return optimizer["momentum_form"] == "rate_in_velocity" or optimizer["momentum"] == 0


def pieces_of(array: np.ndarray) -> "list[np.ndarray]":
    """Flat views of at most `PIECE` elements of a contiguous array."""
    flat = array.reshape(-1)
    return [flat[first : first + PIECE] for first in range(0, len(flat), PIECE)]


class Update:
    """Turns gradients into what the solver subtracts.

    `rate` is that of the next step, `applied` that of the last one: set where the solver asks for the step.

    On a CPU the blobs' memory stays where it is, so that all views are made once.
    """

    def __init__(self, parameters, settings, masks, optimizer):
        self.rate = 0.0
        self.applied = np.float32(0.0)
        self.optimizer = optimizer
        self.masked = [(parameters[name].diff, mask) for name, mask in masks.items()]
        self.scratch = np.empty(PIECE, np.float32)
        self.decayed, groups = [], {}
        for name, blob in parameters.items():
            rate, decay = settings[name]["rate"], np.float32(settings[name]["weight_decay"])
            for data, diff in zip(pieces_of(blob.data), pieces_of(blob.diff)):
                piece = (data if decay else None, decay, diff, self.scratch[: len(diff)], *self.state(diff))
                groups.setdefault(rate, []).append(piece)
        self.groups = list(groups.items())

    def state(self, _diff) -> tuple:
        """What the optimizer keeps between steps for a piece."""
        return ()

    def on_gradients_ready(self):
        """Called by the solver between the backward pass and its own update."""
        for diff, mask in self.masked:
            np.multiply(diff, mask, out=diff)
        self.begin()
        self.applied = np.float32(self.rate)
        for multiplier, pieces in self.groups:
            self.apply(pieces, np.float32(self.applied * multiplier))

    def begin(self):
        """Called once before the pieces of a step."""

    def apply(self, pieces, rate):
        """Put the steps of pieces with the same rate into their `diff`."""
        raise NotImplementedError


class ScaledGradient(Update):
    """`r (g + decay w)`; the velocity is the solver's."""

    def apply(self, pieces, rate):
        for data, decay, diff, scratch in pieces:
            if data is not None:
                np.multiply(data, decay, out=scratch)
                np.add(diff, scratch, out=diff)
            np.multiply(diff, rate, out=diff)


class OwnVelocity(Update):
    """`v = m v + g`, the step `r v` or, with Nesterov's momentum, `r (g + m v)`."""

    def state(self, diff):
        return (np.zeros_like(diff),)

    def apply(self, pieces, rate):
        momentum, nesterov = np.float32(self.optimizer["momentum"]), self.optimizer["nesterov"]
        for data, decay, diff, scratch, velocity in pieces:
            if data is not None:
                np.multiply(data, decay, out=scratch)
                np.add(diff, scratch, out=diff)
            np.multiply(velocity, momentum, out=velocity)
            np.add(velocity, diff, out=velocity)
            if nesterov:
                np.multiply(velocity, momentum, out=scratch)
                np.add(diff, scratch, out=diff)
                np.multiply(diff, rate, out=diff)
            else:
                np.multiply(velocity, rate, out=diff)


class Adam(Update):
    """Both places of epsilon in one: `w -= r sqrt(c2) / c1 m / (sqrt(v) + e)` with `c = 1 - b ** t`.

    `e` is epsilon (`uncorrected`) or `epsilon sqrt(c2)` (`corrected`).
    """

    def __init__(self, parameters, settings, masks, optimizer):
        super().__init__(parameters, settings, masks, optimizer)
        self.steps = 0

    def state(self, diff):
        return np.zeros_like(diff), np.zeros_like(diff)

    def begin(self):
        self.steps += 1

    def apply(self, pieces, rate):
        b1, b2, epsilon = (self.optimizer[name] for name in ("beta1", "beta2", "epsilon"))
        root = (1.0 - b2**self.steps) ** 0.5
        factor = np.float32(float(rate) * root / (1.0 - b1**self.steps))
        epsilon = np.float32(epsilon * root if self.optimizer["epsilon_placement"] == "corrected" else epsilon)
        keep1, add1, keep2, add2 = (np.float32(value) for value in (b1, 1.0 - b1, b2, 1.0 - b2))
        for data, decay, diff, scratch, first, second in pieces:
            if data is not None:
                np.multiply(data, decay, out=scratch)
                np.add(diff, scratch, out=diff)
            np.multiply(second, keep2, out=second)
            np.multiply(diff, diff, out=scratch)
            np.multiply(scratch, add2, out=scratch)
            np.add(second, scratch, out=second)
            np.multiply(first, keep1, out=first)
            np.multiply(diff, add1, out=diff)
            np.add(first, diff, out=first)
            np.sqrt(second, out=scratch)
            np.add(scratch, epsilon, out=scratch)
            np.divide(first, scratch, out=diff)
            np.multiply(diff, factor, out=diff)


class MovingAverages:
    """Averages of the parameters, kept in the blobs of another net: `average += (1 - decay) (w - average)`."""

    def __init__(self, parameters, averages, decay):
        self.share = np.float32(1.0 - decay)
        self.scratch = np.empty(PIECE, np.float32)
        self.pieces = [
            (value, average, self.scratch[: len(value)])
            for name in parameters
            for value, average in zip(pieces_of(parameters[name].data), pieces_of(averages[name].data))
        ]

    def add(self):
        """One more step."""
        for value, average, scratch in self.pieces:
            np.subtract(value, average, out=scratch)
            np.multiply(scratch, self.share, out=scratch)
            np.add(average, scratch, out=average)
