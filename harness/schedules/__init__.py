"""Learning-rate policies: the learning rate as a pure function of the step."""

from __future__ import annotations

from harness.schedules.plateau import (
    ChangeOnPlateau,
    LearningRate,
    PlateauRule,
    ReduceOnPlateau,
    candidate_rates,
    parse_learning_rate,
    starting_policy,
)
from harness.schedules.policies import Exp, Fix, Inv, Nstep, Policy, Poly, Step, learning_rates, parse_policy

__all__ = [
    "ChangeOnPlateau",
    "Exp",
    "Fix",
    "Inv",
    "LearningRate",
    "Nstep",
    "PlateauRule",
    "Policy",
    "Poly",
    "ReduceOnPlateau",
    "Step",
    "candidate_rates",
    "learning_rates",
    "parse_learning_rate",
    "parse_policy",
    "starting_policy",
]
