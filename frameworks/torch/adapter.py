"""Torch: resident tensors, `torch.nn.functional`, `torch.optim.SGD`."""

from __future__ import annotations

import platform
import time

import numpy as np

from frameworks.worker.adapter import Adapter as Base
from frameworks.worker.adapter import Unsupported, check_optimizer, layer_input_name, rate_multipliers


class Adapter(Base):
    """See `frameworks.worker.adapter.Adapter`."""

    def start(self):
        import torch

        self.torch = torch
        torch.set_num_threads(self.profile["threads"]["intra_op"])
        if self.profile["threads"].get("inter_op"):
            torch.set_num_interop_threads(self.profile["threads"]["inter_op"])
        self.device = torch.device("cpu")
        self.images, self.labels = {}, {}
        self._data_ns = 0

    def describe(self):
        torch = self.torch
        return {
            "version": torch.__version__,
            "devices": [{"kind": "cpu", "name": platform.processor() or platform.machine()}],
            "threads": {"intra_op": torch.get_num_threads(), "inter_op": torch.get_num_interop_threads()},
            "packages": {"torch": torch.__version__, "build": torch.__config__.show()},
            "compile_cache": None,
        }

    def stage(self, split, images, labels):
        self.images[split] = self.torch.from_numpy(images).to(self.device)
        self.labels[split] = self.torch.from_numpy(labels.astype(np.int64)).to(self.device)

    def build(self, network, loss, setting, weights):
        torch = self.torch
        if loss != "softmax_cross_entropy":
            raise Unsupported("loss %r" % loss, "this adapter has softmax_cross_entropy")
        self.layers = network["layers"]
        self.forward_of = {layer["name"]: make_layer(torch, layer) for layer in self.layers}
        self.parameters = {
            name: torch.tensor(value, device=self.device, requires_grad=True) for name, value in weights.items()
        }
        self.optimizer = Sgd(torch, self.parameters, setting)

    def logits(self, images):
        values = {"input": images}
        for layer in self.layers:
            name = layer["name"]
            values[name] = self.forward_of[name](values[layer_input_name(layer)], self.parameters)
        return values[self.layers[-1]["name"]]

    def train_step(self, indices, learning_rate):
        torch = self.torch
        before_ns = time.monotonic_ns()
        chosen = torch.from_numpy(indices.astype(np.int64)).to(self.device)
        images, labels = self.images["train"][chosen], self.labels["train"][chosen]
        self._data_ns = time.monotonic_ns() - before_ns
        self.optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(self.logits(images), labels)
        loss.backward()
        self.optimizer.step(learning_rate)
        return loss.item()

    def data_ns(self):
        return self._data_ns

    def predict(self, split, indices):
        torch = self.torch
        with torch.no_grad():
            chosen = torch.from_numpy(indices.astype(np.int64)).to(self.device)
            return torch.softmax(self.logits(self.images[split][chosen]), dim=1).cpu().numpy()

    def weights(self):
        return {name: value.detach().cpu().numpy().copy() for name, value in self.parameters.items()}


class Sgd:
    """`torch.optim.SGD` doing what the setting says, in either form of momentum.

    Torch's own form is `v = m v + g; w -= r v`. The other, `v = m v + r g; w -= v`, is had exactly by giving the
    optimizer rate 1 and scaling the gradient, weight decay folded in, by the step's rate.
    """

    def __init__(self, torch, parameters, setting):
        description = check_optimizer(setting)
        self.rate_in_velocity = description["momentum_form"] == "rate_in_velocity"
        decay = float(description["weight_decay"])
        self.groups = []
        for kind in ("weights", "biases"):
            chosen = [value for name, value in parameters.items() if name.endswith("." + kind)]
            rate, decay_multiplier = rate_multipliers(setting, kind)
            self.groups.append({"params": chosen, "multiplier": rate, "decay": decay * decay_multiplier})
        self.optimizer = torch.optim.SGD(
            [
                {"params": group["params"], "weight_decay": 0.0 if self.rate_in_velocity else group["decay"]}
                for group in self.groups
            ],
            lr=1.0,
            momentum=float(description["momentum"]),
        )

    def zero_grad(self):
        for group in self.groups:
            for parameter in group["params"]:
                parameter.grad = None

    def step(self, rate):
        for group, own in zip(self.groups, self.optimizer.param_groups):
            scaled = rate * group["multiplier"]
            if not self.rate_in_velocity:
                own["lr"] = scaled
                continue
            for parameter in group["params"]:
                if group["decay"]:
                    parameter.grad.add_(parameter.detach(), alpha=group["decay"])
                parameter.grad.mul_(scaled)
        self.optimizer.step()


def make_layer(torch, layer):
    """A function `(input, parameters) -> output` for one layer of the network."""
    functional, name, kind = torch.nn.functional, layer["name"], layer["kind"]
    if kind == "convolution":
        stride, padding = layer["stride"], layer["padding"]
        return lambda x, p: functional.conv2d(x, p[name + ".weights"], p[name + ".biases"], stride, padding)
    if kind == "max_pool":
        size, stride = layer["kernel"], layer["stride"]
        return lambda x, _: functional.max_pool2d(x, size, stride)
    if kind == "dense":
        return lambda x, p: functional.linear(torch.flatten(x, 1), p[name + ".weights"], p[name + ".biases"])
    if kind == "relu":
        return lambda x, _: functional.relu(x)
    raise Unsupported("layer %s of kind %r" % (name, kind), "this adapter has convolution, max_pool, dense, relu")
