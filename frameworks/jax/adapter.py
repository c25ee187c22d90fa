"""JAX: a resident dataset and one compiled function per training step, whose state is updated in place."""

from __future__ import annotations

import platform

import numpy as np

from frameworks.jax.layers import Context, make_layer, start_statistics
from frameworks.jax.optimizers import make_optimizer
from frameworks.worker.adapter import Adapter as Base
from frameworks.worker.adapter import check_loss, dtype_names
from frameworks.worker.blas import switches
from frameworks.worker.threads import named_threads

POOL_THREAD = "tf_XLAEigen"


class Adapter(Base):
    """See `frameworks.worker.adapter.Adapter`.

    All that a step changes is in `state`: `parameters`, `optimizer`, `statistics` (of batch normalisations) and
    `averages` (None where the setting has none). Its buffers are donated to the step, which writes into them.
    """

    def start(self):
        import jax

        self.jax = jax
        jax.config.update("jax_default_matmul_precision", "highest")
        self.devices = jax.devices()
        self.images, self.labels = {}, {}

    def describe(self):
        jax = self.jax
        return {
            "version": jax.__version__,
            "devices": [
                {"kind": device.platform, "name": platform.processor() or platform.machine()} for device in self.devices
            ],
            "threads": {"intra_op": named_threads(POOL_THREAD, self.profile["threads"]["intra_op"]), "inter_op": None},
            "library": {
                "name": "xla",
                "version": jax.lib.__version__,
                "kernel": None,
                "switches": switches(),
                "unknown": {"kernel": "XLA compiles its own for this processor"},
            },
            "packages": {"jax": jax.__version__, "jaxlib": jax.lib.__version__},
            "compile_cache": None,
        }

    def stage(self, split, images, labels):
        self.images[split] = self.jax.numpy.array(images)
        self.labels[split] = self.jax.numpy.array(labels.astype(np.int32))

    def build(self, network, loss, setting, weights):
        check_loss(loss)
        jax = self.jax
        self.layers = [(layer["name"], layer["inputs"], make_layer(jax, layer)) for layer in network["layers"]]
        self.optimizer = make_optimizer(jax, setting, network["parameters"])
        self.decay = (setting["weight_average"] or {}).get("decay")
        parameters = {name: jax.numpy.array(value) for name, value in weights.items()}
        self.state = {
            "parameters": parameters,
            "optimizer": self.optimizer.start(parameters),
            "statistics": {
                layer["name"]: start_statistics(jax, layer)
                for layer in network["layers"]
                if layer["kind"] == "batch_normalisation"
            },
            "averages": None if self.decay is None else {name: value.copy() for name, value in parameters.items()},
        }
        self._compile()

    def built(self):
        return {"precision": dtype_names(value.dtype for value in self.state["parameters"].values())}

    def _compile(self):
        """Make the compiled functions; XLA compiles each at its first call."""
        jit = self.jax.jit
        self.step_by_indices = jit(
            lambda state, images, labels, indices, rate, masks: self._step(
                state, chosen(images, indices), chosen(labels, indices), rate, masks
            ),
            donate_argnums=0,
        )
        self.step_on_arrays = jit(self._step, donate_argnums=0)
        self.probabilities = jit(
            lambda state, images, indices: self.jax.nn.softmax(
                self._evaluate(state, images, indices)[self.layers[-1][0]]
            )
        )
        self.outputs = jit(self._evaluate)
        self.gradient = jit(
            lambda state, images, labels, indices, masks: self.jax.grad(self._loss, has_aux=True)(
                state["parameters"], chosen(images, indices), chosen(labels, indices), masks, state["statistics"]
            )[0]
        )

    def _step(self, state, images, labels, rate, masks):
        value_and_gradients = self.jax.value_and_grad(self._loss, has_aux=True)
        (loss, statistics), gradients = value_and_gradients(
            state["parameters"], images, labels, masks, state["statistics"]
        )
        parameters, optimizer = self.optimizer.step(state["parameters"], gradients, state["optimizer"], rate)
        averages = state["averages"]
        if averages is not None:
            averages = {
                name: self.decay * average + (1.0 - self.decay) * parameters[name] for name, average in averages.items()
            }
        changed = {"parameters": parameters, "optimizer": optimizer, "statistics": statistics, "averages": averages}
        return changed, loss

    def _loss(self, parameters, images, labels, masks, statistics):
        """(mean loss of a mini-batch, moving statistics after it)."""
        context = Context(True, masks, statistics)
        logits = self._forward(images, parameters, context)[self.layers[-1][0]]
        of_label = self.jax.numpy.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
        return (self.jax.nn.logsumexp(logits, axis=1) - of_label).mean(), context.moved

    def _forward(self, images, parameters, context):
        values = {"input": images}
        for name, inputs, function in self.layers:
            values[name] = function([values[source] for source in inputs], parameters, context)
        return values

    def _evaluate(self, state, images, indices):
        """Output of every layer in evaluation, by name."""
        parameters = state["parameters"] if state["averages"] is None else state["averages"]
        context = Context(False, None, state["statistics"])
        values = self._forward(chosen(images, indices), parameters, context)
        return {name: values[name] for name, _, _ in self.layers}

    def train_step(self, indices, learning_rate, masks):
        self.rate = np.float32(learning_rate)  # what the compiled step is given
        self.state, loss = self.step_by_indices(
            self.state, self.images["train"], self.labels["train"], indices, self.rate, masks
        )
        return float(loss)

    def train_on(self, images, labels, learning_rate, masks):
        self.rate = np.float32(learning_rate)
        self.state, loss = self.step_on_arrays(self.state, images, labels.astype(np.int32), self.rate, masks)
        return float(loss)

    def applied_rate(self):
        return float(self.rate)

    def predict(self, split, indices):
        return np.asarray(self.probabilities(self.state, self.images[split], indices))

    def weights(self):
        # Copies: the next step writes into the buffers.
        return {name: np.array(value) for name, value in self.state["parameters"].items()}

    def activations(self, split, indices):
        return {
            name: np.asarray(value) for name, value in self.outputs(self.state, self.images[split], indices).items()
        }

    def gradients(self, indices, masks):
        found = self.gradient(self.state, self.images["train"], self.labels["train"], indices, masks)
        return {name: np.asarray(value) for name, value in found.items()}


def chosen(rows, indices):
    """`rows[indices]`, without the check for indices that do not exist."""
    return rows.at[indices].get(mode="promise_in_bounds")
