"""Plain: the layers of LeNet written out in NumPy."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from frameworks.worker.adapter import Adapter as Base
from frameworks.worker.adapter import Unsupported, check_loss, check_optimizer, dtype_names, unknown_layer
from frameworks.worker.blas import describe_library


def windows_of(layer, x):
    """All windows, (N, C, rows, columns, kernel, kernel)."""
    kernel, stride = layer["kernel"], layer["stride"]
    return sliding_window_view(x, (kernel, kernel), axis=(2, 3))[:, :, ::stride, ::stride]


def add_windows(layer, windows, x):
    """What the windows hold, added up at their places in an array like x."""
    total, stride, (rows, columns) = np.zeros_like(x), layer["stride"], windows.shape[2:4]
    for i in range(layer["kernel"]):
        for j in range(layer["kernel"]):
            total[:, :, i : i + stride * rows : stride, j : j + stride * columns : stride] += windows[..., i, j]
    return total


# A layer is a function (layer, input, weights, biases) -> (output, backward), and
# backward(gradient of the output) -> (gradient of the input, of the weights, of the biases).


def convolution(layer, x, w, b):
    windows, kernels = windows_of(layer, x), w.reshape(len(w), -1)
    count, channels, rows, columns, kernel, _ = windows.shape
    flat = windows.transpose(0, 2, 3, 1, 4, 5).reshape(count * rows * columns, -1)
    y = (flat @ kernels.T + b).reshape(count, rows, columns, -1).transpose(0, 3, 1, 2)

    def backward(dy):
        dy = dy.transpose(0, 2, 3, 1).reshape(len(flat), -1)
        d_windows = (dy @ kernels).reshape(count, rows, columns, channels, kernel, kernel).transpose(0, 3, 1, 2, 4, 5)
        return add_windows(layer, d_windows, x), (dy.T @ flat).reshape(w.shape), dy.sum(axis=0)

    return y, backward


def max_pool(layer, x, _w, _b):
    windows = windows_of(layer, x)
    flat = windows.reshape(windows.shape[:4] + (-1,))
    winner = flat.argmax(axis=-1)[..., None]

    def backward(dy):
        d_flat = np.zeros_like(flat)
        np.put_along_axis(d_flat, winner, dy[..., None], axis=-1)
        return add_windows(layer, d_flat.reshape(windows.shape), x), None, None

    return np.take_along_axis(flat, winner, axis=-1)[..., 0], backward


def dense(_layer, x, w, b):
    flat = x.reshape(len(x), -1)
    return flat @ w.T + b, lambda dy: ((dy @ w).reshape(x.shape), dy.T @ flat, dy.sum(axis=0))


def relu(_layer, x, _w, _b):
    return np.maximum(x, 0), lambda dy: (dy * (x > 0), None, None)


def tanh(_layer, x, _w, _b):
    y = np.tanh(x)
    return y, lambda dy: (dy * (1 - y * y), None, None)


def softmax(logits):
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


KINDS = {"convolution": convolution, "max_pool": max_pool, "dense": dense, "relu": relu, "tanh": tanh}


class Adapter(Base):
    def start(self):
        self.images, self.labels = {}, {}

    def describe(self):
        library = describe_library(self.profile["threads"]["intra_op"], of="numpy")
        found = {"version": np.__version__, "devices": [], "packages": {}, "compile_cache": None, "library": library}
        return {**found, "threads": {"intra_op": library["threads"], "inter_op": None}}

    def stage(self, split, images, labels):
        self.images[split], self.labels[split] = images, labels

    def build(self, network, loss, setting, weights):
        check_loss(loss)
        self.optimizer = check_optimizer(setting)
        if self.optimizer["kind"] != "sgd" or setting["weight_average"]:
            raise Unsupported(f"optimizer {self.optimizer['kind']!r}", "plain has SGD, without averages of the weights")
        self.layers, self.settings = network["layers"], network["parameters"]
        for layer, before in zip(self.layers, ["input"] + [layer["name"] for layer in self.layers]):
            padded = np.max(layer.get("padding", 0)) > 0  # below 0: rows that no window covers
            if layer["kind"] not in KINDS:
                raise unknown_layer(layer)
            if padded or layer.get("groups", 1) > 1 or layer.get("connections") or layer["inputs"] != [before]:
                raise Unsupported(f"layer {layer['name']}", "plain has no padding, groups, connections or branches")
        self.parameters = {name: value.copy() for name, value in weights.items()}
        self.velocities = {name: np.zeros_like(value) for name, value in weights.items()}

    def built(self):
        return {"precision": dtype_names(value.dtype for value in self.parameters.values())}

    def train_step(self, indices, learning_rate, masks):
        return self.train_on(self.images["train"][indices], self.labels["train"][indices], learning_rate, masks)

    def train_on(self, images, labels, learning_rate, masks):
        loss, gradients = self.loss_and_gradients(images, labels)
        self.rate = np.float32(learning_rate)
        m, in_velocity = self.optimizer["momentum"], self.optimizer["momentum_form"] == "rate_in_velocity"
        for name, w in self.parameters.items():
            v, own = self.velocities[name], self.settings[name]
            rate, g = self.rate * own["rate"], gradients[name] + own["weight_decay"] * w
            change = rate * g if in_velocity else g
            v *= m
            v += change
            move = m * v + change if self.optimizer["nesterov"] else v
            w -= move if in_velocity else rate * move
        return loss

    def applied_rate(self):
        return float(self.rate)

    def predict(self, split, indices):
        return softmax(self.forward(self.images[split][indices])[0])

    def weights(self):
        return {name: value.copy() for name, value in self.parameters.items()}

    def activations(self, split, indices):
        return self.forward(self.images[split][indices])[1]

    def gradients(self, indices, masks):
        return self.loss_and_gradients(self.images["train"][indices], self.labels["train"][indices])[1]

    def forward(self, x):
        outputs, backwards = {}, {}
        for layer in self.layers:
            name = layer["name"]
            w, b = (self.parameters.get(f"{name}.{role}", 0) for role in ("weights", "biases"))
            outputs[name], backwards[name] = KINDS[layer["kind"]](layer, x, w, b)
            x = outputs[name]
        return x, outputs, backwards

    def loss_and_gradients(self, images, labels):
        logits, _, backwards = self.forward(images)
        dy, rows, gradients = softmax(logits), np.arange(len(labels)), {}
        loss = -np.log(dy[rows, labels]).mean()
        dy[rows, labels] -= 1
        dy /= len(labels)
        for name in reversed(list(backwards)):
            dy, gradients[name + ".weights"], gradients[name + ".biases"] = backwards[name](dy)
        return float(loss), {name: gradients[name] for name in self.parameters}
