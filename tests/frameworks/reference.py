"""The NumPy reference in the tests' own interpreter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from frameworks.numpy.adapter import Adapter
from frameworks.worker.probe import take_probe
from harness.parity.case import RATE_FACTOR, Case
from harness.parity.probing import Probe
from harness.schedules import learning_rates
from harness.workloads import initial_weights


def build(case: Case, adapter: type[Adapter] = Adapter, *, precision: str = "float64") -> Adapter:
    """An adapter that is built for a case, with both splits staged."""
    description = case.description("")
    built = adapter({"precision": precision}, str(Path.cwd()))
    built.start()
    for split, (images, labels) in (("train", case.train), ("test", case.test)):
        built.stage(split, images, labels)
    weights = initial_weights(case.network, case.setting, case.seed)
    built.build(description["network"], case.loss, description["setting"], weights)
    return built


def probe(case: Case, adapter: type[Adapter] = Adapter, *, precision: str = "float64") -> Probe:
    """What the worker would probe of it."""
    description: dict[str, Any] = case.description("")
    policy = case.setting.learning_rate.model_dump(mode="json")
    rates = case.rate_scale * learning_rates(policy, case.steps) * RATE_FACTOR ** np.arange(case.steps)
    built = build(case, adapter, precision=precision)
    return Probe(take_probe(built, description["network"], description["setting"], case.seed, rates, case.train))
