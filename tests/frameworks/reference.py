"""The NumPy reference in the tests' own interpreter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from frameworks.numpy.adapter import Adapter
from frameworks.worker.probe import take_probe
from harness.parity.case import Case
from harness.parity.probing import Probe


def build(case: Case, adapter: type[Adapter] = Adapter, *, precision: str = "float64") -> Adapter:
    """An adapter that is built for a case, with both splits staged."""
    description = case.description("")
    built = adapter({"precision": precision}, str(Path.cwd()))
    built.start()
    for split, (images, labels) in (("train", case.train), ("test", case.test)):
        built.stage(split, images, labels)
    built.build(description["network"], case.loss, description["setting"], case.weights())
    return built


def probe(case: Case, adapter: type[Adapter] = Adapter, *, precision: str = "float64") -> Probe:
    """What the worker would probe of it."""
    description: dict[str, Any] = case.description("")
    built = build(case, adapter, precision=precision)
    return Probe(take_probe(built, description["network"], description["setting"], case.seed, case.rates(), case.train))
