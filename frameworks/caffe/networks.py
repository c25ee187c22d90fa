"""Networks as Caffe is told them: one or several of its layers for every layer of the network."""

from __future__ import annotations

import numpy as np

from frameworks.caffe.prototxt import Symbol, message
from frameworks.caffe.windows import covered_shape, divisor_factors, place_convolution, place_pool
from frameworks.worker.adapter import unknown_layer

INPUT, LABELS, LOSS, PROBABILITIES = "input", "/labels", "/loss", "/probabilities"
"""Blobs of every network; names of layers hold no slash."""

HOLDERS = ("Convolution", "InnerProduct", "Scale")


class Description:
    """A network for a constant batch size.

    Caffe's layers are named as what they compute; the parts of a layer that takes several are named `<layer>/<part>`.

    Args:
        network: resolved.
        training: with a loss and dropout, and statistics of the mini-batch; else with probabilities.

    Attributes:
        outputs: layer of the network -> the blob with its output.
        holders: layer of the network -> Caffe's layer with its weights and biases.
        statistics: Caffe's layers with the moving statistics of batch normalisations.
        masks: dropout layer -> the blob that its input is multiplied by.
        constants: blob -> the values to write into it once.
    """

    def __init__(self, network: dict, batch_size: int, training: bool):
        self.batch_size, self.training = batch_size, training
        self.outputs, self.holders, self.statistics = {INPUT: INPUT}, {}, []
        self.masks, self.constants = {}, {}
        self._messages = [message({"name": network["name"]})]
        self.input(INPUT, [batch_size] + network["input"])
        for layer in network["layers"]:
            if layer["kind"] not in KINDS:
                raise unknown_layer(layer)
            bottoms = [self.outputs[name] for name in layer["inputs"]]
            self.outputs[layer["name"]] = KINDS[layer["kind"]](self, layer, bottoms)
        logits = self.outputs[network["layers"][-1]["name"]]
        if training:
            self._add("SoftmaxWithLoss", LOSS, [logits, self.input(LABELS, [batch_size])], {})
        else:
            self._add("Softmax", PROBABILITIES, [logits], {})

    @property
    def text(self) -> str:
        """The prototxt."""
        return "\n".join(self._messages)

    def input(self, blob, shape):
        """A blob that is written from outside; its name."""
        return self._add("Input", blob, [], {"input_param": {"shape": {"dim": list(shape)}}})

    def constant(self, blob, values):
        """A blob that is written once; its name."""
        self.constants[blob] = values
        return self.input(blob, values.shape)

    def chain(self, layer, bottoms, *parts):
        """Caffe layers behind one another for one layer of the network; the name of the last one's output.

        Args:
            bottoms: what the first part reads; every other one reads the part before.
            parts: `(type, parameters, further bottoms)`; None for a part that is not needed.
        """
        parts = [part for part in parts if part]
        for number, (kind, parameters, further) in enumerate(parts, start=1):
            name = layer["name"] if number == len(parts) else "%s/%d-%s" % (layer["name"], number, kind)
            if kind in HOLDERS:
                self.holders[layer["name"]] = name
            if kind == "BatchNorm":
                self.statistics.append(name)
            bottoms = [self._add(kind, name, bottoms + further, parameters)]
        return bottoms[0]

    def crop(self, layer, shape, offsets, role):
        """A part that keeps rows and columns of `shape` `(H, W)` from `offsets` on."""
        like = self.input("%s/%s" % (layer["name"], role), [1, 1, *shape])
        return "Crop", {"crop_param": {"axis": 2, "offset": list(offsets)}}, [like]

    def product(self, layer, factors, role):
        """A part that multiplies by constant factors, `(batch, C, H, W)`."""
        return "Eltwise", PRODUCT, [self.constant("%s/%s" % (layer["name"], role), factors)]

    def _add(self, kind, name, bottoms, parameters):
        self._messages.append(
            message({"layer": {"name": name, "type": kind, "bottom": bottoms, "top": name, **parameters}})
        )
        return name


PRODUCT = {"eltwise_param": {"operation": Symbol("PROD")}}


def convolution(net, layer, bottoms):
    placement = place_convolution(layer)
    parameters = {
        "num_output": layer["filters"],
        "kernel_size": layer["kernel"],
        "stride": layer["stride"],
        "pad_h": placement.pads[0],
        "pad_w": placement.pads[1],
        "group": layer["groups"],
        "bias_term": layer["biases"],
    }
    return net.chain(
        layer, bottoms, ("Convolution", {"convolution_param": parameters}, []), _crop_output(net, layer, placement)
    )


