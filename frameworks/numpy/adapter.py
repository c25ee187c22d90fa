"""NumPy: the reference implementation, in float64 or float32 and without any concern for speed."""

from __future__ import annotations

import platform

import numpy as np

from frameworks.numpy.layers import KINDS, Context, MovingStatistics
from frameworks.worker.adapter import Adapter as Base
from frameworks.worker.adapter import check_loss, check_optimizer, dtype_names, unknown_layer
from frameworks.worker.blas import describe_library


class Adapter(Base):
    """See `frameworks.worker.adapter.Adapter`."""

    def start(self):
        self.images, self.labels = {}, {}
        self.type = np.dtype(self.profile.get("precision", "float64"))

    def describe(self):
        library = describe_library(self.profile["threads"]["intra_op"], of="numpy")
        return {
            "version": np.__version__,
            "devices": [{"kind": "cpu", "name": platform.processor() or platform.machine()}],
            "threads": {"intra_op": library["threads"], "inter_op": None},
            "library": library,
            "packages": {"numpy": np.__version__},
            "compile_cache": None,
        }

    def stage(self, split, images, labels):
        self.images[split], self.labels[split] = images, labels

    def build(self, network, loss, setting, weights):
        check_loss(loss)
        for layer in network["layers"]:
            if layer["kind"] not in KINDS:
                raise unknown_layer(layer)
        self.layers = network["layers"]
        self.parameters = {name: value.astype(self.type) for name, value in weights.items()}
        self.averages = {name: value.copy() for name, value in self.parameters.items()}
        self.statistics = {
            layer["name"]: MovingStatistics(layer["output_shape"][0])
            for layer in self.layers
            if layer["kind"] == "batch_normalisation"
        }
        self.decay = (setting["weight_average"] or {}).get("decay")
        self.update = make_update(check_optimizer(setting), network["parameters"], self.parameters)

    def built(self):
        return {"precision": dtype_names(value.dtype for value in self.parameters.values())}

    def train_step(self, indices, learning_rate, masks):
        return self.train_on(self.images["train"][indices], self.labels["train"][indices], learning_rate, masks)

    def train_on(self, images, labels, learning_rate, masks):
        loss, gradients = self.loss_and_gradients(images, labels, Context(True, masks, self.statistics))
        self.rate = self.type.type(learning_rate)
        self.update(gradients, self.rate)
        if self.decay is not None:
            for name, value in self.parameters.items():
                self.averages[name] = self.decay * self.averages[name] + (1 - self.decay) * value
        return loss

    def applied_rate(self):
        return float(self.rate)

    def predict(self, split, indices):
        logits = self.evaluate(split, indices)[self.layers[-1]["name"]]
        return softmax(logits).astype(np.float32)

    def weights(self):
        return {name: value.astype(np.float32) for name, value in self.parameters.items()}

    def activations(self, split, indices):
        values = self.evaluate(split, indices)
        return {layer["name"]: values[layer["name"]].astype(np.float32) for layer in self.layers}

    def gradients(self, indices, masks):
        context = Context(True, masks, self.statistics, keep=True)
        _, gradients = self.loss_and_gradients(self.images["train"][indices], self.labels["train"][indices], context)
        return gradients

    def evaluate(self, split, indices):
        """Output of every layer in evaluation, by name."""
        parameters = self.parameters if self.decay is None else self.averages
        return self.forward(self.images[split][indices], parameters, Context(False, None, self.statistics))[0]

    def forward(self, images, parameters, context):
        """(output of `input` and every layer, how to go back through each)."""
        values, backwards = {"input": images.astype(self.type)}, {}
        for layer in self.layers:
            name = layer["name"]
            own = {role: parameters[key] for role in ("weights", "biases") if (key := f"{name}.{role}") in parameters}
            inputs = [values[source] for source in layer["inputs"]]
            values[name], backwards[name] = KINDS[layer["kind"]](layer, inputs, own, context)
        return values, backwards

    def loss_and_gradients(self, images, labels, context):
        """Mean loss of a mini-batch and its gradient by every parameter."""
        values, backwards = self.forward(images, self.parameters, context)
        last, rows = self.layers[-1]["name"], np.arange(len(labels))
        probabilities = softmax(values[last])
        loss = -np.log(probabilities[rows, labels]).mean()
        d_logits = probabilities.copy()
        d_logits[rows, labels] -= 1
        reached = {last: d_logits / len(labels)}
        gradients = {}
        for layer in reversed(self.layers):
            name = layer["name"]
            d_inputs, own = backwards[name](reached.pop(name))
            gradients.update({f"{name}.{role}": value for role, value in own.items()})
            for source, gradient in zip(layer["inputs"], d_inputs):
                if source != "input":
                    reached[source] = reached[source] + gradient if source in reached else gradient
        return float(loss), {name: gradients[name] for name in self.parameters}


def softmax(logits):
    """Along the last axis."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def make_update(optimizer, settings, parameters):
    """A function `(gradients, rate)` that changes the parameters in place as `docs/studies.md` defines it."""
    first = {name: np.zeros_like(value) for name, value in parameters.items()}
    second = {name: np.zeros_like(value) for name, value in parameters.items()}
    step = 0

    def sgd(name, g, rate):
        m, in_velocity = optimizer["momentum"], optimizer["momentum_form"] == "rate_in_velocity"
        v = first[name] = m * first[name] + (rate * g if in_velocity else g)
        if optimizer["nesterov"]:
            v = m * v + (rate * g if in_velocity else g)
        parameters[name] -= v if in_velocity else rate * v

    def adam(name, g, rate):
        b1, b2, epsilon = optimizer["beta1"], optimizer["beta2"], optimizer["epsilon"]
        m = first[name] = b1 * first[name] + (1 - b1) * g
        v = second[name] = b2 * second[name] + (1 - b2) * g * g
        c1, c2 = 1 - b1**step, 1 - b2**step
        if optimizer["epsilon_placement"] == "corrected":
            parameters[name] -= rate * (m / c1) / (np.sqrt(v / c2) + epsilon)
        else:
            parameters[name] -= rate * np.sqrt(c2) / c1 * m / (np.sqrt(v) + epsilon)

    rule = {"sgd": sgd, "adam": adam}[optimizer["kind"]]

    def update(gradients, rate):
        nonlocal step
        step += 1
        for name, gradient in gradients.items():
            own = settings[name]
            rule(name, gradient + own["weight_decay"] * parameters[name], rate * own["rate"])

    return update
