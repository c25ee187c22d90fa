"""A table of learning rates as a scheduler of Torch (2.0 or later)."""

from __future__ import annotations

import numpy as np
import torch
from torch.optim.lr_scheduler import LRScheduler


class RateTable(LRScheduler):
    """Sets the rate of step `t`, counted from 0, in every parameter group: `optimizer.step(); scheduler.step()`.

    The rate that the optimizer was made with plays no part. The table is no part of `state_dict()`: a scheduler that is
    to go on from a state is made from the same table.

    Args:
        optimizer: the optimizer.
        rates: learning rates, float64, shape `(steps,)`; after the last of them the rate stays what it was.
    """

    def __init__(self, optimizer, rates):
        self.rates = np.asarray(rates, dtype=np.float64)
        super().__init__(optimizer)

    def get_lr(self):
        """The rate of the step that comes next, once a parameter group (float)."""
        rate = float(self.rates[min(self.last_epoch, len(self.rates) - 1)])
        return [rate for _ in self.optimizer.param_groups]

    def state_dict(self):
        """The scheduler's state; plain values, so `torch.load` reads it with `weights_only`."""
        state = super().state_dict()
        del state["rates"]
        return state

    def load_state_dict(self, state_dict):
        """Go on from a state; the optimizer gets the rate of its step, whether its own state was loaded or not."""
        super().load_state_dict(state_dict)
        for group, rate in zip(self.optimizer.param_groups, self.get_lr()):
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
