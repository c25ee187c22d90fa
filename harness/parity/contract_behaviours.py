"""What the contract asks of an adapter beside the numbers of its cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from harness.parity.case import Case, case_from
from harness.parity.comparing import CONTRACT_TOLERANCES, compare, first_violation
from harness.parity.contract_cases import CLASSES, IMAGES, STEPS, contract_cases, network, setting
from harness.parity.probing import Probe
from harness.parity.rate_cases import RateCase, rate_cases, wrong_rate
from harness.parity.verdict import Outcome

BUILT_AGAIN = (
    "convolution-valid",
    "dropout",
    "batch-normalisation",
    "sgd-rate-on-velocity",
    "adam-corrected",
    "weight-average",
)
"""Cases that leave something behind which the next build has to forget: velocities, moving averages, masks."""

UNKNOWN = "unheard_of"

Found = tuple[Outcome, str | None]
"""Outcome and reason."""


@dataclass(frozen=True)
class Observed:
    """What one run of a worker showed.

    Attributes:
        described: the worker's `describe` event.
        cases, probes: by name.
    """

    described: Mapping[str, Any]
    cases: Mapping[str, Case]
    probes: Mapping[str, Probe]


@dataclass(frozen=True)
class Behaviour:
    """A check of its own.

    Attributes:
        cases: those that have to be probed for it, in this order.
        check: judges what was observed.
    """

    name: str
    cases: tuple[Case, ...]
    check: Callable[[Observed], Found]


@dataclass(frozen=True, kw_only=True)
class ChangedCase(Case):
    """A case that asks for something no network or setting can: its description is changed before the worker gets it.

    Attributes:
        change: changes the description in place.
    """

    change: Callable[[dict[str, Any]], None]

    def description(self, folder: str) -> dict[str, Any]:
        """See `Case`."""
        found = super().description(folder)
        self.change(found)
        return found


def _describes_itself(observed: Observed) -> Found:
    threads = observed.described.get("threads")
    if not isinstance(threads, dict) or set(threads) != {"intra_op", "inter_op"}:
        return Outcome.FAILED, f"describe()['threads'] should have intra_op and inter_op, not {threads!r}"
    if wrong := {pool: count for pool, count in threads.items() if not (count is None or _is_count(count))}:
        return Outcome.FAILED, f"describe()['threads'] should have numbers from 1 on, or None for unknown, not {wrong}"
    version = observed.described.get("version")
    if not isinstance(version, str) or not version:
        return Outcome.FAILED, f"describe()['version'] should be the framework's own version, not {version!r}"
    return Outcome.OK, None


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 1


def _weights_as_given(observed: Observed) -> Found:
    """Also where a build came before: no weight may survive it."""
    built = {name: probe for name, probe in observed.probes.items() if probe.arrays}
    for name, probe in built.items():
        case = observed.cases[name]
        for parameter, given in case.weights().items():
            held = probe.arrays.get(f"weights_before:{parameter}")
            if held is None or not np.array_equal(held, given):
                return Outcome.FAILED, f"case {name}: before the first step, {parameter} is not as given"
    return (Outcome.OK, None) if built else (Outcome.UNSUPPORTED, "no case could be built")


def _built_again(name: str, observed: Observed) -> Found:
    first, second = (observed.probes[each] for each in (name, _again(name)))
    for probe in (first, second):
        if probe.unsupported:
            return Outcome.UNSUPPORTED, probe.unsupported
        if probe.error:
            return Outcome.FAILED, probe.error
    # Within the contract's tolerances: threads may add in another order, what a build left behind shows far above that.
    violation = first_violation(compare(first, second, observed.cases[name].network, CONTRACT_TOLERANCES))
    if violation is None:
        return Outcome.OK, None
    where = f"{violation.quantity} of {violation.name}"
    return Outcome.FAILED, f"built a second time, case {name} gives another result, first in {where}"


def _rate_in_force(case: RateCase, observed: Observed) -> Found:
    probe = observed.probes[case.name]
    if probe.unsupported:
        return Outcome.UNSUPPORTED, probe.unsupported
    wrong = probe.error or wrong_rate(case, probe)
    return (Outcome.OK, None) if wrong is None else (Outcome.FAILED, wrong)


def _refuses(name: str, named: str, observed: Observed) -> Found:
    probe = observed.probes[name]
    if probe.unsupported is None:
        happened = f"raised {probe.error}" if probe.error else "trained"
        return Outcome.FAILED, f"build() should raise Unsupported, but the adapter {happened}"
    if named not in probe.unsupported:
        return Outcome.FAILED, f"Unsupported should name {named!r}: {probe.unsupported}"
    return Outcome.OK, None


def _again(name: str) -> str:
    return f"{name}-again"


def _built_again_behaviour(case: Case) -> Behaviour:
    return Behaviour(
        f"second-build-{case.name}", (case, replace(case, name=_again(case.name))), partial(_built_again, case.name)
    )


def _refusal(what: str, named: str, change: Callable[[dict[str, Any]], None], *layers: dict[str, Any]) -> Behaviour:
    """An adapter asked for something unknown, in an otherwise small case, has to refuse and to say what."""
    own = network(*layers)
    plain = case_from(f"unknown-{what}", own, setting(), steps=STEPS, images=IMAGES, classes=CLASSES)
    case = ChangedCase(**vars(plain), change=change)
    return Behaviour(f"refuses-unknown-{what}", (case,), partial(_refuses, case.name, named))


def _unknown_layer(description: dict[str, Any]) -> None:
    description["network"]["layers"][0]["kind"] = UNKNOWN


def _unknown_optimizer(description: dict[str, Any]) -> None:
    description["setting"]["optimizer"]["kind"] = UNKNOWN


def _unknown_momentum_form(description: dict[str, Any]) -> None:
    description["setting"]["optimizer"]["momentum_form"] = UNKNOWN


def _unknown_loss(description: dict[str, Any]) -> None:
    description["loss"] = UNKNOWN


def contract_behaviours() -> list[Behaviour]:
    """All of them; what needs a case of its own comes after the contract's cases, in the same worker."""
    cases = contract_cases()
    return [
        Behaviour("describes-itself", (), _describes_itself),
        *(_built_again_behaviour(case) for case in cases if case.name in BUILT_AGAIN),
        *(Behaviour(case.name, (case,), partial(_rate_in_force, case)) for case in rate_cases()),
        # Named by the layer: the user has to find it in the network's file.
        _refusal("layer", "hidden", _unknown_layer, {"name": "hidden", "kind": "tanh"}),
        _refusal("optimizer", UNKNOWN, _unknown_optimizer),
        _refusal("momentum-form", UNKNOWN, _unknown_momentum_form),
        _refusal("loss", UNKNOWN, _unknown_loss),
        Behaviour("weights-as-given", (cases[0],), _weights_as_given),
    ]
