"""Exported schedulers in Torch, used as Torch's documentation shows."""

import io
import warnings

import torch
from cases import cases, equal, find_dlgauge

# Torch warns where the order of optimizer.step() and scheduler.step() is not its own.
warnings.simplefilter("error", UserWarning)


def optimizer_of_two_groups(rate=0.5):
    first, second = (torch.nn.Parameter(torch.zeros(1, dtype=torch.float64)) for _ in range(2))
    return torch.optim.SGD([{"params": [first]}, {"params": [second], "lr": 7.0}], lr=rate)


def trained(optimizer, scheduler, steps):
    """The rate that moved the parameters in every step: from 0 along a gradient of -1."""
    applied = []
    for _ in range(steps):
        parameters = [group["params"][0] for group in optimizer.param_groups]
        for parameter in parameters:
            parameter.data.zero_()
            parameter.grad = -torch.ones_like(parameter)
        optimizer.step()
        applied.append([float(parameter.detach()) for parameter in parameters])
        scheduler.step()
    return applied


def both(rates):
    return [[rate, rate] for rate in rates]


def gone_on(case, make, steps, *, with_optimizer, tensor=False):
    """A training that is cut, saved, and gone on with in new objects."""
    optimizer = optimizer_of_two_groups()
    scheduler = make(optimizer)
    applied = trained(optimizer, scheduler, steps)
    file = io.BytesIO()
    torch.save({"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}, file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    optimizer = optimizer_of_two_groups(torch.tensor(0.5, dtype=torch.float64) if tensor else 0.5)
    scheduler = make(optimizer)
    if with_optimizer:
        optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    return applied + trained(optimizer, scheduler, len(case.rates) - steps)


def main():
    find_dlgauge()
    from harness.schedules.export import torch_scheduler

    for case in cases():
        steps = len(case.rates)
        module = case.module()
        optimizer = optimizer_of_two_groups()
        scheduler = module.scheduler(optimizer)
        assert isinstance(scheduler, torch.optim.lr_scheduler.LRScheduler)
        equal(trained(optimizer, scheduler, steps), both(case.rates), f"{case.name}, file")
        equal(scheduler.get_last_lr(), [case.rates[-1]] * 2, f"{case.name}, after the last step")
        optimizer = optimizer_of_two_groups()
        scheduler = torch_scheduler(case.policy, optimizer, steps)
        equal(trained(optimizer, scheduler, steps), both(case.rates), f"{case.name}, function")
        make = module.scheduler
        equal(gone_on(case, make, 7, with_optimizer=True), both(case.rates), f"{case.name}, gone on")
        equal(gone_on(case, make, 7, with_optimizer=False), both(case.rates), f"{case.name}, scheduler alone")
    optimizer = optimizer_of_two_groups()
    applied = gone_on(case, case.module().scheduler, 7, with_optimizer=False, tensor=True)
    equal(applied, both(case.rates), "a rate in a tensor")
    print("torch", torch.__version__, len(cases()), "cases")


if __name__ == "__main__":
    main()
