"""The networks of the papers: their numbers of parameters from the sizes of their layers, their shapes."""

from __future__ import annotations

import pytest

from harness.workloads import forward_flops, load_network, load_setting, load_workload, parameter_count, shapes
from harness.workloads.networks import network_names
from harness.workloads.settings import rules_without_layer, setting_names
from harness.workloads.workload import workload_names


def conv(filters: int, channels: int, kernel: int) -> int:
    return filters * channels * kernel**2 + filters


def dense(units: int, inputs: int) -> int:
    return units * inputs + units


def residual_stage(filters: int, channels: int) -> int:
    """Five blocks of two 3x3 convolutions without biases, each normalised; a projection where the shape changes."""
    norm = 2 * filters
    first, others = filters * channels * 9, 9 * filters * filters * 9
    projection = filters * channels + norm if filters != channels else 0
    return first + others + 10 * norm + projection


COUNTS = {
    "lenet": 431_080,
    "tensorflow-mnist": 3_274_634,
    "caffe-cifar10": 145_578,
    "tensorflow-cifar10": conv(64, 3, 5) + conv(64, 64, 5) + dense(384, 64 * 6 * 6) + dense(192, 384) + dense(10, 192),
    "torch-mnist": conv(32, 1, 5) + conv(64, 32, 5) + dense(200, 64 * 3 * 3) + dense(10, 200),
    "torch-cifar10": conv(16, 1, 5) + conv(256, 4, 5) + dense(128, 256 * 5 * 5) + dense(10, 128),
    "theano-mnist": conv(20, 1, 5) + conv(50, 20, 5) + dense(500, 50 * 4 * 4) + dense(10, 500),
    "theano-cifar10": conv(4, 3, 3) + conv(8, 4, 3) + dense(100, 8 * 4 * 4) + dense(10, 100),
    "theano-cifar10-grey": conv(4, 1, 3) + conv(8, 4, 3) + dense(100, 8 * 4 * 4) + dense(10, 100),
    "cnn3": conv(32, 3, 5) + conv(32, 32, 5) + conv(64, 32, 5) + dense(10, 64 * 4 * 4),
    "resnet-32": 16 * 3 * 9 + 32 + residual_stage(16, 16) + residual_stage(32, 16) + residual_stage(64, 32) + 650,
}


def test_every_network_in_the_tree_is_counted_here() -> None:
    assert set(network_names()) == set(COUNTS)


@pytest.mark.parametrize("name", COUNTS)
def test_parameter_counts(name: str) -> None:
    assert parameter_count(load_network(name)) == COUNTS[name]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("caffe-cifar10", {"pool1": (32, 16, 16), "pool2": (32, 8, 8), "pool3": (64, 4, 4)}),
        ("cnn3", {"norm1": (32, 16, 16), "pool2": (32, 8, 8), "pool3": (64, 4, 4)}),
        ("tensorflow-mnist", {"conv1": (32, 28, 28), "pool1": (32, 14, 14), "pool2": (64, 7, 7)}),
        ("tensorflow-cifar10", {"conv1": (64, 24, 24), "pool1": (64, 12, 12), "pool2": (64, 6, 6)}),
        ("torch-mnist", {"conv1": (32, 28, 28), "pool1": (32, 10, 10), "pool2": (64, 3, 3)}),
        ("torch-cifar10", {"conv1": (16, 28, 28), "pool1": (16, 14, 14), "pool2": (256, 5, 5)}),
        ("theano-cifar10", {"pool1": (4, 10, 10), "pool2": (8, 4, 4)}),
        (
            "resnet-32",
            {"s1b5-relu2": (16, 32, 32), "s2b5-relu2": (32, 16, 16), "s3b5-relu2": (64, 8, 8), "pool": (64,)},
        ),
    ],
)
def test_shapes_between_the_layers(name: str, expected: dict[str, tuple[int, ...]]) -> None:
    found = shapes(load_network(name))
    assert {layer: found[layer] for layer in expected} == expected


def test_resnet_32_has_31_convolutions_on_its_longest_way_and_a_dense_layer() -> None:
    layers = load_network("resnet-32").layers
    convolutions = [layer for layer in layers if layer.kind == "convolution" and layer.kernel == 3]
    assert len(convolutions) + 1 == 32
    assert sum(layer.kind == "add" for layer in layers) == 15


def test_connections_that_are_not_there_are_no_work() -> None:
    assert forward_flops(load_network("torch-cifar10"))["conv2"] == 2 * 256 * 10 * 10 * 4 * 25


@pytest.mark.parametrize("name", workload_names())
def test_every_workload_loads_and_ends_in_its_classes(name: str) -> None:
    workload = load_workload(name)
    assert shapes(workload.network)[workload.network.layers[-1].name] == (workload.dataset.classes,)


@pytest.mark.parametrize("name", setting_names())
def test_every_setting_has_rules_only_for_layers_of_the_network_of_its_name(name: str) -> None:
    workload = load_workload({"lrbench-mnist": "lenet-mnist"}.get(name, name))
    assert rules_without_layer(workload.network, load_setting(name)) == []
