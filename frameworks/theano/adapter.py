"""Theano 1.0.5: shared variables and one compiled function per purpose."""

from __future__ import annotations

import os
import platform

import numpy as np

from frameworks.theano.graph import Graph
from frameworks.worker.adapter import Adapter as Base
from frameworks.worker.adapter import check_loss, dtype_names
from frameworks.worker.blas import describe_library


class Adapter(Base):
    """See `frameworks.worker.adapter.Adapter`.

    What a trial needs is compiled in `build`, what only parity needs when it is first called.
    """

    def start(self):
        import theano
        import theano.tensor.signal.pool

        self.theano = theano
        self.images, self.labels = {}, {}

    def describe(self):
        config = self.theano.config
        library = describe_library(self.profile["threads"]["intra_op"])
        return {
            "version": self.theano.__version__,
            "devices": [{"kind": config.device, "name": platform.processor() or platform.machine()}],
            "threads": {"intra_op": library["threads"], "inter_op": None},
            "library": library,
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
        check_loss(loss)
        self.graph = Graph(self.theano, network, setting, weights)
        self.dropouts = list(self.graph.masks)
        self.functions = Functions(self.graph, self.images, self.labels)
        # Images that are augmented are not staged: then every step is one on given images.
        self.functions.prepare("train_step" if "train" in self.images else "train_on")
        self.functions.prepare("predict", "test")

    def built(self):
        return {"precision": dtype_names(value.dtype for value in self.graph.parameters.values())}

    def train_step(self, indices, learning_rate, masks):
        step = self.functions["train_step", "train"]
        self.rate = np.float32(learning_rate)  # what the compiled step is given
        return float(step(indices, self.rate, *[masks[name] for name in self.dropouts]))

    def train_on(self, images, labels, learning_rate, masks):
        step = self.functions["train_on", "train"]
        self.rate = np.float32(learning_rate)
        return float(step(images, labels, self.rate, *[masks[name] for name in self.dropouts]))

    def applied_rate(self):
        return float(self.rate)

    def predict(self, split, indices):
        return self.functions["predict", split](indices)

    def weights(self):
        return {name: value.get_value().copy() for name, value in self.graph.parameters.items()}

    def activations(self, split, indices):
        return dict(zip(self.graph.outputs, self.functions["activations", split](indices)))

    def gradients(self, indices, masks):
        found = self.functions["gradients", "train"](indices, *[masks[name] for name in self.dropouts])
        return dict(zip(self.graph.parameters, found))


class Functions(dict):
    """(method of `Graph`, split) -> compiled function, compiled when it is first asked for."""

    def __init__(self, graph, images, labels):
        super().__init__()
        self.graph, self.images, self.labels = graph, images, labels

    def __missing__(self, key):
        return self.prepare(*key)

    def prepare(self, purpose, split="train"):
        function = getattr(self.graph, purpose)(self.images.get(split), self.labels.get(split))
        self[purpose, split] = function
        return function


def compiled_modules(folder):
    """Number of modules in the compile cache, None where it cannot be read; 0: this trial compiles everything anew."""
    try:
        return sum(1 for entry in os.listdir(folder) if entry.startswith("tmp") or entry.startswith("mod"))
    except FileNotFoundError:
        return 0
    except OSError:
        return None
