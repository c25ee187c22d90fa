"""Learning-rate policies: the learning rate as a pure function of the step."""

from __future__ import annotations

from harness.schedules.base import MOST_STEPS, PolicyError, PolicyModel
from harness.schedules.catalogue import FUNCTIONS, Function
from harness.schedules.plateau import (
    ChangeOnPlateau,
    LearningRate,
    PlateauRule,
    ReduceOnPlateau,
    candidate_rates,
    parse_learning_rate,
    starting_policy,
    usable_evaluations,
)
from harness.schedules.policies import Policy, learning_rates, parse_policy, policy, scaled
from harness.schedules.prototxt import load_solver_policy, read_solver_policy
from harness.schedules.string_form import plain_values, string_form

__all__ = [
    "FUNCTIONS",
    "MOST_STEPS",
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
    "load_solver_policy",
    "parse_learning_rate",
    "parse_policy",
    "plain_values",
    "policy",
    "read_solver_policy",
    "scaled",
    "starting_policy",
    "string_form",
    "usable_evaluations",
]
