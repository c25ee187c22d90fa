"""Theano 1.0.5: shared variables and one compiled function per purpose."""

from __future__ import annotations

import os
import platform

import numpy as np

from frameworks.worker.adapter import Adapter as Base
from frameworks.worker.adapter import Unsupported, check_optimizer, layer_input_name, rate_multipliers
from frameworks.worker.inspection import blas_threads


class Adapter(Base):
    """See `frameworks.worker.adapter.Adapter`."""

    def start(self):
        import theano
        import theano.tensor.signal.pool

        self.theano = theano
        self.images, self.labels = {}, {}

    def describe(self):
        config = self.theano.config
        return {
            "version": self.theano.__version__,
            "devices": [{"kind": config.device, "name": platform.processor() or platform.machine()}],
            "threads": {"intra_op": blas_threads(), "inter_op": None},
            "packages": {
                "theano": self.theano.__version__,
                "cxx": config.cxx,
                "blas.ldflags": config.blas.ldflags,
                "gcc.cxxflags": config.gcc.cxxflags,
                "openmp": config.openmp,
            },
            "compile_cache": {"modules": compiled_modules(config.compiledir)},
        }

    def stage(self, split, images, labels):
        self.images[split] = self.theano.shared(images, name=split + "_images", borrow=True)
        self.labels[split] = self.theano.shared(labels.astype(np.int32), name=split + "_labels", borrow=True)

    def build(self, network, loss, setting, weights):
        theano, tensor = self.theano, self.theano.tensor
        if loss != "softmax_cross_entropy":
            raise Unsupported("loss %r" % loss, "this adapter has softmax_cross_entropy")
        self.parameters = {name: theano.shared(value, name=name) for name, value in weights.items()}
        indices = tensor.ivector("indices")
        rate = tensor.fscalar("rate")
        probabilities = tensor.nnet.softmax(self.logits(network, self.images["train"][indices], setting["batch_size"]))
        mean_loss = tensor.nnet.categorical_crossentropy(probabilities, self.labels["train"][indices]).mean()
        updates = make_updates(theano, mean_loss, self.parameters, setting, rate)
        self.step_function = theano.function([indices, rate], mean_loss, updates=updates)
        batch = setting["evaluation"]["batch_size"]
        self.probabilities = theano.function(
            [indices], tensor.nnet.softmax(self.logits(network, self.images["test"][indices], batch))
        )

    def logits(self, network, images, batch_size):
        values = {"input": images}
        shapes = dict(network["shapes"], input=network["input"])
        for layer in network["layers"]:
            source = layer_input_name(layer)
            shape = (batch_size,) + tuple(shapes[source])
            values[layer["name"]] = apply_layer(self.theano, layer, values[source], shape, self.parameters)
        return values[network["layers"][-1]["name"]]

    def train_step(self, indices, learning_rate):
        return float(self.step_function(indices, np.float32(learning_rate)))

    def predict(self, split, indices):
        if split != "test":
            raise ValueError("only the test split was compiled for prediction, not %r" % split)
        return self.probabilities(indices)

    def weights(self):
        return {name: value.get_value().copy() for name, value in self.parameters.items()}


def apply_layer(theano, layer, x, shape, parameters):
    """The symbolic output of one layer; `shape` is the input's, batch first."""
    nnet, name, kind = theano.tensor.nnet, layer["name"], layer["kind"]
    if kind == "convolution":
        weights, biases = parameters[name + ".weights"], parameters[name + ".biases"]
        kernels = weights.get_value(borrow=True).shape
        stride, padding = layer["stride"], layer["padding"]
        # filter_flip=False: the cross-correlation that every other framework calls convolution.
        y = nnet.conv2d(x, weights, shape, kernels, padding, (stride, stride), filter_flip=False)
        return y + biases.dimshuffle("x", 0, "x", "x")
    if kind == "max_pool":
        size, stride = (layer["kernel"],) * 2, (layer["stride"],) * 2
        return theano.tensor.signal.pool.pool_2d(x, size, ignore_border=True, stride=stride, mode="max")
    if kind == "dense":
        weights, biases = parameters[name + ".weights"], parameters[name + ".biases"]
        return theano.tensor.dot(x.flatten(2) if len(shape) > 2 else x, weights.T) + biases
    if kind == "relu":
        return nnet.relu(x)
    raise Unsupported("layer %s of kind %r" % (name, kind), "this adapter has convolution, max_pool, dense, relu")


def make_updates(theano, loss, parameters, setting, rate):
    """The update of every parameter and velocity, in the setting's form of momentum."""
    optimizer = check_optimizer(setting)
    in_velocity = optimizer["momentum_form"] == "rate_in_velocity"
    momentum, weight_decay = np.float32(optimizer["momentum"]), float(optimizer["weight_decay"])
    names = list(parameters)
    gradients = theano.grad(loss, [parameters[name] for name in names])
    updates = []
    for name, gradient in zip(names, gradients):
        parameter = parameters[name]
        rate_multiplier, decay_multiplier = rate_multipliers(setting, name.rsplit(".", 1)[1])
        if weight_decay * decay_multiplier:
            gradient = gradient + np.float32(weight_decay * decay_multiplier) * parameter
        scaled = rate * np.float32(rate_multiplier)
        velocity = theano.shared(np.zeros_like(parameter.get_value(borrow=True)), name=name + ".velocity")
        new_velocity = momentum * velocity + (scaled * gradient if in_velocity else gradient)
        step = new_velocity if in_velocity else scaled * new_velocity
        updates += [(velocity, new_velocity), (parameter, parameter - step)]
    return updates


def compiled_modules(folder):
    """Number of modules in the compile cache, None where it cannot be read; 0: this trial compiles everything anew."""
    try:
        return sum(1 for entry in os.listdir(folder) if entry.startswith("tmp") or entry.startswith("mod"))
    except FileNotFoundError:
        return 0
    except OSError:
        return None
