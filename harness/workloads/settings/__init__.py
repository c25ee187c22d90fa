"""Settings as data: complete sets of hyper-parameters."""

from __future__ import annotations

from harness.workloads.settings.applied import initial_weights, parameter_settings, rules_without_layer
from harness.workloads.settings.setting import (
    TOO_LONG,
    Adam,
    Evaluation,
    Multipliers,
    Rule,
    Setting,
    Sgd,
    load_setting,
    setting_names,
)

__all__ = [
    "TOO_LONG",
    "Adam",
    "Evaluation",
    "Multipliers",
    "Rule",
    "Setting",
    "Sgd",
    "initial_weights",
    "load_setting",
    "parameter_settings",
    "rules_without_layer",
    "setting_names",
]
