"""The symbolic graphs of training and evaluation, and the functions compiled from them."""

from __future__ import annotations

from frameworks.theano.layers import Context, MovingStatistics, make_output
from frameworks.theano.updates import average_updates, optimizer_updates
from frameworks.worker.layers import dropout_layers


class Graph:
    """A network in training and in evaluation, as expressions of a mini-batch and of shared variables.

    The methods compile one function each. `images` and `labels` are the shared variables of a staged split, whose
    mini-batch the function gathers; dropout masks come last among its inputs, in the order of `masks`.

    Attributes:
        parameters: name -> shared variable.
        masks: dropout layer -> symbolic mask.
        outputs: layer -> symbolic output in evaluation.
    """

    def __init__(self, theano, network, setting, weights):
        tensor = theano.tensor
        self.theano = theano
        self.parameters = {name: theano.shared(value, name=name) for name, value in weights.items()}
        self.indices, self.rate = tensor.ivector("indices"), tensor.fscalar("rate")
        self.images, self.labels = tensor.ftensor4("images"), tensor.ivector("labels")
        self.masks = {
            layer["name"]: tensor.TensorType("uint8", (False,) * (1 + len(layer["output_shape"])))(layer["name"])
            for layer in dropout_layers(network)
        }
        statistics = {
            layer["name"]: MovingStatistics(theano, layer["output_shape"][0], layer["decay"])
            for layer in network["layers"]
            if layer["kind"] == "batch_normalisation"
        }
        training = Context(theano, True, setting["batch_size"], self.parameters, statistics, self.masks)
        logits = list(self._forward(network, training).values())[-1]
        probabilities = tensor.nnet.softmax(logits)
        self.loss = tensor.nnet.categorical_crossentropy(probabilities, self.labels).mean()
        self.loss_gradients = dict(zip(self.parameters, theano.grad(self.loss, list(self.parameters.values()))))
        self.updates = optimizer_updates(
            theano, self.loss_gradients, self.parameters, setting, network["parameters"], self.rate
        )
        self.updates += training.updates
        evaluated = self.parameters
        if setting["weight_average"]:
            evaluated, more = average_updates(theano, self.parameters, self.updates, setting["weight_average"]["decay"])
            self.updates += more
        batch_size = setting["evaluation"]["batch_size"]
        self.outputs = self._forward(network, Context(theano, False, batch_size, evaluated, statistics))

    def train_step(self, images, labels):
        """`(indices, rate, *masks) -> mean loss`, updating everything."""
        return self._function([self.indices, self.rate, *self.masks.values()], self.loss, images, labels, self.updates)

    def train_on(self, _images, _labels):
        """`(images, labels, rate, *masks) -> mean loss`, updating everything."""
        inputs = [self.images, self.labels, self.rate, *self.masks.values()]
        return self.theano.function(inputs, self.loss, updates=self.updates)

    def gradients(self, images, labels):
        """`(indices, *masks) -> [gradient of every parameter]`, changing nothing."""
        inputs = [self.indices, *self.masks.values()]
        return self._function(inputs, list(self.loss_gradients.values()), images, labels)

    def predict(self, images, _labels):
        """`(indices) -> class probabilities`."""
        logits = list(self.outputs.values())[-1]
        return self._function([self.indices], self.theano.tensor.nnet.softmax(logits), images)

    def activations(self, images, _labels):
        """`(indices) -> [output of every layer]`."""
        return self._function([self.indices], list(self.outputs.values()), images)

    def _function(self, inputs, outputs, images, labels=None, updates=()):
        givens = {self.images: images[self.indices]}
        if labels is not None:
            givens[self.labels] = labels[self.indices]
        return self.theano.function(inputs, outputs, updates=list(updates), givens=givens)

    def _forward(self, network, context):
        values = {"input": self.images}
        for layer in network["layers"]:
            values[layer["name"]] = make_output(layer, [values[name] for name in layer["inputs"]], context)
        del values["input"]
        return values
