"""Settings: multipliers and rules of single parameters, initial values, mistakes in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import FileFormatError
from harness.workloads import initial_weights, load_network, load_setting, parameter_settings, parameters
from harness.workloads.settings import Setting, rules_without_layer

NETWORK = {
    "name": "net",
    "input": [3, 8, 8],
    "layers": [
        {"name": "conv1", "kind": "convolution", "filters": 16, "kernel": 3},
        {"name": "norm1", "kind": "batch_normalisation", "epsilon": 1e-5, "decay": 0.9},
        {"name": "conv2", "kind": "convolution", "filters": 16, "kernel": 3},
        {"name": "logits", "kind": "dense", "units": 10},
    ],
}


def setting(**changes: Any) -> dict[str, Any]:
    base = {
        "name": "mine",
        "steps": 10,
        "batch_size": 4,
        "optimizer": {"kind": "sgd", "momentum": 0.9, "weight_decay": 0.01},
        "learning_rate": {"policy": "FIX", "k0": 0.1},
        "initialisation": {"weights": {"kind": "gaussian", "std": 0.1}, "biases": {"kind": "constant", "value": 0.5}},
        "evaluation": {"every_steps": 10, "batch_size": 4},
    }
    return {**base, **changes}


def test_every_parameter_has_its_rate_and_decay() -> None:
    multipliers = {"weights": {"rate": 1.0, "decay": 1.0}, "biases": {"rate": 2.0, "decay": 0.5}}
    found = parameter_settings(NETWORK, setting(multipliers=multipliers))
    assert list(found) == list(parameters(NETWORK))
    for layer in ("conv1", "norm1", "conv2", "logits"):
        assert found[f"{layer}.weights"] == {"rate": 1.0, "weight_decay": 0.01}
        assert found[f"{layer}.biases"] == {"rate": 2.0, "weight_decay": 0.005}


def test_rules_change_only_what_they_name_and_later_ones_win() -> None:
    rules = [
        {"layers": ["conv1", "conv2"], "weights": {"rate": 0.5, "decay": 3.0}},
        {"layers": ["conv2"], "weights": {"decay": 0.0}, "biases": {"rate": 4.0}},
    ]
    found = parameter_settings(NETWORK, setting(rules=rules))
    assert found["conv1.weights"] == {"rate": 0.5, "weight_decay": pytest.approx(0.03)}
    assert found["conv1.biases"] == {"rate": 1.0, "weight_decay": 0.01}
    assert found["conv2.weights"] == {"rate": 0.5, "weight_decay": 0.0}
    assert found["conv2.biases"] == {"rate": 4.0, "weight_decay": 0.01}
    assert found["logits.weights"] == {"rate": 1.0, "weight_decay": 0.01}


def test_decay_on_chosen_layers_only() -> None:
    """TensorFlow's CIFAR-10 network decays the weights of two dense layers and nothing else."""
    found = parameter_settings(load_network("tensorflow-cifar10"), load_setting("tensorflow-cifar10"))
    decayed = {name: own["weight_decay"] for name, own in found.items() if own["weight_decay"]}
    assert decayed == {"local3.weights": 0.004, "local4.weights": 0.004}


def test_a_multiplier_of_caffe_s_full_cifar10_network() -> None:
    found = parameter_settings(load_network("cnn3"), load_setting("cnn3"))
    assert found["dense1.weights"] == {"rate": 1.0, "weight_decay": pytest.approx(1.0)}
    assert found["dense1.biases"] == {"rate": 2.0, "weight_decay": 0.0}
    assert found["conv3.biases"] == {"rate": 1.0, "weight_decay": 0.004}


def test_initial_values_by_role_and_rule() -> None:
    rules = [
        {"layers": ["conv1"], "weights": {"initialisation": {"kind": "gaussian", "std": 5.0}}},
        {"layers": ["logits"], "biases": {"initialisation": {"kind": "constant", "value": -1.0}}},
    ]
    weights = initial_weights(NETWORK, setting(rules=rules), 1)
    assert weights["conv1.weights"].std() == pytest.approx(5.0, rel=0.1)
    assert weights["conv2.weights"].std() == pytest.approx(0.1, rel=0.1)
    assert (weights["conv2.biases"] == 0.5).all() and (weights["logits.biases"] == -1).all()


def test_a_rule_reaches_batch_normalisation_and_nothing_else_does() -> None:
    plain = initial_weights(NETWORK, setting(), 1)
    assert (plain["norm1.weights"] == 1).all() and (plain["norm1.biases"] == 0).all()
    rules = [{"layers": ["norm1"], "weights": {"initialisation": {"kind": "constant", "value": 0.0}}}]
    weights = initial_weights(NETWORK, setting(rules=rules), 1)
    assert (weights["norm1.weights"] == 0).all() and (weights["norm1.biases"] == 0).all()
    np.testing.assert_array_equal(weights["conv2.weights"], plain["conv2.weights"])


