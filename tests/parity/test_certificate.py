"""Certificates: the verdict on every framework, and what it stands on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from harness.errors import EnvironmentFailed
from harness.parity.certificate import Probed, make_certificate
from harness.parity.contract_cases import contract_cases
from harness.parity.probing import Probe
from harness.records.certificates import subject_sha256
from harness.study import FrameworkDescription, load_frameworks
from tests.frameworks.reference import probe

(CASE,) = (case for case in contract_cases() if case.name == "max-pool")
REFERENCE = probe(CASE)


@dataclass
class Environment:
    """All that a certificate reads of one."""

    framework: FrameworkDescription


def probed(found: Probe | None, failure: str | None = None) -> Probed:
    probes = {} if found is None else {CASE.name: found}
    return Probed(Environment(load_frameworks()["numpy"]), probes, failure)  # type: ignore[arg-type]


def spoiled(key: str, bad: float) -> Probe:
    array = REFERENCE.arrays[key].copy()
    array.flat[0] = bad
    return Probe({**REFERENCE.arrays, key: array})


def certificate(**frameworks: Probed) -> dict[str, Any]:
    content = make_certificate(CASE, probed(REFERENCE), frameworks)
    json.dumps(content, allow_nan=False)
    return content


def test_a_framework_that_computes_the_same_agrees() -> None:
    content = certificate(same=probed(probe(CASE, precision="float32")))
    assert content["passed"]
    own = content["frameworks"]["same"]
    assert own["verdict"] == "agrees" and "violation" not in own
    assert 0 < own["largest"]["loss"]["relative"] < 1e-5
    assert own["largest"]["weights_before"]["relative"] == 0


def test_a_difference_is_named_with_its_known_causes() -> None:
    content = certificate(other=probed(spoiled("gradients:convolution1.weights", 9.0)), same=probed(REFERENCE))
    assert not content["passed"]
    own = content["frameworks"]["other"]
    assert own["verdict"] == "differs"
    violation = own["violation"]
    assert (violation["quantity"], violation["name"]) == ("gradients", "convolution1.weights")
    assert [cause["name"] for cause in violation["causes"]] == ["max-pool ties"]
    assert content["frameworks"]["same"]["verdict"] == "agrees"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_a_difference_without_a_number(bad: float) -> None:
    own = certificate(other=probed(spoiled("activations_after:logits", bad)))["frameworks"]["other"]
    assert (own["verdict"], own["violation"]["relative"]) == ("differs", None)
    assert own["largest"]["activations_after"] == {"name": "logits", "relative": None, "tolerance": 2e-2}


@pytest.mark.parametrize(
    ("one", "verdict", "reason"),
    [
        (probed(Probe({}, unsupported="layer kind 'x': none here")), "unsupported", "layer kind 'x': none here"),
        (probed(Probe({}, error="RuntimeError: no")), "failed", "RuntimeError: no"),
        (probed(None, "the engine is gone"), "failed", "the engine is gone"),
    ],
)
def test_what_was_not_compared_does_not_pass(one: Probed, verdict: str, reason: str) -> None:
    content = certificate(one=one, same=probed(REFERENCE))
    assert not content["passed"]
    assert (content["frameworks"]["one"]["verdict"], content["frameworks"]["one"]["reason"]) == (verdict, reason)


def test_without_a_reference_there_is_no_certificate() -> None:
    with pytest.raises(EnvironmentFailed, match="the reference did not go through case 'max-pool': no room"):
        make_certificate(CASE, probed(None, "no room"), {"same": probed(REFERENCE)})


def test_the_subject_is_what_could_set_two_adapters_apart() -> None:
    network, setting = CASE.network.model_dump(mode="json"), CASE.setting.model_dump(mode="json")

    def subject(**changes: Any) -> str:
        return subject_sha256(network, {**setting, **changes}, CASE.loss)

    same = {"name": "other", "steps": 99, "batch_size": 3, "learning_rate": {"policy": "FIX", "k0": 1.0}}
    assert subject() == subject(**same) == certificate()["subject_sha256"]
    multipliers = {"weights": {"rate": 1.0, "decay": 1.0}, "biases": {"rate": 3.0, "decay": 0.0}}
    others = [
        subject(multipliers=multipliers),
        subject(weight_average={"decay": 0.9}),
        subject(optimizer={**setting["optimizer"], "momentum": 0.5}),
    ]
    layers = [{**layer, "kernel": 4} if layer["kind"] == "convolution" else layer for layer in network["layers"]]
    others.append(subject_sha256({**network, "layers": layers}, setting, CASE.loss))
    assert len({subject(), *others}) == 5
