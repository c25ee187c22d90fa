"""The settings' optimizers: functions of arrays, compiled into the training step."""

from __future__ import annotations

import math

from frameworks.worker.adapter import check_optimizer


def make_optimizer(jax, setting, settings):
    """An object with two functions of arrays.

    `start(parameters)` gives the state before the first step; `step(parameters, gradients, state, rate)` gives
    (parameters, state) after one. Parameters and gradients are dicts by name, the state is a dict of such dicts.

    Args:
        settings: parameter name -> `{rate, weight_decay}`.
    """
    kind = {"sgd": Sgd, "adam": Adam}[check_optimizer(setting)["kind"]]
    return kind(jax, setting["optimizer"], settings)


class _Optimizer:
    """Common to both: the rate and the decay of each parameter."""

    def __init__(self, jax, optimizer, settings):
        self.jax = jax
        self.optimizer = optimizer
        self.settings = settings

    def decayed(self, name, parameter, gradient):
        """The gradient with the parameter's weight decay in it."""
        decay = self.settings[name]["weight_decay"]
        return gradient + decay * parameter if decay else gradient

    def zeros(self, parameters):
        """A zero for every number of the parameters, each array in a buffer of its own so that it can be donated."""
        return {name: self.jax.numpy.zeros_like(value) for name, value in parameters.items()}


class Sgd(_Optimizer):
    """Momentum in both forms: `v = m v + r g; w -= v` (`rate_in_velocity`) and `v = m v + g; w -= r v`.

    With `nesterov` the last assignment takes `m v + r g`, respectively `m v + g`, in place of `v`.
    """

    def start(self, parameters):
        return {"velocities": self.zeros(parameters)} if self.optimizer["momentum"] else {}

    def step(self, parameters, gradients, state, rate):
        momentum, nesterov = self.optimizer["momentum"], self.optimizer["nesterov"]
        in_velocity = self.optimizer["momentum_form"] == "rate_in_velocity"
        changed, velocities = {}, {}
        for name, parameter in parameters.items():
            own_rate = rate * self.settings[name]["rate"]
            change = self.decayed(name, parameter, gradients[name])
            change = own_rate * change if in_velocity else change
            if momentum:
                velocities[name] = momentum * state["velocities"][name] + change
                change = momentum * velocities[name] + change if nesterov else velocities[name]
            changed[name] = parameter - (change if in_velocity else own_rate * change)
        return changed, {"velocities": velocities} if momentum else {}


class Adam(_Optimizer):
    """Adam with epsilon beside the corrected root (`corrected`) or beside the uncorrected one.

    The formulas are those of `harness.workloads.settings.setting.Adam`.
    """

    def start(self, parameters):
        steps = self.jax.numpy.zeros((), "int32")
        return {"steps": steps, "first": self.zeros(parameters), "second": self.zeros(parameters)}

    def step(self, parameters, gradients, state, rate):
        sqrt, beta1, beta2 = self.jax.numpy.sqrt, self.optimizer["beta1"], self.optimizer["beta2"]
        epsilon, corrected = self.optimizer["epsilon"], self.optimizer["epsilon_placement"] == "corrected"
        steps = state["steps"] + 1
        share1, share2 = share_of_steps(self.jax, beta1, steps), share_of_steps(self.jax, beta2, steps)
        changed, first, second = {}, {}, {}
        for name, parameter in parameters.items():
            own_rate = rate * self.settings[name]["rate"]
            gradient = self.decayed(name, parameter, gradients[name])
            m = first[name] = beta1 * state["first"][name] + (1.0 - beta1) * gradient
            v = second[name] = beta2 * state["second"][name] + (1.0 - beta2) * gradient * gradient
            if corrected:
                change = own_rate / share1 * m / (sqrt(v / share2) + epsilon)
            else:
                change = own_rate * sqrt(share2) / share1 * m / (sqrt(v) + epsilon)
            changed[name] = parameter - change
        return changed, {"steps": steps, "first": first, "second": second}


def share_of_steps(jax, decay, steps):
    """`1 - decay ** steps`, what a moving average that started at 0 has to be divided by.

    By `expm1`: in float32 the difference itself would lose four of its seven digits at a decay of 0.999.
    """
    return -jax.numpy.expm1(steps * (math.log(decay) if decay else -math.inf))
