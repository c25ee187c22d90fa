"""The cases of the adapter contract: every layer kind, option and optimizer, each in a small network of its own."""

from __future__ import annotations

from typing import Any

from harness.parity.case import Case, case_from

CLASSES = 5
IMAGES = 48
STEPS = 6
BATCH = 8

SGD: dict[str, Any] = {"kind": "sgd", "momentum": 0.9, "momentum_form": "rate_in_velocity", "weight_decay": 0.001}
RATE: dict[str, Any] = {"policy": "INV", "k0": 0.02, "gamma": 0.1, "p": 0.75}


def setting(**changes: Any) -> dict[str, Any]:
    """A setting whose rate changes with every step, with other multipliers for biases."""
    base = {
        "name": "contract",
        "steps": STEPS,
        "batch_size": BATCH,
        "optimizer": SGD,
        "learning_rate": RATE,
        "multipliers": {"weights": {"rate": 1.0, "decay": 1.0}, "biases": {"rate": 2.0, "decay": 0.0}},
        "initialisation": {
            "weights": {"kind": "glorot_uniform"},
            "biases": {"kind": "gaussian", "std": 0.1},
        },
        "evaluation": {"every_steps": STEPS, "batch_size": 16},
    }
    return {**base, **changes}


def network(*layers: dict[str, Any], size: tuple[int, int, int] = (3, 9, 9)) -> dict[str, Any]:
    """The layers, named by their kind where they have no name, with a dense layer for the logits behind them."""
    named = [{"name": f"{layer['kind'].replace('_', '-')}{i}", **layer} for i, layer in enumerate(layers, start=1)]
    return {
        "name": "contract",
        "input": list(size),
        "layers": [*named, {"name": "logits", "kind": "dense", "units": CLASSES}],
    }


LRN = {"kind": "local_response_normalisation", "alpha": 0.5, "beta": 0.75}
CONV = {"kind": "convolution", "filters": 6, "kernel": 3}
NETWORKS: dict[str, dict[str, Any]] = {
    "convolution-valid": network(CONV),
    "convolution-padded": network({**CONV, "padding": 1}),
    "convolution-stride": network({**CONV, "padding": 1, "stride": 2}),
    "convolution-same-stride": network({**CONV, "padding": "same", "stride": 2}, size=(3, 8, 8)),
    "convolution-leftover": network({**CONV, "stride": 2}, size=(3, 8, 10)),
    "convolution-groups": network({**CONV, "groups": 3}),
    "convolution-connections": network(CONV, {**CONV, "filters": 8, "connections": {"fan_in": 2, "seed": 3}}),
    "convolution-no-biases": network({**CONV, "biases": False}),
    "convolution-5x5-same": network({"kind": "convolution", "filters": 4, "kernel": 5, "padding": "same"}),
    "dense-no-biases": network({"kind": "dense", "units": 7, "biases": False}),
    "max-pool": network(CONV, {"kind": "max_pool", "kernel": 2, "stride": 2, "rounding": "floor"}),
    "max-pool-ceil": network(CONV, {"kind": "max_pool", "kernel": 3, "stride": 2, "rounding": "ceil"}, size=(3, 8, 9)),
    "max-pool-same": network(CONV, {"kind": "max_pool", "kernel": 3, "stride": 2, "padding": "same"}, size=(3, 8, 9)),
    "max-pool-padded": network(CONV, {"kind": "max_pool", "kernel": 3, "stride": 3, "padding": 1, "rounding": "floor"}),
    "average-pool": network(CONV, {"kind": "average_pool", "kernel": 2, "stride": 2, "rounding": "floor"}),
    "average-pool-ceil": network(
        CONV, {"kind": "average_pool", "kernel": 3, "stride": 2, "rounding": "ceil"}, size=(3, 8, 9)
    ),
    "average-pool-same": network(
        CONV, {"kind": "average_pool", "kernel": 3, "stride": 2, "padding": "same"}, size=(3, 8, 9)
    ),
    "average-pool-padded": network(
        CONV,
        {"kind": "average_pool", "kernel": 3, "stride": 2, "padding": 1, "rounding": "ceil", "divisor": "padded"},
        size=(3, 8, 9),
    ),
    "average-pool-padded-inside": network(
        CONV, {"kind": "average_pool", "kernel": 3, "stride": 2, "padding": 1, "rounding": "floor"}, size=(3, 8, 9)
    ),
    "global-average-pool": network(CONV, {"kind": "global_average_pool"}),
    "relu": network(CONV, {"kind": "relu"}),
    "tanh": network(CONV, {"kind": "tanh"}),
    "sigmoid": network({"kind": "dense", "units": 9}, {"kind": "sigmoid"}),
    "dropout": network({"kind": "dense", "units": 32}, {"kind": "relu"}, {"kind": "dropout", "keep": 0.5}),
    "dropout-images": network(CONV, {"kind": "dropout", "keep": 0.75}),
    "lrn-channels": network(
        CONV,
        {
            "kind": "local_response_normalisation",
            "across": "channels",
            "size": 5,
            "alpha": 0.5,
            "beta": 0.75,
            "bias": 2.0,
        },
    ),
    "lrn-space": network(CONV, {**LRN, "across": "space", "size": 3}),
    "batch-normalisation": network(
        {**CONV, "biases": False}, {"kind": "batch_normalisation", "epsilon": 1e-5, "decay": 0.9}, {"kind": "tanh"}
    ),
    "residual": network(
        {**CONV, "name": "a", "padding": 1},
        {"kind": "tanh", "name": "b"},
        {**CONV, "name": "c", "padding": 1, "inputs": ["b"]},
        {"kind": "add", "name": "d", "inputs": ["c", "b"]},
        {"kind": "global_average_pool", "name": "e"},
    ),
}

PLAIN = network(CONV, {"kind": "tanh"})
SETTINGS: dict[str, dict[str, Any]] = {
    "sgd-plain": setting(optimizer={"kind": "sgd"}),
    "sgd-rate-on-velocity": setting(optimizer={**SGD, "momentum_form": "rate_on_velocity"}),
    "sgd-nesterov-in": setting(optimizer={**SGD, "nesterov": True}),
    "sgd-nesterov-on": setting(optimizer={**SGD, "nesterov": True, "momentum_form": "rate_on_velocity"}),
    "adam-corrected": setting(
        optimizer={"kind": "adam", "epsilon_placement": "corrected", "epsilon": 0.01, "weight_decay": 0.001}
    ),
    "adam-uncorrected": setting(
        optimizer={"kind": "adam", "epsilon_placement": "uncorrected", "epsilon": 0.01, "weight_decay": 0.001}
    ),
    "weight-average": setting(weight_average={"decay": 0.8}),
    "rules": setting(
        rules=[
            {"layers": ["logits"], "weights": {"rate": 0.5, "decay": 250.0}, "biases": {"decay": 3.0}},
            {"layers": ["convolution1"], "weights": {"initialisation": {"kind": "truncated_normal", "std": 0.2}}},
        ]
    ),
}


def contract_cases() -> list[Case]:
    """All cases, on random images."""
    layers = [_case(name, own, setting()) for name, own in NETWORKS.items()]
    return [*layers, *(_case(name, PLAIN, own) for name, own in SETTINGS.items())]


def _case(name: str, own: dict[str, Any], own_setting: dict[str, Any]) -> Case:
    return case_from(name, own, own_setting, steps=STEPS, images=IMAGES, classes=CLASSES)
