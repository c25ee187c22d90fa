"""Probes: what parity compares, taken while the first steps of small cases run. Standard library + NumPy only."""

from __future__ import annotations

import os
import traceback

import numpy as np

from frameworks.worker import protocol
from frameworks.worker.adapter import Adapter, Unsupported
from frameworks.worker.masks import DropoutMasks
from frameworks.worker.order import BatchOrder

SPLITS = ("train", "test")


def run_cases(adapter: Adapter, cases: "list[dict]", events) -> None:
    """Probe one case after the other with one started adapter; what went wrong with a case is an event of its own.

    Args:
        cases: each with `name`, `folder` (relative to the working folder), `network`, `loss`, `setting`, `seed`,
            `steps`.
        events: takes `case` events: `name`, and `unsupported` or `error` where there is no probe.
    """
    for case in cases:
        try:
            np.savez(os.path.join(case["folder"], protocol.PROBE_FILE), **run_case(adapter, case, case["folder"]))
            events.write("case", name=case["name"])
        except Unsupported as refusal:
            events.write("case", name=case["name"], unsupported={"what": refusal.what, "why": refusal.why})
        except Exception as error:  # noqa: BLE001 - the boundary: whatever a framework raises ends in the report
            trace = traceback.format_exc()[-8000:]
            events.write("case", name=case["name"], error="%s: %s" % (type(error).__name__, error), traceback=trace)


def run_case(adapter: Adapter, case: dict, folder: str) -> dict:
    """Stage, build and probe one case whose arrays lie in `folder`; see `take_probe`."""
    splits = {}
    for split in SPLITS:
        images, labels = (np.load(os.path.join(folder, "%s_%s.npy" % (split, part))) for part in ("images", "labels"))
        splits[split] = (images, labels)
        adapter.stage(split, images, labels)
    with np.load(os.path.join(folder, protocol.WEIGHTS_FILE)) as archive:
        weights = {name: archive[name] for name in archive.files}
    adapter.build(case["network"], case["loss"], case["setting"], weights)
    rates = np.load(os.path.join(folder, protocol.LEARNING_RATES_FILE))[: case["steps"]]
    if case.get("probe") == protocol.RATES_PROBE:
        return take_rates(adapter, case["setting"]["batch_size"], rates, splits["train"])
    return take_probe(adapter, case["network"], case["setting"], case["seed"], rates, splits["train"])


def take_probe(adapter: Adapter, network: dict, setting: dict, seed: int, learning_rates, train) -> dict:
    """Run the first steps and collect every quantity that a parity certificate covers.

    Args:
        learning_rates: one a step to run.
        train: `(images, labels)` of the training split.

    Returns:
        `loss` and `learning_rate` (as the adapter tells it), float64, one a step; and float32 arrays named `<quantity>:<layer or parameter>`, in
        the order in which they are taken: `weights_before`, `activations_before`, `gradients`, `weights_first` (after
        one step), `weights_after`, `activations_after`, `probabilities_after`. Activations and probabilities are those
        of the first images of the test split, in evaluation; gradients those of the first mini-batch, in training. The
        last step goes through `train_on`, all others through `train_step`.
    """
    found: "dict[str, np.ndarray]" = {}
    batch_size, evaluation = setting["batch_size"], np.arange(setting["evaluation"]["batch_size"], dtype=np.int32)
    _add(found, "weights_before", adapter.weights())
    _add(found, "activations_before", adapter.activations("test", evaluation))
    first = BatchOrder(seed, len(train[0]), batch_size).next()
    _add(found, "gradients", adapter.gradients(first, DropoutMasks(seed, network, batch_size).next()))
    order, masks = BatchOrder(seed, len(train[0]), batch_size), DropoutMasks(seed, network, batch_size)
    losses, told = [], []
    for number, rate in enumerate(learning_rates, start=1):
        indices = order.next()
        if number < len(learning_rates):
            losses.append(adapter.train_step(indices, float(rate), masks.next()))
        else:
            losses.append(adapter.train_on(train[0][indices], train[1][indices], float(rate), masks.next()))
        told.append(adapter.applied_rate())
        if number == 1:
            _add(found, "weights_first", adapter.weights())
    _add(found, "weights_after", adapter.weights())
    _add(found, "activations_after", adapter.activations("test", evaluation))
    found["probabilities_after:softmax"] = np.array(adapter.predict("test", evaluation), np.float32)
    found["loss"], found["learning_rate"] = np.array(losses, np.float64), np.array(told, np.float64)
    return found


def take_rates(adapter: Adapter, batch_size: int, learning_rates, train) -> dict:
    """Train a step at every rate, and collect what the weights and the adapter say of it.

    Step `i`, from 0, is on image `i` alone, every other one through `train_on`.

    Args:
        train: `(images, labels)` of the training split, at least as many as rates.

    Returns:
        `learning_rate`, float64, as the adapter told it after each step; `weights_before` and `weights_after`.
    """
    found: "dict[str, np.ndarray]" = {}
    _add(found, "weights_before", adapter.weights())
    told = []
    for step, rate in enumerate(learning_rates):
        indices = np.full(batch_size, step, np.int32)
        if step % 2:
            adapter.train_on(train[0][indices], train[1][indices], float(rate), None)
        else:
            adapter.train_step(indices, float(rate), None)
        told.append(adapter.applied_rate())
    _add(found, "weights_after", adapter.weights())
    found["learning_rate"] = np.array(told, np.float64)
    return found


def _add(found: dict, quantity: str, arrays: dict) -> None:
    for name, array in arrays.items():
        found["%s:%s" % (quantity, name)] = np.array(array, np.float32)
