"""Caffe 1.0.0: `SGDSolver`, gathered mini-batches written straight into the input blobs."""

from __future__ import annotations

import os
import platform
import time

import numpy as np

from frameworks.worker.adapter import Adapter as Base
from frameworks.worker.adapter import Unsupported, check_optimizer, layer_input_name, rate_multipliers
from frameworks.worker.inspection import blas_threads


class Adapter(Base):
    """See `frameworks.worker.adapter.Adapter`."""

    def start(self):
        os.environ.setdefault("GLOG_minloglevel", "2")
        import caffe

        caffe.set_mode_cpu()
        self.caffe = caffe
        self.images, self.labels = {}, {}
        self._data_ns = 0

    def describe(self):
        return {
            "version": self.caffe.__version__,
            "devices": [{"kind": "cpu", "name": platform.processor() or platform.machine()}],
            "threads": {"intra_op": blas_threads(), "inter_op": None},
            "packages": {"caffe": self.caffe.__version__},
            "compile_cache": None,
        }

    def stage(self, split, images, labels):
        self.images[split] = images
        self.labels[split] = labels.astype(np.float32)

    def build(self, network, loss, setting, weights):
        if loss != "softmax_cross_entropy":
            raise Unsupported("loss %r" % loss, "this adapter has softmax_cross_entropy")
        optimizer = check_optimizer(setting)
        in_velocity = optimizer["momentum_form"] == "rate_in_velocity"
        self._write("train.prototxt", net_text(network, setting["batch_size"], "SoftmaxWithLoss"))
        self._write("predict.prototxt", net_text(network, setting["evaluation"]["batch_size"], "Softmax"))
        momentum = optimizer["momentum"] if in_velocity else 0.0
        self._write("solver.prototxt", solver_text(self._path("train.prototxt"), momentum))
        self.solver = self.caffe.SGDSolver(self._path("solver.prototxt"))
        self.net = self.solver.net
        check_shapes(network, self.net)
        self.parameters = {}
        for layer, blobs in self.net.params.items():
            self.parameters[layer + ".weights"], self.parameters[layer + ".biases"] = blobs[0], blobs[1]
        for name, value in weights.items():
            self.parameters[name].data[...] = value
        self.predictor = self.caffe.Net(self._path("predict.prototxt"), self.caffe.TEST)
        self.predictor.share_with(self.net)
        self.update = GradientScaling(self.parameters, setting, in_velocity)
        self.solver.add_callback(lambda: None, self.update.on_gradients_ready)
        self._image_blob, self._label_blob = self.net.blobs["input"].data, self.net.blobs["label"].data
        self._loss_blob = self.net.blobs["loss"].data

    def train_step(self, indices, learning_rate):
        before_ns = time.monotonic_ns()
        # mode="clip" lets NumPy write into the blob without a buffer between; the indices are in range.
        np.take(self.images["train"], indices, axis=0, out=self._image_blob, mode="clip")
        np.take(self.labels["train"], indices, axis=0, out=self._label_blob, mode="clip")
        self._data_ns = time.monotonic_ns() - before_ns
        self.update.rate = learning_rate
        self.solver.step(1)
        return float(self._loss_blob)

    def predict(self, split, indices):
        np.take(self.images[split], indices, axis=0, out=self.predictor.blobs["input"].data, mode="clip")
        return self.predictor.forward()["probabilities"].reshape(len(indices), -1)

    def weights(self):
        return {name: blob.data.copy() for name, blob in self.parameters.items()}

    def data_ns(self):
        return self._data_ns

    def _path(self, name):
        return os.path.join(self.trial_folder, name)

    def _write(self, name, text):
        with open(self._path(name), "w") as file:
            file.write(text)


