"""The settings' optimizers and the average of the weights, as updates of shared variables."""

from __future__ import annotations

import numpy as np

from frameworks.worker.adapter import check_optimizer


def optimizer_updates(theano, gradients, parameters, setting, settings, rate):
    """`[(shared variable, its new value)]` of one step: the parameters, and what the optimizer remembers.

    Args:
        gradients, parameters: by name.
        settings: name -> `{rate, weight_decay}`.
        rate: the step's learning rate.
    """
    optimizer = check_optimizer(setting)
    make = {"sgd": Sgd, "adam": Adam}[optimizer["kind"]](theano, optimizer)
    updates = make.common
    for name, parameter in parameters.items():
        own, gradient = settings[name], gradients[name]
        if own["weight_decay"]:
            gradient = gradient + np.float32(own["weight_decay"]) * parameter
        updates = updates + make.updates(parameter, gradient, rate * np.float32(own["rate"]))
    return updates


def average_updates(theano, parameters, updates, decay):
    """Moving averages of the parameters, from their values after a step's updates.

    Returns:
        `({name: shared variable}, [(shared variable, its new value)])`
    """
    after = dict(updates)
    averages = {name: theano.shared(value.get_value(), name=name + ".average") for name, value in parameters.items()}
    kept, new = np.float32(decay), np.float32(1.0 - decay)
    return averages, [(averages[name], kept * averages[name] + new * after[parameters[name]]) for name in parameters]


class Sgd:
    """`v = m v + r g; w -= v` or `v = m v + g; w -= r v`; with Nesterov's momentum as if `v` were updated once more."""

    def __init__(self, theano, optimizer):
        self.theano = theano
        self.rate_in_velocity = optimizer["momentum_form"] == "rate_in_velocity"
        self.momentum, self.nesterov = np.float32(optimizer["momentum"]), optimizer["nesterov"]
        self.common = []

    def updates(self, parameter, gradient, rate):
        """Of one parameter."""
        updates = []
        step = rate * gradient if self.rate_in_velocity else gradient
        if self.momentum:
            velocity = zeros_like(self.theano, parameter, "velocity")
            new_velocity = self.momentum * velocity + step
            updates.append((velocity, new_velocity))
            step = self.momentum * new_velocity + step if self.nesterov else new_velocity
        return [*updates, (parameter, parameter - (step if self.rate_in_velocity else rate * step))]


class Adam:
    """Both places of epsilon: with `c = 1 - b2^t`, one beside `sqrt(v / c)` is `epsilon sqrt(c)` beside `sqrt(v)`.

    The corrections are scalars in float64: in float32, `1 - 0.999` alone would be wrong by 1e-5.
    """

    def __init__(self, theano, optimizer):
        tensor = theano.tensor
        self.theano, self.tensor = theano, tensor
        self.betas = optimizer["beta1"], optimizer["beta2"]
        steps = theano.shared(np.zeros((), np.float64), name="steps")
        # As constants of that type: Theano would make float32 of a Python number.
        one, beta1, beta2 = (tensor.constant(value, dtype="float64") for value in (1.0, *self.betas))
        self.common = [(steps, steps + one)]
        root = tensor.sqrt(one - beta2 ** (steps + one))
        self.factor = tensor.cast(root / (one - beta1 ** (steps + one)), "float32")
        epsilon = np.float32(optimizer["epsilon"])
        corrected = optimizer["epsilon_placement"] == "corrected"
        self.epsilon = epsilon * tensor.cast(root, "float32") if corrected else epsilon

    def updates(self, parameter, gradient, rate):
        """Of one parameter."""
        first, second = zeros_like(self.theano, parameter, "mean"), zeros_like(self.theano, parameter, "square")
        (kept1, new1), (kept2, new2) = ((np.float32(beta), np.float32(1.0 - beta)) for beta in self.betas)
        new_first = kept1 * first + new1 * gradient
        new_second = kept2 * second + new2 * gradient * gradient
        step = rate * self.factor * new_first / (self.tensor.sqrt(new_second) + self.epsilon)
        return [(first, new_first), (second, new_second), (parameter, parameter - step)]


def zeros_like(theano, parameter, what):
    """A shared variable for what an optimizer remembers of a parameter."""
    return theano.shared(np.zeros_like(parameter.get_value(borrow=True)), name="%s.%s" % (parameter.name, what))