def max_pool(net, layer, bottoms):
    layer, crop = _covered(net, layer)
    placement = place_pool(layer)
    return net.chain(layer, bottoms, crop, _pooling("MAX", layer, placement), _crop_output(net, layer, placement))


def average_pool(net, layer, bottoms):
    layer, crop = _covered(net, layer)
    placement = place_pool(layer)
    factors = divisor_factors(layer, placement)
    if factors is not None:
        factors = np.broadcast_to(factors, [net.batch_size] + layer["output_shape"])
    return net.chain(
        layer,
        bottoms,
        crop,
        _pooling("AVE", layer, placement),
        _crop_output(net, layer, placement),
        None if factors is None else net.product(layer, factors, "factors"),
    )


def _covered(net, layer):
    """(the pool on the part of its input that it sees, the part that crops the input to that or None)."""
    shape = covered_shape(layer)
    if shape == layer["input_shapes"][0]:
        return layer, None
    crop = net.crop(layer, shape[1:], [0, 0], "covered")
    padding = [[before, max(after, 0)] for before, after in layer["padding"]]
    return {**layer, "input_shapes": [shape], "padding": padding}, crop


def _pooling(method, layer, placement):
    parameters = {
        "pool": Symbol(method),
        "kernel_size": layer["kernel"],
        "stride": layer["stride"],
        "pad_h": placement.pads[0],
        "pad_w": placement.pads[1],
    }
    return "Pooling", {"pooling_param": parameters}, []


def _crop_output(net, layer, placement):
    if placement.cropped(layer):
        return net.crop(layer, layer["output_shape"][1:], placement.first, "wanted")
    return None


def global_average_pool(net, layer, bottoms):
    parameters = {"pool": Symbol("AVE"), "global_pooling": True}
    return net.chain(layer, bottoms, ("Pooling", {"pooling_param": parameters}, []), ("Flatten", {}, []))


def dense(net, layer, bottoms):
    parameters = {"num_output": layer["units"], "bias_term": layer["biases"]}
    return net.chain(layer, bottoms, ("InnerProduct", {"inner_product_param": parameters}, []))


def activation(net, layer, bottoms):
    return net.chain(layer, bottoms, ({"relu": "ReLU", "tanh": "TanH", "sigmoid": "Sigmoid"}[layer["kind"]], {}, []))


def dropout(net, layer, bottoms):
    if not net.training:
        return bottoms[0]
    mask = net.input("%s/mask" % layer["name"], [net.batch_size] + layer["output_shape"])
    net.masks[layer["name"]] = mask
    return net.chain(layer, bottoms, ("Eltwise", PRODUCT, [mask]))


def add(net, layer, bottoms):
    return net.chain(layer, bottoms, ("Eltwise", {"eltwise_param": {"operation": Symbol("SUM")}}, []))


def local_response_normalisation(net, layer, bottoms):
    """Caffe's WITHIN_CHANNEL has no bias b: `(b + a s) ** -beta = b ** -beta * (1 + a / b * s) ** -beta`."""
    alpha, beta, bias = layer["alpha"], layer["beta"], layer["bias"]
    if layer["across"] == "channels":
        own = {"norm_region": Symbol("ACROSS_CHANNELS"), "alpha": alpha, "k": bias}
        scaling = None
    else:
        own = {"norm_region": Symbol("WITHIN_CHANNEL"), "alpha": alpha / bias}
        scaling = None if bias == 1 else ("Power", {"power_param": {"scale": bias**-beta}}, [])
    parameters = {"local_size": layer["size"], "beta": beta, **own}
    return net.chain(layer, bottoms, ("LRN", {"lrn_param": parameters}, []), scaling)


def batch_normalisation(net, layer, bottoms):
    parameters = {
        "use_global_stats": not net.training,
        "moving_average_fraction": layer["decay"],
        "eps": layer["epsilon"],
    }
    return net.chain(
        layer,
        bottoms,
        ("BatchNorm", {"batch_norm_param": parameters}, []),
        ("Scale", {"scale_param": {"bias_term": True}}, []),
    )


KINDS = {
    "convolution": convolution,
    "max_pool": max_pool,
    "average_pool": average_pool,
    "global_average_pool": global_average_pool,
    "dense": dense,
    "relu": activation,
    "tanh": activation,
    "sigmoid": activation,
    "dropout": dropout,
    "add": add,
    "local_response_normalisation": local_response_normalisation,
    "batch_normalisation": batch_normalisation,
}
