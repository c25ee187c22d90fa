"""TensorFlow: a resident dataset, one `tf.function` per training step, TensorFlow's own momentum kernels."""

from __future__ import annotations

import os
import platform

import numpy as np

from frameworks.worker.adapter import Adapter as Base
from frameworks.worker.adapter import Unsupported, check_optimizer, layer_input_name, rate_multipliers


class Adapter(Base):
    """See `frameworks.worker.adapter.Adapter`. Images are `N, H, W, C`, as TensorFlow's CPU kernels need them."""

    def start(self):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
        import tensorflow

        self.tf = tensorflow
        threads = self.profile["threads"]
        tensorflow.config.threading.set_intra_op_parallelism_threads(threads["intra_op"])
        tensorflow.config.threading.set_inter_op_parallelism_threads(threads.get("inter_op") or 0)
        self.images, self.labels = {}, {}

    def describe(self):
        tf = self.tf
        threading = tf.config.threading
        return {
            "version": tf.__version__,
            "devices": [{"kind": "cpu", "name": platform.processor() or platform.machine()}],
            "threads": {
                "intra_op": threading.get_intra_op_parallelism_threads(),
                "inter_op": threading.get_inter_op_parallelism_threads(),
            },
            "packages": {"tensorflow": tf.__version__, "build": dict(tf.sysconfig.get_build_info())},
            "compile_cache": None,
        }

    def stage(self, split, images, labels):
        tf = self.tf
        with tf.device("/CPU:0"):
            self.images[split] = tf.constant(np.ascontiguousarray(images.transpose(0, 2, 3, 1)))
            self.labels[split] = tf.constant(labels.astype(np.int32))

    def build(self, network, loss, setting, weights):
        tf = self.tf
        if loss != "softmax_cross_entropy":
            raise Unsupported("loss %r" % loss, "this adapter has softmax_cross_entropy")
        self.layers = network["layers"]
        self.flattened = flattened_inputs(network)
        self.parameters = {
            name: tf.Variable(to_tensorflow(value, self.flattened.get(name))) for name, value in weights.items()
        }
        self.forward_of = {layer["name"]: make_layer(tf, layer, self.parameters) for layer in self.layers}
        update = make_update(tf, self.parameters, setting)
        names = list(self.parameters)

        @tf.function(
            input_signature=[
                tf.TensorSpec([setting["batch_size"]], tf.int32),
                tf.TensorSpec([], tf.float32),
            ]
        )
        def train_step(indices, rate):
            images = tf.gather(self.images["train"], indices)
            labels = tf.gather(self.labels["train"], indices)
            with tf.GradientTape() as tape:
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=self.logits(images))
                mean_loss = tf.reduce_mean(losses)
            gradients = tape.gradient(mean_loss, [self.parameters[name] for name in names])
            for name, gradient in zip(names, gradients):
                update(name, gradient, rate)
            return mean_loss

        @tf.function
        def probabilities(images, indices):
            return tf.nn.softmax(self.logits(tf.gather(images, indices)))

        self.step_function, self.probabilities = train_step, probabilities

    def logits(self, images):
        values = {"input": images}
        for layer in self.layers:
            values[layer["name"]] = self.forward_of[layer["name"]](values[layer_input_name(layer)])
        return values[self.layers[-1]["name"]]

    def train_step(self, indices, learning_rate):
        return float(self.step_function(indices, np.float32(learning_rate)).numpy())

    def predict(self, split, indices):
        return self.probabilities(self.images[split], indices).numpy()

    def weights(self):
        return {
            name: from_tensorflow(variable.numpy(), self.flattened.get(name))
            for name, variable in self.parameters.items()
        }


def flattened_inputs(network):
    """Name of a dense layer's weights -> shape `(C, H, W)` of the input it flattens, for those that flatten one."""
    shapes = dict(network["shapes"], input=network["input"])
    dense = [layer for layer in network["layers"] if layer["kind"] == "dense"]
    inputs = {layer["name"] + ".weights": tuple(shapes[layer_input_name(layer)]) for layer in dense}
    return {name: shape for name, shape in inputs.items() if len(shape) == 3}


