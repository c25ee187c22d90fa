"""Nets that Caffe has built: finding parameters and statistics in them, and what to write into them once."""

from __future__ import annotations

from frameworks.worker.adapter import Unsupported

FAINT = 2.0**-100
"""Weight of the variance 1 with which a batch normalisation starts; in float32 its first mini-batch effaces it."""


def prepare(net, network: dict, description) -> None:
    """Write the constants and the start of the moving statistics.

    Raises:
        Unsupported: Caffe understands a layer differently than the network says.
    """
    for layer in network["layers"]:
        found = list(net.blobs[description.outputs[layer["name"]]].shape)[1:]
        if found != layer["output_shape"]:
            raise Unsupported(
                "layer %s" % layer["name"], "its output is %s, in Caffe %s" % (layer["output_shape"], found)
            )
    for blob, values in description.constants.items():
        net.blobs[blob].data[...] = values
    for layer in description.statistics:
        sum_of_means, sum_of_variances, sum_of_weights = net.params[layer]
        sum_of_means.data[...] = 0.0
        sum_of_variances.data[...] = FAINT
        sum_of_weights.data[...] = FAINT


def parameters_of(net, description) -> dict:
    """Name in the harness -> blob."""
    return {
        "%s.%s" % (layer, role): blob
        for layer, holder in description.holders.items()
        for role, blob in zip(("weights", "biases"), net.params[holder])
    }


def statistics_of(net, description) -> list:
    """The blobs with the moving statistics of all batch normalisations: sums of means, of variances, of weights."""
    return [blob for layer in description.statistics for blob in net.params[layer]]
