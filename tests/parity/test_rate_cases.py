"""The rate in force: what the updates of a step with a known gradient say, and what the check makes of wrong ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frameworks.numpy.adapter import Adapter
from frameworks.worker.probe import take_rates
from harness.parity.contract_behaviours import Observed, contract_behaviours
from harness.parity.probing import Probe
from harness.parity.rate_cases import RateCase, function_rates, rate_cases, wrong_rate
from harness.parity.verdict import Outcome
from tests.frameworks.reference import build

CASES = {case.name: case for case in rate_cases()}


def rates_of(case: RateCase, adapter: type[Adapter] = Adapter) -> Probe:
    built = build(case, adapter, precision="float32")
    with np.errstate(divide="ignore"):
        return Probe(take_rates(built, case.setting.batch_size, case.rates(), case.train))


@pytest.mark.parametrize("name", CASES)
def test_the_reference_in_float32_has_every_rate_in_force(name: str) -> None:
    assert wrong_rate(CASES[name], rates_of(CASES[name])) is None


def test_plain_steps_show_the_rate_itself() -> None:
    case = CASES["rate-in-force"]
    moved = rates_of(case).arrays["weights_after:logits.biases"][1:]
    np.testing.assert_array_equal(moved, case.given.astype(np.float32))


def test_every_function_is_in_it_and_its_rate_moves() -> None:
    rates, case = function_rates(), CASES["rate-in-force"]
    assert {name.split()[0] for name in case.named} == set(rates)
    assert [name for name, one in rates.items() if len(set(one)) == 1] == ["FIX"]
    np.testing.assert_array_equal(case.given, np.concatenate(list(rates.values())))


class Late(Adapter):
    """From the second step on, the rate of the step before; and it says what it did."""

    last: float | None = None

    def train_on(self, images: Any, labels: Any, learning_rate: float, masks: Any) -> float:
        rate, self.last = self.last or learning_rate, learning_rate
        return super().train_on(images, labels, rate, masks)


class SecretlyLate(Late):
    """The same, but it tells the rate that it was asked for."""

    def applied_rate(self) -> float:
        return self.last or 0.0


class Scaled(Adapter):
    """All rates a little too large, and it tells the ones that it was asked for."""

    factor = 1.0 + 3e-6

    def train_on(self, images: Any, labels: Any, learning_rate: float, masks: Any) -> float:
        self.asked = learning_rate
        return super().train_on(images, labels, self.factor * learning_rate, masks)

    def applied_rate(self) -> float:
        return self.asked


class Rounded(Adapter):
    """The rates in half precision."""

    def train_on(self, images: Any, labels: Any, learning_rate: float, masks: Any) -> float:
        return super().train_on(images, labels, float(np.float16(learning_rate)), masks)


class TellsWhatItWasAsked(Adapter):
    """Right rates, wrong report: a tenth of each."""

    def applied_rate(self) -> float:
        return 0.1 * super().applied_rate()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("mutant", [Late, SecretlyLate, Scaled, Rounded])
def test_a_wrong_rate_is_found_in_the_update(mutant: type[Adapter], name: str) -> None:
    wrong = wrong_rate(CASES[name], rates_of(CASES[name], mutant))
    assert wrong is not None and "the update moved its bias by" in wrong


def test_a_wrong_report_is_found_too() -> None:
    wrong = wrong_rate(CASES["rate-in-force"], rates_of(CASES["rate-in-force"], TellsWhatItWasAsked))
    assert wrong is not None and "applied_rate() told" in wrong and "FIX at step 0" in wrong


@pytest.mark.parametrize("factor", [1.0 - 2e-6, 1.0 + 2e-6])
def test_a_millionth_is_the_limit(factor: float) -> None:
    case = CASES["rate-in-force"]
    exact = {"weights_after:logits.biases": np.append(0.0, case.given), "learning_rate": case.given}
    assert wrong_rate(case, Probe(exact)) is None
    last = case.given.copy()
    last[100] *= factor
    off = {**exact, "weights_after:logits.biases": np.append(0.0, last)}
    assert f"{case.named[100]} (1 of" in str(wrong_rate(case, Probe(off)))
    assert "nothing of the right shape" in str(wrong_rate(case, Probe({})))


def test_the_contract_asks_for_it() -> None:
    behaviour = next(one for one in contract_behaviours() if one.name == "rate-in-force")
    (case,) = behaviour.cases
    assert isinstance(case, RateCase)
    for adapter, outcome in ((Adapter, Outcome.OK), (Late, Outcome.FAILED)):
        observed = Observed({}, {case.name: case}, {case.name: rates_of(case, adapter)})
        assert behaviour.check(observed)[0] is outcome
    refused = Observed({}, {case.name: case}, {case.name: Probe({}, unsupported="no SGD")})
    assert behaviour.check(refused) == (Outcome.UNSUPPORTED, "no SGD")


def test_it_goes_through_a_folder_as_the_worker_does(tmp_path: Path) -> None:
    """What the harness writes and the worker reads: weights, rates, labels, and the kind of probe."""
    from frameworks.worker.probe import run_case

    case = CASES["rate-in-force-adam"]
    case.write(tmp_path / case.name)
    adapter = Adapter({"precision": "float32"}, str(tmp_path))
    adapter.start()
    with np.errstate(divide="ignore"):
        found = run_case(adapter, case.description(case.name), str(tmp_path / case.name))
    assert wrong_rate(case, Probe(found)) is None
