"""Torch: resident tensors, `torch.nn.functional`, `torch.optim`."""

from __future__ import annotations

import platform
import re
import time

import numpy as np

from frameworks.torch import library
from frameworks.torch.layers import Context, MovingStatistics, make_layer
from frameworks.torch.optimizers import make_optimizer
from frameworks.worker.adapter import Adapter as Base
from frameworks.worker.adapter import check_loss, dtype_names


class Adapter(Base):
    """See `frameworks.worker.adapter.Adapter`."""

    def start(self):
        import torch

        self.torch = torch
        torch.set_num_threads(self.profile["threads"]["intra_op"])
        if self.profile["threads"].get("inter_op"):
            torch.set_num_interop_threads(self.profile["threads"]["inter_op"])
        library.choose(torch, self.profile.get("blas"))
        self.device = torch.device("cpu")
        self.images, self.labels = {}, {}
        self._data_ns = 0

    def describe(self):
        torch = self.torch
        build = torch.__config__.show()
        return {
            **library.describe(torch, self.profile["threads"]),
            "version": release(torch.__version__, build),
            "devices": [{"kind": "cpu", "name": platform.processor() or platform.machine()}],
            "packages": {"torch": torch.__version__, "build": build},
            "compile_cache": None,
        }

    def stage(self, split, images, labels):
        self.images[split] = self.torch.from_numpy(images).to(self.device)
        self.labels[split] = self.torch.from_numpy(labels.astype(np.int64)).to(self.device)

    def build(self, network, loss, setting, weights):
        torch = self.torch
        check_loss(loss)
        self.layers = [(layer["name"], layer["inputs"], make_layer(torch, layer)) for layer in network["layers"]]
        self.parameters = {
            name: torch.tensor(value, device=self.device, requires_grad=True) for name, value in weights.items()
        }
        self.statistics = {
            layer["name"]: MovingStatistics(torch, layer["output_shape"][0], layer["decay"])
            for layer in network["layers"]
            if layer["kind"] == "batch_normalisation"
        }
        self.optimizer = make_optimizer(torch, self.parameters, setting, network["parameters"])
        self.averages, self.decay = None, None
        if setting["weight_average"]:
            self.decay = setting["weight_average"]["decay"]
            self.averages = {name: value.detach().clone() for name, value in self.parameters.items()}

    def built(self):
        return {"precision": dtype_names(value.dtype for value in self.parameters.values())}

    def train_step(self, indices, learning_rate, masks):
        before_ns = time.monotonic_ns()
        chosen = self.torch.from_numpy(indices.astype(np.int64)).to(self.device)
        images, labels = self.images["train"][chosen], self.labels["train"][chosen]
        self._data_ns = time.monotonic_ns() - before_ns
        return self._step(images, labels, learning_rate, masks)

    def train_on(self, images, labels, learning_rate, masks):
        before_ns = time.monotonic_ns()
        images = self.torch.from_numpy(images).to(self.device)
        labels = self.torch.from_numpy(labels.astype(np.int64)).to(self.device)
        self._data_ns = time.monotonic_ns() - before_ns
        return self._step(images, labels, learning_rate, masks)

    def _step(self, images, labels, learning_rate, masks):
        self.optimizer.zero_grad()
        loss = self._loss(images, labels, Context(True, self._tensors(masks), self.statistics))
        loss.backward()
        self.optimizer.step(learning_rate)
        if self.averages is not None:
            with self.torch.no_grad():
                for name, average in self.averages.items():
                    average.lerp_(self.parameters[name], 1.0 - self.decay)
        return loss.item()

    def _loss(self, images, labels, context):
        outputs = self._forward(images, self.parameters, context)
        return self.torch.nn.functional.cross_entropy(outputs[self.layers[-1][0]], labels)

    def _forward(self, images, parameters, context):
        values = {"input": images}
        for name, inputs, function in self.layers:
            values[name] = function([values[source] for source in inputs], parameters, context)
        return values

    def _evaluate(self, split, indices):
        with self.torch.no_grad():
            chosen = self.torch.from_numpy(indices.astype(np.int64)).to(self.device)
            parameters = self.parameters if self.averages is None else self.averages
            return self._forward(self.images[split][chosen], parameters, Context(False, None, self.statistics))

    def _tensors(self, masks):
        return masks and {name: self.torch.from_numpy(mask).to(self.device) for name, mask in masks.items()}

    def data_ns(self):
        return self._data_ns

    def applied_rate(self):
        return self.optimizer.rate

    def predict(self, split, indices):
        logits = self._evaluate(split, indices)[self.layers[-1][0]]
        return self.torch.softmax(logits, dim=1).cpu().numpy()

    def weights(self):
        return {name: value.detach().cpu().numpy().copy() for name, value in self.parameters.items()}

    def activations(self, split, indices):
        values = self._evaluate(split, indices)
        return {name: values[name].cpu().numpy() for name, _, _ in self.layers}

    def gradients(self, indices, masks):
        chosen = self.torch.from_numpy(indices.astype(np.int64)).to(self.device)
        context = Context(True, self._tensors(masks), self.statistics, keep=True)
        loss = self._loss(self.images["train"][chosen], self.labels["train"][chosen], context)
        found = self.torch.autograd.grad(loss, list(self.parameters.values()))
        return {name: gradient.cpu().numpy() for name, gradient in zip(self.parameters, found)}


def release(version, build):
    """The release that a library was built from.

    Args:
        version: what Torch calls itself.
        build: its flags. Debian builds without telling Torch its version, which stays at the branch's (`1.7.0a0` in
            1.7.1); the flags have the release in the name of the source folder.
    """
    source = re.search(r"/pytorch-(\d+(?:\.\d+)+)=", build)
    return source.group(1) if source else version
