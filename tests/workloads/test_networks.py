from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import FileFormatError
from harness.workloads import forward_flops, load_network, load_workload, parameter_count, parameters, shapes
from harness.workloads.networks import LayerError, parse_network

LENET_SHAPES = {
    "conv1": (20, 24, 24),
    "pool1": (20, 12, 12),
    "conv2": (50, 8, 8),
    "pool2": (50, 4, 4),
    "dense1": (500,),
    "relu1": (500,),
    "dense2": (10,),
}


def network(*layers: dict, input_shape: tuple = (1, 28, 28)) -> dict:
    return {"name": "net", "input": input_shape, "layers": list(layers)}


CONV = {"name": "conv1", "kind": "convolution", "filters": 4, "kernel": 5}
POOL = {"name": "pool1", "kind": "max_pool", "kernel": 2, "stride": 2}
DENSE = {"name": "dense1", "kind": "dense", "units": 10}


def test_lenet_is_caffes() -> None:
    lenet = load_network("lenet")
    assert parameter_count(lenet) == 431_080
    assert shapes(lenet) == LENET_SHAPES
    found = {name: parameter.shape for name, parameter in parameters(lenet).items()}
    assert list(found.items())[:4] == [
        ("conv1.weights", (20, 1, 5, 5)),
        ("conv1.biases", (20,)),
        ("conv2.weights", (50, 20, 5, 5)),
        ("conv2.biases", (50,)),
    ]
    assert found["dense1.weights"] == (500, 800)


def test_flops_count_a_multiply_add_as_two() -> None:
    flops = forward_flops(load_network("lenet"))
    assert flops["conv1"] == 2 * 20 * 24 * 24 * 25
    assert flops["conv2"] == 2 * 50 * 8 * 8 * 20 * 25
    assert flops["dense1"] == 2 * 800 * 500
    assert flops["relu1"] == 0


def test_plain_values_mean_the_same_as_the_file() -> None:
    lenet = load_network("lenet")
    plain = lenet.model_dump(mode="json")
    assert parse_network(plain) == lenet
    assert plain["layers"][1]["inputs"] == ["conv1"]


def test_stride_and_padding() -> None:
    given = network({**CONV, "stride": 2, "padding": 2}, input_shape=(3, 32, 31))
    assert shapes(given) == {"conv1": (4, 16, 16)}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (network({**CONV, "kernel": 29}), "layer 'conv1': kernel 29 is larger than its padded input of 28"),
        (network(CONV, {**POOL, "kernel": 3, "stride": 2}), "windows of 3 with stride 2 do not tile 24; say rounding"),
        (network(DENSE, {**CONV, "name": "conv2"}), r"layer 'conv2': needs an input of channels, height, width"),
        (network(CONV, {**DENSE, "inputs": ["conv"]}), "layer 'dense1': unknown input 'conv' … did you mean 'conv1'"),
        (network({**CONV, "inputs": ["pool1"]}, POOL), "part of a cycle: .*conv1.*pool1"),
        (network({**CONV, "inputs": ["conv1"]}), "cycle: conv1 -> conv1"),
        (network({**CONV, "inputs": ["pool1"]}, {**POOL, "inputs": ["input"]}), "stands before its input 'pool1'"),
        (network(CONV, CONV), "layer 'conv1': the name is used twice"),
        (network(CONV, {**DENSE, "inputs": ["input"]}), "layer 'conv1': no layer uses its output"),
        (network({**CONV, "name": "input"}), "'input' names the images"),
    ],
)
def test_layers_that_do_not_fit_are_named(given: dict, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        parse_network(given)


def test_a_shape_error_tells_the_shape_that_came_in() -> None:
    with pytest.raises(LayerError, match=r"input 'conv1' has shape 4x24x24"):
        parse_network(network(CONV, {**POOL, "kernel": 5, "stride": 5}))


LENET_FILE = (Path(__file__).parents[2] / "harness/workloads/networks/lenet.yaml").read_text()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kind: relu", "kind: rellu", "unknown kind 'rellu' in layers[5] … did you mean 'relu'?"),
        ("filters: 50", "filers: 50", "unknown key 'filers' in layers[2] … did you mean 'filters'?"),
        ("filters: 50, kernel: 5", "filters: 50, kernel: 50", "layer 'conv2': kernel 50 is larger"),
        ("units: 500", "units: 0", "layers[4].units should be greater than or equal to 1, not 0"),
    ],
)
def test_errors_of_a_network_file_name_file_line_and_layer(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(LENET_FILE.replace(old, new, 1))
    line = next(number for number, text in enumerate(path.read_text().splitlines(), 1) if new in text)
    with pytest.raises(FileFormatError) as caught:
        load_network("mine.yaml", relative_to=tmp_path)
    assert f"mine.yaml:{line}: {message}" in str(caught.value)


def test_a_workload_whose_parts_do_not_fit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(LENET_FILE.replace("units: 10}", "units: 7}"))
    workload = tmp_path / "w.yaml"
    workload.write_text("workload: w\ndataset: mnist-subset\nnetwork: mine.yaml\nloss: softmax_cross_entropy\n")
    with pytest.raises(FileFormatError, match=r"w.yaml:3: the last layer 'dense2' .* has shape 7, .* 10 classes"):
        load_workload("w.yaml", relative_to=tmp_path)


def test_a_workload_with_unknown_parts_names_its_line(tmp_path: Path) -> None:
    workload = tmp_path / "w.yaml"
    workload.write_text("workload: w\ndataset: mnist-sub\nnetwork: lenet\nloss: softmax_cross_entropy\n")
    with pytest.raises(FileFormatError, match=r"w.yaml:2: unknown dataset 'mnist-sub' … did you mean 'mnist-subset'"):
        load_workload("w.yaml", relative_to=tmp_path)
