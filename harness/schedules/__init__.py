"""Learning-rate policies: the learning rate as a pure function of the step."""

from __future__ import annotations

from harness.schedules.policies import Exp, Fix, Inv, Nstep, Policy, Poly, Step, learning_rates, parse_policy

__all__ = ["Exp", "Fix", "Inv", "Nstep", "Policy", "Poly", "Step", "learning_rates", "parse_policy"]
