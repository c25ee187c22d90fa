"""A setting applied to a network: multipliers, weight decay and initial values of every single parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.workloads.initialisation import Filler, Weights, draw_weights
from harness.workloads.networks import Network, parameters, parse_network
from harness.workloads.settings.setting import Rule, Setting


def parameter_settings(network: Network | Mapping[str, Any], setting: Setting | Mapping[str, Any]) -> dict[str, Any]:
    """Of every parameter, as plain values: `rate`, its factor on the learning rate, and its own `weight_decay`."""
    parsed = Setting.model_validate(setting)
    return {name: _multipliers(name, parsed) for name in parameters(network)}


def initial_weights(network: Network | Mapping[str, Any], setting: Setting | Mapping[str, Any], seed: int) -> Weights:
    """Initial parameters of a trial: `<layer>.weights` and `<layer>.biases` -> float32 arrays.

    The start values of batch normalisation (1 and 0) stay unless a rule names the layer.
    """
    parsed = Setting.model_validate(setting)
    fillers: dict[str, Filler] = {}
    for name, parameter in parameters(network).items():
        role = name.rsplit(".", 1)[1]
        if parameter.initial is None:
            fillers[name] = getattr(parsed.initialisation, role)
        for own in _rules_for(name, parsed):
            if own.initialisation is not None:
                fillers[name] = own.initialisation
    return draw_weights(network, fillers, seed)


def rules_without_layer(network: Network | Mapping[str, Any], setting: Setting) -> list[Rule]:
    """Rules of a setting that concern no layer of a network; a setting made for another network has some."""
    names = {layer.name for layer in parse_network(network).layers}
    return [rule for rule in setting.rules if not names & set(rule.layers)]


def _multipliers(name: str, setting: Setting) -> dict[str, float]:
    base = getattr(setting.multipliers, name.rsplit(".", 1)[1])
    rate, decay = base.rate, base.decay
    for own in _rules_for(name, setting):
        rate = rate if own.rate is None else own.rate
        decay = decay if own.decay is None else own.decay
    return {"rate": rate, "weight_decay": decay * setting.optimizer.weight_decay}


def _rules_for(name: str, setting: Setting) -> list[Any]:
    layer, role = name.rsplit(".", 1)
    return [getattr(rule, role) for rule in setting.rules if layer in rule.layers]