def test_rules_that_concern_no_layer_are_found() -> None:
    rules = [{"layers": ["conv1", "gone"]}, {"layers": ["gone"]}, {"layers": ["logits"]}]
    parsed = Setting.model_validate(setting(rules=rules))
    assert [rule.layers for rule in rules_without_layer(NETWORK, parsed)] == [("gone",)]
    assert len(rules_without_layer(load_network("lenet"), parsed)) == 2


def test_epochs_are_rounded_up_to_steps() -> None:
    lengths = [({"epochs": 2.0}, 100), ({"epochs": 1.0}, 50), ({"epochs": 0.05}, 3)]
    for given, expected in lengths:
        parsed = Setting.model_validate(setting(steps=None, **given))
        assert parsed.steps_for(199) == expected


FILE = """\
setting: mine
steps: 10
batch_size: 4
optimizer: {kind: sgd, momentum: 0.9, weight_decay: 0.01}
learning_rate: {policy: FIX, k0: 0.1}
initialisation: {weights: {kind: he_normal}, biases: {kind: constant, value: 0.0}}
rules: [{layers: [conv1], weights: {rate: 2.0}}]
weight_average: {decay: 0.99}
evaluation: {every_steps: 10, batch_size: 4}
"""
ADAM = "{kind: adam, epsilon_placement: corrected}"
SGD = "{kind: sgd, momentum: 0.9, weight_decay: 0.01}"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kind: sgd", "kind: sgdm", "4: unknown kind 'sgdm' in optimizer … did you mean 'sgd'?"),
        ("kind: sgd", "kind: lion", "4: unknown kind 'lion' in optimizer; known: adam, sgd"),
        (SGD, ADAM.replace("corrected", "inside"), "4: optimizer.epsilon_placement should be 'corrected' or 'uncorr"),
        (SGD, "{kind: adam}", "4: key 'epsilon_placement' is missing in optimizer"),
        (SGD, ADAM.replace("}", ", beta1: 1.0}"), "4: optimizer.beta1 should be less than 1, not 1.0"),
        (SGD, ADAM.replace("}", ", momentum: 0.9}"), "4: unknown key 'momentum' in optimizer"),
        ("momentum: 0.9", "momentum: 0.9, momentum_form: torch", "4: optimizer.momentum_form should be 'rate_in_vel"),
        ("kind: he_normal", "kind: he_norml", "6: unknown kind 'he_norml' in initialisation.weights … did you mean"),
        ("rate: 2.0", "rate: -1.0", "7: rules[0].weights.rate should be greater than or equal to 0, not -1.0"),
        ("rate: 2.0", "raet: 2.0", "7: unknown key 'raet' in rules[0].weights … did you mean 'rate'?"),
        ("layers: [conv1]", "layers: []", "7: rules[0].layers should have at least 1 item, not []"),
        ("decay: 0.99", "decay: 1.0", "8: weight_average.decay should be less than 1, not 1.0"),
        ("steps: 10\n", "steps: 10\nepochs: 2\n", "exactly one of steps, epochs and samples should be given"),
    ],
)
def test_mistakes_in_a_setting_name_file_line_and_value(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in FILE
    (tmp_path / "mine.yaml").write_text(FILE.replace(old, new, 1))
    with pytest.raises(FileFormatError) as caught:
        load_setting("mine.yaml", relative_to=tmp_path)
    assert message in str(caught.value)
    if message[0].isdigit():
        assert f"mine.yaml:{message}" in str(caught.value)


def test_the_file_without_mistakes_loads_and_survives_the_round_trip(tmp_path: Path) -> None:
    for text in (FILE, FILE.replace(SGD, ADAM)):
        (tmp_path / "mine.yaml").write_text(text)
        loaded = load_setting("mine.yaml", relative_to=tmp_path)
        assert Setting.model_validate(loaded.model_dump(mode="json")) == loaded


VALIDATION = {"images": 10, "position": "last", "every_steps": 5}
STOPPING = {"watch": "error", "patience_steps": 5}


def test_images_held_out_are_no_part_of_an_epoch() -> None:
    values = {**setting(validation=VALIDATION), "epochs": 2.0}
    del values["steps"]
    found = Setting.model_validate(values)
    assert (found.trained_on(50), found.steps_for(50)) == (40, 20)


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"early_stopping": STOPPING}, "so validation should"),
        ({"early_stopping": STOPPING, "validation": {**VALIDATION, "every_steps": None}}, "so validation.every_steps"),
    ],
)
def test_early_stopping_without_anything_to_watch_is_refused(changes: dict[str, Any], missing: str) -> None:
    with pytest.raises(ValueError, match=missing):
        Setting.model_validate(setting(**changes))


def test_the_hold_outs_of_the_papers_scripts() -> None:
    theano, tensorflow = load_setting("theano-mnist"), load_setting("tensorflow-mnist")
    assert theano.trained_on(60_000) == 50_000
    assert theano.steps_for(60_000) == 20_000
    assert theano.early_stopping is not None
    assert theano.early_stopping.patience_steps == 10_000
    assert tensorflow.trained_on(60_000) == 55_000
    assert tensorflow.validation is not None
    assert tensorflow.validation.every_steps is None
