"""Learning-rate policies: the learning rate as a pure function of the step."""

from __future__ import annotations

from harness.schedules.base import PolicyError, PolicyModel
from harness.schedules.catalogue import FUNCTIONS, Function
from harness.schedules.policies import Policy, learning_rates, parse_policy, policy, scaled
from harness.schedules.string_form import string_form

__all__ = [
    "FUNCTIONS",
    "Function",
    "Policy",
    "PolicyError",
    "PolicyModel",
    "learning_rates",
    "parse_policy",
    "policy",
    "scaled",
    "string_form",
]
