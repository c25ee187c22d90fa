"""Learning-rate policies: the learning rate as a pure function of the step."""

from __future__ import annotations

from harness.schedules.base import PolicyError, PolicyModel
from harness.schedules.catalogue import FUNCTIONS, Function
from harness.schedules.plateau import (
    ChangeOnPlateau,
    LearningRate,
    PlateauRule,
    ReduceOnPlateau,
    candidate_rates,
    parse_learning_rate,
    starting_policy,
)
from harness.schedules.policies import Policy, learning_rates, parse_policy, policy, scaled
from harness.schedules.string_form import string_form

__all__ = [
    "FUNCTIONS",
    "ChangeOnPlateau",
    "Function",
    "LearningRate",
    "PlateauRule",
    "Policy",
    "PolicyError",
    "PolicyModel",
    "ReduceOnPlateau",
    "candidate_rates",
    "learning_rates",
    "parse_learning_rate",
    "parse_policy",
    "policy",
    "scaled",
    "starting_policy",
    "string_form",
]
