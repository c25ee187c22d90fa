"""Settings as data: complete sets of hyper-parameters."""

from __future__ import annotations

from harness.workloads.settings.setting import (
    Evaluation,
    Multipliers,
    Setting,
    Sgd,
    load_setting,
    setting_names,
)

__all__ = ["Evaluation", "Multipliers", "Setting", "Sgd", "load_setting", "setting_names"]
