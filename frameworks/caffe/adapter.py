"""Caffe 1.0.0: a stock solver, gathered mini-batches written straight into the input blobs."""

from __future__ import annotations

import os
import platform
import time

import numpy as np

from frameworks.caffe.nets import parameters_of, prepare, statistics_of
from frameworks.caffe.networks import INPUT, LABELS, LOSS, PROBABILITIES, Description
from frameworks.caffe.prototxt import solver
from frameworks.caffe.updates import MovingAverages, make_update, solver_kind
from frameworks.worker.adapter import Adapter as Base
from frameworks.worker.adapter import check_loss, dtype_names
from frameworks.worker.blas import describe_library
from frameworks.worker.layers import connection_mask, dropout_layers


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
        library = describe_library(self.profile["threads"]["intra_op"])
        return {
            "version": self.caffe.__version__,
            "devices": [{"kind": "cpu", "name": platform.processor() or platform.machine()}],
            "threads": {"intra_op": library["threads"], "inter_op": None},
            "library": library,
            "packages": {"caffe": self.caffe.__version__},
            "compile_cache": None,
        }

    def stage(self, split, images, labels):
        self.images[split] = images
        self.labels[split] = labels.astype(np.float32)

    def build(self, network, loss, setting, weights):
        check_loss(loss)
        self.layers = network["layers"]
        self._build_training(network, setting, weights)
        self._build_prediction(network, setting)

    def built(self):
        return {"precision": dtype_names(blob.data.dtype for blob in self.parameters.values())}

    def _build_training(self, network, setting, weights):
        description = Description(network, setting["batch_size"], training=True)
        path = self._write("train.prototxt", description.text)
        self.solver = self.caffe.get_solver(self._write("solver.prototxt", solver(path, *solver_kind(setting))))
        self.net = self.solver.net
        prepare(self.net, network, description)
        self.parameters, self.statistics = parameters_of(self.net, description), statistics_of(self.net, description)
        for name, value in weights.items():
            self.parameters[name].data[...] = value
        self.connections = self._connection_masks()
        self.update = make_update(self.parameters, network["parameters"], self.connections, setting)
        self.solver.add_callback(lambda: None, self.update.on_gradients_ready)
        blobs = self.net.blobs
        self._image_blob, self._label_blob, self._loss_blob = (blobs[name].data for name in (INPUT, LABELS, LOSS))
        self._mask_blobs = [
            (layer["name"], blobs[description.masks[layer["name"]]].data, np.float32(1.0 / layer["keep"]))
            for layer in dropout_layers(network)
        ]

    def _connection_masks(self):
        found = {}
        for layer in self.layers:
            name = "%s.weights" % layer["name"]
            if layer.get("connections"):
                found[name] = connection_mask(layer, self.parameters[name].data.shape)
        return found

    def _build_prediction(self, network, setting):
        """The net for evaluation has the training net's parameters, or averages of its own."""
        description = Description(network, setting["evaluation"]["batch_size"], training=False)
        self.predictor = self.caffe.Net(self._write("predict.prototxt", description.text), self.caffe.TEST)
        prepare(self.predictor, network, description)
        self.outputs = description.outputs
        self._predicted_blob = self.predictor.blobs[INPUT].data
        self.averages, self._copied = None, []
        if not setting["weight_average"]:
            self.predictor.share_with(self.net)
            return
        averages = parameters_of(self.predictor, description)
        for name, blob in averages.items():
            blob.data[...] = self.parameters[name].data
        self.averages = MovingAverages(self.parameters, averages, setting["weight_average"]["decay"])
        own = statistics_of(self.predictor, description)
        self._copied = [(blob.data, source.data) for blob, source in zip(own, self.statistics)]

    def train_step(self, indices, learning_rate, masks):
        self._gather(indices)
        return self._step(learning_rate, masks)

    def train_on(self, images, labels, learning_rate, masks):
        before_ns = time.monotonic_ns()
        self._image_blob[...] = images
        self._label_blob[...] = labels
        self._data_ns = time.monotonic_ns() - before_ns
        return self._step(learning_rate, masks)

    def _gather(self, indices):
        before_ns = time.monotonic_ns()
        # mode="clip" lets NumPy write into the blob without a buffer between; the indices are in range.
        np.take(self.images["train"], indices, axis=0, out=self._image_blob, mode="clip")
        np.take(self.labels["train"], indices, axis=0, out=self._label_blob, mode="clip")
        self._data_ns = time.monotonic_ns() - before_ns

    def _step(self, learning_rate, masks):
        self._set_masks(masks)
        self.update.rate = learning_rate
        self.solver.step(1)
        if self.averages is not None:
            self.averages.add()
        return float(self._loss_blob)

    def _set_masks(self, masks):
        for name, blob, factor in self._mask_blobs:
            np.multiply(masks[name], factor, out=blob)

    def applied_rate(self):
        return float(self.update.applied)

    def predict(self, split, indices):
        return self._evaluate(split, indices)[PROBABILITIES].reshape(len(indices), -1)

    def _evaluate(self, split, indices):
        for statistics, source in self._copied:
            statistics[...] = source
        np.take(self.images[split], indices, axis=0, out=self._predicted_blob, mode="clip")
        return self.predictor.forward()

    def weights(self):
        return {name: blob.data.copy() for name, blob in self.parameters.items()}

    def activations(self, split, indices):
        self._evaluate(split, indices)
        return {layer["name"]: self.predictor.blobs[self.outputs[layer["name"]]].data.copy() for layer in self.layers}

    def gradients(self, indices, masks):
        self._gather(indices)
        self._set_masks(masks)
        kept = [blob.data.copy() for blob in self.statistics]
        self.net.clear_param_diffs()
        self.net.forward()
        self.net.backward()
        for blob, value in zip(self.statistics, kept):
            blob.data[...] = value
        return {name: blob.diff * self.connections.get(name, 1.0) for name, blob in self.parameters.items()}

    def data_ns(self):
        return self._data_ns

    def _write(self, name, text):
        path = os.path.join(self.trial_folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path
