"""TensorFlow: a resident dataset, one `tf.function` per training step, TensorFlow's own kernels for the update."""

from __future__ import annotations

import os
import platform

import numpy as np

from frameworks.tensorflow import library
from frameworks.tensorflow.layers import Context, MovingStatistics, make_layers
from frameworks.tensorflow.layout import channels_first, channels_last, flattened_inputs, from_tensorflow, to_tensorflow
from frameworks.tensorflow.optimizers import make_averages, make_optimizer
from frameworks.worker.adapter import Adapter as Base
from frameworks.worker.adapter import check_loss, dtype_names
from frameworks.worker.layers import dropout_layers


class Adapter(Base):
    """See `frameworks.worker.adapter.Adapter`. Images are `N, H, W, C`, as TensorFlow's CPU kernels need them."""

    def start(self):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
        import tensorflow

        self.tf = tensorflow
        threads = self.profile["threads"]
        tensorflow.config.threading.set_intra_op_parallelism_threads(threads["intra_op"])
        tensorflow.config.threading.set_inter_op_parallelism_threads(threads.get("inter_op") or 0)
        # None leaves it to TensorFlow's own settings, which compile nothing unless they are told to.
        self.compiled = self.profile.get("blas") == "xla" or None
        self.pool = library.start(tensorflow)
        self.images, self.labels = {}, {}

    def describe(self):
        tf = self.tf
        return {
            **library.describe(tf, self.profile.get("blas"), self.profile["threads"], self.pool),
            "version": tf.__version__,
            "devices": [{"kind": "cpu", "name": platform.processor() or platform.machine()}],
            "packages": {"tensorflow": tf.__version__, "build": dict(tf.sysconfig.get_build_info())},
            "compile_cache": None,
        }

    def stage(self, split, images, labels):
        tf = self.tf
        with tf.device("/CPU:0"):
            self.images[split] = tf.constant(channels_last(images))
            self.labels[split] = tf.constant(labels.astype(np.int32))

    def build(self, network, loss, setting, weights):
        tf = self.tf
        check_loss(loss)
        self.layers = make_layers(tf, network)
        self.flattened = flattened_inputs(network)
        self.parameters = {
            name: tf.Variable(to_tensorflow(value, self.flattened.get(name))) for name, value in weights.items()
        }
        self.statistics = {
            layer["name"]: MovingStatistics(tf, layer["output_shape"][0], layer["decay"])
            for layer in network["layers"]
            if layer["kind"] == "batch_normalisation"
        }
        self.averages, self.update_averages = make_averages(tf, self.parameters, setting)
        self.update = make_optimizer(tf, self.parameters, setting, network["parameters"])
        self._make_functions(network, setting["batch_size"])

    def built(self):
        found = {"precision": dtype_names(variable.dtype for variable in self.parameters.values())}
        if self.compiled:
            step = self.step_function if "train" in self.images else self.step_on_function
            found["library"] = "xla" if library.is_compiled(step.get_concrete_function()) else "not compiled"
        return found

    def _make_functions(self, network, batch_size):
        """The graphs; each is traced when it is first called, so that none is traced in vain.

        Without autograph, which has nothing to rewrite here and would leave files behind in the temporary folder.
        """
        tf = self.tf
        indices, labels = (tf.TensorSpec([batch_size], tf.int32) for _ in range(2))
        images, rate = tf.TensorSpec([batch_size] + network["input"], tf.float32), tf.TensorSpec([], tf.float32)
        masks = {
            layer["name"]: tf.TensorSpec([batch_size] + layer["output_shape"], tf.uint8)
            for layer in dropout_layers(network)
        }

        @tf.function(input_signature=[indices, rate, masks], jit_compile=self.compiled, autograph=False)
        def step_function(indices, rate, masks):
            return self._step(*self._chosen(indices), rate, masks)

        @tf.function(input_signature=[images, labels, rate, masks], jit_compile=self.compiled, autograph=False)
        def step_on_function(images, labels, rate, masks):
            return self._step(tf.transpose(images, [0, 2, 3, 1]), labels, rate, masks)

        @tf.function(input_signature=[indices, masks], jit_compile=self.compiled, autograph=False)
        def gradients_function(indices, masks):
            return self._loss_and_gradients(*self._chosen(indices), Context(True, masks, self.statistics, keep=True))[1]

        @tf.function(jit_compile=self.compiled, autograph=False)
        def probabilities(images, indices):
            return tf.nn.softmax(self._evaluate(tf.gather(images, indices))[self.layers[-1][0]])

        @tf.function(jit_compile=self.compiled, autograph=False)
        def outputs(images, indices):
            return self._evaluate(tf.gather(images, indices))

        self.step_function, self.step_on_function, self.gradients_function = (
            step_function,
            step_on_function,
            gradients_function,
        )
        self.probabilities, self.outputs = probabilities, outputs

    def _chosen(self, indices):
        return self.tf.gather(self.images["train"], indices), self.tf.gather(self.labels["train"], indices)

    def _forward(self, images, parameters, context):
        values = {"input": images}
        for name, inputs, function in self.layers:
            values[name] = function([values[source] for source in inputs], parameters, context)
        return values

    def _evaluate(self, images):
        parameters = self.parameters if self.averages is None else self.averages
        return self._forward(images, parameters, Context(False, None, self.statistics))

    def _loss_and_gradients(self, images, labels, context):
        tf = self.tf
        with tf.GradientTape() as tape:
            logits = self._forward(images, self.parameters, context)[self.layers[-1][0]]
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
            mean_loss = tf.reduce_mean(losses)
        return mean_loss, tape.gradient(mean_loss, self.parameters)

    def _step(self, images, labels, rate, masks):
        mean_loss, gradients = self._loss_and_gradients(images, labels, Context(True, masks, self.statistics))
        self.update(gradients, rate)
        if self.averages is not None:
            self.update_averages()
        return mean_loss

    def train_step(self, indices, learning_rate, masks):
        self.rate = np.float32(learning_rate)  # what the compiled step is given and its kernels use
        return float(self.step_function(indices, self.rate, masks or {}).numpy())

    def train_on(self, images, labels, learning_rate, masks):
        self.rate = np.float32(learning_rate)
        return float(self.step_on_function(images, labels, self.rate, masks or {}).numpy())

    def applied_rate(self):
        return float(self.rate)

    def predict(self, split, indices):
        return self.probabilities(self.images[split], indices).numpy()

    def weights(self):
        return {name: self._at_boundary(name, variable) for name, variable in self.parameters.items()}

    def activations(self, split, indices):
        values = self.outputs(self.images[split], indices)
        return {name: channels_first(values[name].numpy()) for name, _, _ in self.layers}

    def gradients(self, indices, masks):
        found = self.gradients_function(indices, masks or {})
        return {name: self._at_boundary(name, found[name]) for name in self.parameters}

    def _at_boundary(self, name, value):
        return from_tensorflow(value.numpy(), self.flattened.get(name))
