"""The settings' optimizers on `torch.optim`."""

from __future__ import annotations

import numpy as np

from frameworks.worker.adapter import check_optimizer


def make_optimizer(torch, parameters, setting, settings):
    """An object with `zero_grad()`, `step(rate)` and `rate`, that of the last step as it was used.

    Args:
        settings: parameter name -> `{rate, weight_decay}`.
    """
    kind = {"sgd": Sgd, "adam": Adam}[check_optimizer(setting)["kind"]]
    return kind(torch, grouped(parameters, settings), setting["optimizer"])


def grouped(parameters, settings):
    """`[{"params": [...], "rate": multiplier, "decay": weight decay}]`, parameters with the same numbers together."""
    groups = {}
    for name, value in parameters.items():
        own = settings[name]
        groups.setdefault((own["rate"], own["weight_decay"]), []).append(value)
    return [{"params": chosen, "rate": rate, "decay": decay} for (rate, decay), chosen in groups.items()]


class _Optimizer:
    """Common to both: the groups, the rate of the last step in the parameters' precision, and forgetting gradients.

    Torch itself would round a rate to float32 only inside its kernels, where nobody sees it.
    """

    def __init__(self, groups):
        self.groups = groups
        self.rate = None

    def zero_grad(self):
        for group in self.groups:
            for parameter in group["params"]:
                parameter.grad = None


class Sgd(_Optimizer):
    """`torch.optim.SGD` doing what the setting says, in either form of momentum.

    Torch's own form is `v = m v + g; w -= r v`. The other, `v = m v + r g; w -= v`, is had exactly by giving the
    optimizer rate 1 and scaling the gradient, weight decay folded in, by the step's rate. Nesterov's then follows too.
    """

    def __init__(self, torch, groups, optimizer):
        super().__init__(groups)
        self.rate_in_velocity = optimizer["momentum_form"] == "rate_in_velocity"
        momentum = float(optimizer["momentum"])
        self.optimizer = torch.optim.SGD(
            [
                {"params": group["params"], "weight_decay": 0.0 if self.rate_in_velocity else group["decay"]}
                for group in groups
            ],
            lr=1.0,
            momentum=momentum,
            nesterov=bool(optimizer["nesterov"]) and momentum > 0.0,
        )

    def step(self, rate):
        self.rate = float(np.float32(rate))
        for group, own in zip(self.groups, self.optimizer.param_groups):
            scaled = self.rate * group["rate"]
            if not self.rate_in_velocity:
                own["lr"] = scaled
                continue
            for parameter in group["params"]:
                if group["decay"]:
                    parameter.grad.add_(parameter.detach(), alpha=group["decay"])
                parameter.grad.mul_(scaled)
        self.optimizer.step()


class Adam(_Optimizer):
    """`torch.optim.Adam`, whose epsilon stands beside the corrected root (`corrected`).

    For `uncorrected`, `sqrt(v) + epsilon` before the correction: `m' / (sqrt(v') + epsilon / sqrt(1 - b2^t))` is the
    same, so the step's epsilon is set.
    """

    def __init__(self, torch, groups, optimizer):
        super().__init__(groups)
        self.beta2, self.epsilon, self.steps = float(optimizer["beta2"]), float(optimizer["epsilon"]), 0
        self.corrected = optimizer["epsilon_placement"] == "corrected"
        self.optimizer = torch.optim.Adam(
            [{"params": group["params"], "weight_decay": group["decay"]} for group in groups],
            lr=1.0,
            betas=(float(optimizer["beta1"]), self.beta2),
            eps=self.epsilon,
        )

    def step(self, rate):
        self.rate = float(np.float32(rate))
        self.steps += 1
        epsilon = self.epsilon if self.corrected else self.epsilon / (1.0 - self.beta2**self.steps) ** 0.5
        for group, own in zip(self.groups, self.optimizer.param_groups):
            own["lr"], own["eps"] = self.rate * group["rate"], epsilon
        self.optimizer.step()