def to_tensorflow(value, flattened=None):
    """A parameter in TensorFlow's layout: `(kh, kw, in, out)` for convolutions, `(in, out)` for dense layers.

    The input features of a dense layer on `(C, H, W)` = `flattened` are put into the order `H, W, C` in which
    TensorFlow flattens, so that no activation has to be transposed while training.
    """
    if value.ndim == 4:
        return np.ascontiguousarray(value.transpose(2, 3, 1, 0))
    if flattened:
        value = value.reshape((len(value),) + flattened).transpose(0, 2, 3, 1).reshape(len(value), -1)
    return np.ascontiguousarray(value.T) if value.ndim == 2 else value


def from_tensorflow(value, flattened=None):
    """The inverse of `to_tensorflow`."""
    if value.ndim == 4:
        return np.ascontiguousarray(value.transpose(3, 2, 0, 1))
    if value.ndim == 2:
        value = np.ascontiguousarray(value.T)
    if flattened:
        channels, height, width = flattened
        value = value.reshape(len(value), height, width, channels).transpose(0, 3, 1, 2).reshape(len(value), -1)
    return value


def make_update(tf, parameters, setting):
    """A function `(parameter name, gradient, rate)` that adds the update of one parameter to the graph.

    `ResourceApplyKerasMomentum` is `v = m v - r g; w += v`, the setting's `rate_in_velocity` with the sign in `v`;
    `ResourceApplyMomentum` is `v = m v + g; w -= r v`, its `rate_on_velocity`.
    """
    description = check_optimizer(setting)
    in_velocity = description["momentum_form"] == "rate_in_velocity"
    kernel = tf.raw_ops.ResourceApplyKerasMomentum if in_velocity else tf.raw_ops.ResourceApplyMomentum
    momentum, weight_decay = float(description["momentum"]), float(description["weight_decay"])
    velocities = {name: tf.Variable(tf.zeros_like(variable)) for name, variable in parameters.items()}

    def update(name, gradient, rate):
        rate_multiplier, decay_multiplier = rate_multipliers(setting, name.rsplit(".", 1)[1])
        variable = parameters[name]
        if weight_decay * decay_multiplier:
            gradient = gradient + weight_decay * decay_multiplier * variable
        kernel(
            var=variable.handle,
            accum=velocities[name].handle,
            lr=rate * rate_multiplier,
            grad=gradient,
            momentum=momentum,
            use_locking=False,
            use_nesterov=False,
        )

    return update


def make_layer(tf, layer, parameters):
    """A function `input -> output` for one layer of the network, on `N, H, W, C` tensors."""
    name, kind = layer["name"], layer["kind"]
    if kind == "convolution":
        padding = [[0, 0], [layer["padding"]] * 2, [layer["padding"]] * 2, [0, 0]]
        stride, weights, biases = layer["stride"], parameters[name + ".weights"], parameters[name + ".biases"]
        return lambda x: tf.nn.bias_add(tf.nn.conv2d(x, weights, stride, padding), biases)
    if kind == "max_pool":
        return lambda x: tf.nn.max_pool2d(x, layer["kernel"], layer["stride"], "VALID")
    if kind == "dense":
        weights, biases = parameters[name + ".weights"], parameters[name + ".biases"]
        return lambda x: tf.nn.bias_add(tf.matmul(flatten(tf, x), weights), biases)
    if kind == "relu":
        return tf.nn.relu
    raise Unsupported("layer %s of kind %r" % (name, kind), "this adapter has convolution, max_pool, dense, relu")


def flatten(tf, x):
    """`(N, features)` of an activation."""
    return x if len(x.shape) == 2 else tf.reshape(x, [-1, int(np.prod(x.shape[1:]))])