class GradientScaling:
    """Gives Caffe's solver the harness's rate for every step.

    The solver has no call for that. With `base_lr` 1 and `weight_decay` 0 its update is `v = m v + d; w -= v`, where
    `d` is the blob's `diff` after the callback; so `d = r (g + decay w)` gives the setting's update exactly.
    For `rate_on_velocity` (`v = m v + g; w -= r v`) the solver's momentum is 0 and the velocity is kept here.
    """

    def __init__(self, parameters, setting, in_velocity):
        optimizer = setting["optimizer"]
        self.rate = 0.0
        self.momentum = np.float32(optimizer["momentum"])
        self.entries = []
        for name, blob in parameters.items():
            rate, decay = rate_multipliers(setting, name.rsplit(".", 1)[1])
            velocity = None if in_velocity else np.zeros_like(blob.diff)
            decay = np.float32(decay * optimizer["weight_decay"])
            # On a CPU the blobs' memory stays where it is, so the views are made once.
            self.entries.append((blob.data, blob.diff, np.empty_like(blob.diff), velocity, rate, decay))

    def on_gradients_ready(self):
        """Called by the solver between the backward pass and its update."""
        for data, diff, scratch, velocity, rate_multiplier, decay in self.entries:
            if decay:
                np.multiply(data, decay, out=scratch)
                np.add(diff, scratch, out=diff)
            rate = np.float32(self.rate * rate_multiplier)
            if velocity is None:
                np.multiply(diff, rate, out=diff)
            else:
                np.multiply(velocity, self.momentum, out=velocity)
                np.add(velocity, diff, out=velocity)
                np.multiply(velocity, rate, out=diff)


def solver_text(net_path, momentum):
    """The solver's description: rate 1, no decay, no snapshots, no tests of its own."""
    return "\n".join(
        [
            'net: "%s"' % net_path,
            'type: "SGD"',
            "base_lr: 1",
            'lr_policy: "fixed"',
            "momentum: %r" % float(momentum),
            "weight_decay: 0",
            "display: 0",
            "snapshot: 0",
            "snapshot_after_train: false",
            "solver_mode: CPU",
            "random_seed: 1",
        ]
    )


def net_text(network, batch_size, head):
    """The network as a prototxt for a constant batch size, ending in `head` (`SoftmaxWithLoss` or `Softmax`)."""
    training = head == "SoftmaxWithLoss"
    shape = [batch_size] + list(network["input"])
    lines = ['name: "%s"' % network["name"], "force_backward: false", input_text("input", shape)]
    if training:
        lines.append(input_text("label", [batch_size]))
    lines += [layer_text(layer) for layer in network["layers"]]
    last = network["layers"][-1]["name"]
    if training:
        lines.append('layer { name: "loss" type: "SoftmaxWithLoss" bottom: "%s" bottom: "label" top: "loss" }' % last)
    else:
        lines.append('layer { name: "probabilities" type: "Softmax" bottom: "%s" top: "probabilities" }' % last)
    return "\n".join(lines)


def input_text(name, shape):
    """An `Input` layer."""
    dimensions = " ".join("dim: %d" % size for size in shape)
    return 'layer { name: "%s" type: "Input" top: "%s" input_param { shape { %s } } }' % (name, name, dimensions)


def layer_text(layer):
    """One layer of the network as prototxt."""
    name, kind = layer["name"], layer["kind"]
    head = 'layer { name: "%s" bottom: "%s" top: "%s" ' % (name, layer_input_name(layer), name)
    if kind == "convolution":
        sizes = (layer["filters"], layer["kernel"], layer["stride"], layer["padding"])
        parameters = "num_output: %d kernel_size: %d stride: %d pad: %d" % sizes
        return head + 'type: "Convolution" convolution_param { %s } }' % parameters
    if kind == "max_pool":
        return head + 'type: "Pooling" pooling_param { pool: MAX kernel_size: %d stride: %d } }' % (
            layer["kernel"],
            layer["stride"],
        )
    if kind == "dense":
        return head + 'type: "InnerProduct" inner_product_param { num_output: %d } }' % layer["units"]
    if kind == "relu":
        return head + 'type: "ReLU" }'
    raise Unsupported("layer %s of kind %r" % (name, kind), "this adapter has convolution, max_pool, dense, relu")


def check_shapes(network, net):
    """Refuse a network that Caffe understands differently: it rounds the number of a pool's windows up, for one."""
    for name, shape in network["shapes"].items():
        found = tuple(net.blobs[name].shape)[1:]
        if found != tuple(shape):
            raise Unsupported("layer %s" % name, "its output is %s, in Caffe %s" % (list(shape), list(found)))
