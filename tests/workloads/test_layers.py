"""Every layer kind: its output shape, what the worker gets of it, and what it refuses and how it says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import FileFormatError
from harness.workloads import load_network, parameters, parse_network, resolve_network, shapes
from harness.workloads.networks import LayerError

CONV = {"kind": "convolution", "filters": 6, "kernel": 3}
MAX = {"kind": "max_pool", "kernel": 3, "stride": 2}
AVERAGE = {"kind": "average_pool", "kernel": 3, "stride": 2}
LRN = {"kind": "local_response_normalisation", "size": 3, "alpha": 0.5, "beta": 0.75}
NORM = {"kind": "batch_normalisation", "epsilon": 1e-5, "decay": 0.9}
IMAGE = (3, 9, 8)


def network(*layers: dict[str, Any], size: tuple[int, ...] = IMAGE) -> dict[str, Any]:
    """The layers, called a, b, c and so on."""
    return {"name": "net", "input": size, "layers": [{"name": chr(97 + i), **own} for i, own in enumerate(layers)]}


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (CONV, (6, 7, 6)),
        ({**CONV, "padding": "valid"}, (6, 7, 6)),
        ({**CONV, "padding": 1}, (6, 9, 8)),
        ({**CONV, "padding": 4}, (6, 15, 14)),
        ({**CONV, "stride": 2}, (6, 4, 3)),
        ({**CONV, "stride": 2, "padding": "same"}, (6, 5, 4)),
        ({**CONV, "groups": 3}, (6, 7, 6)),
        ({**CONV, "connections": {"fan_in": 2}}, (6, 7, 6)),
        ({**MAX, "rounding": "floor"}, (3, 4, 3)),
        ({**MAX, "rounding": "ceil"}, (3, 4, 4)),
        ({**MAX, "padding": "same"}, (3, 5, 4)),
        ({**MAX, "padding": 2, "rounding": "floor"}, (3, 6, 5)),
        ({**MAX, "kernel": 9, "stride": 1, "padding": 2, "rounding": "floor"}, (3, 5, 4)),
        ({**AVERAGE, "rounding": "floor"}, (3, 4, 3)),
        ({**AVERAGE, "rounding": "ceil"}, (3, 4, 4)),
        ({**AVERAGE, "padding": "same"}, (3, 5, 4)),
        ({"kind": "global_average_pool"}, (3,)),
        ({"kind": "dense", "units": 7}, (7,)),
        ({"kind": "relu"}, IMAGE),
        ({"kind": "tanh"}, IMAGE),
        ({"kind": "sigmoid"}, IMAGE),
        ({"kind": "dropout", "keep": 0.5}, IMAGE),
        ({**LRN, "across": "channels"}, IMAGE),
        ({**LRN, "across": "space"}, IMAGE),
        (NORM, IMAGE),
    ],
)
def test_output_shapes(layer: dict[str, Any], expected: tuple[int, ...]) -> None:
    assert shapes(network(layer))["a"] == expected
    (resolved,) = resolve_network(network(layer))["layers"]
    assert tuple(resolved["output_shape"]) == expected
    assert resolved["input_shapes"] == [list(IMAGE)]


@pytest.mark.parametrize(
    "layer", [NORM, {"kind": "dropout", "keep": 0.25}, {"kind": "relu"}, {"kind": "dense", "units": 4}]
)
def test_layers_that_take_vectors(layer: dict[str, Any]) -> None:
    assert shapes(network({"kind": "dense", "units": 4}, layer))["b"] == (4,)


def test_add_joins_two_branches() -> None:
    given = network({**CONV, "padding": 1}, {"kind": "tanh"}, {"kind": "add", "inputs": ["a", "b"]})
    assert shapes(given)["c"] == (6, 9, 8)
    assert resolve_network(given)["layers"][2]["input_shapes"] == [[6, 9, 8], [6, 9, 8]]


def test_add_may_take_one_output_twice() -> None:
    assert shapes(network({"kind": "tanh"}, {"kind": "add", "inputs": ["a", "a"]}))["b"] == IMAGE


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([{**CONV, "kernel": 10}], "layer 'a': kernel 10 is larger than its padded input of 9 (input 'input' has"),
        ([{**MAX, "kernel": 9, "stride": 1}], "layer 'a': kernel 9 is larger than its padded input of 8"),
        ([{**MAX, "kernel": 2}], "layer 'a': windows of 2 with stride 2 do not tile 9; say rounding: floor"),
        ([AVERAGE], "layer 'a': windows of 3 with stride 2 do not tile 8; say rounding: floor"),
        (
            [{**AVERAGE, "padding": 3, "rounding": "ceil"}],
            "layer 'a': padding 3 should be smaller than the kernel 3 (input 'input' has shape 3x9x8)",
        ),
        ([{**CONV, "groups": 2}], "layer 'a': groups 2 should divide 3 input channels and 6 filters"),
        ([{**CONV, "groups": 3, "filters": 4}], "layer 'a': groups 3 should divide 3 input channels and 4 filters"),
        ([{**CONV, "connections": {"fan_in": 4}}], "connections.fan_in 4 is larger than its 3 input channels"),
        (
            [CONV, {"kind": "add", "inputs": ["a", "input"]}],
            "layer 'b': adds outputs of different shapes, 6x7x6 and 3x9x8 "
            "(input 'a' has shape 6x7x6, input 'input' has shape 3x9x8)",
        ),
        (
            [{"kind": "relu"}, {"kind": "dense", "units": 2}, {"kind": "add", "inputs": ["a", "b"]}],
            "layer 'c': adds outputs of different shapes, 3x9x8 and 2",
        ),
        *(
            ([{"kind": "dense", "units": 2}, layer], "layer 'b': needs an input of channels, height, width")
            for layer in (CONV, MAX, AVERAGE, {"kind": "global_average_pool"}, {**LRN, "across": "space"})
        ),
        (
            [{"kind": "relu"}, {"kind": "add", "inputs": ["a", "z"]}],
            "layer 'b': unknown input 'z'; known: a, b, input",
        ),
        (
            [{"kind": "relu", "inputs": ["c"]}, {"kind": "tanh"}, {"kind": "add", "inputs": ["a", "b"]}],
            "is part of a cycle: ",
        ),
    ],
)
def test_shapes_that_do_not_fit_name_layer_and_shapes(layers: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(LayerError) as caught:
        parse_network(network(*layers))
    assert message in str(caught.value)


HEAD = "network: mine\ninput: [3, 9, 8]\nlayers:\n  - {name: first, kind: tanh}\n"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("kind: convolution, filters: 6, kernel: 10", "layer 'b': kernel 10 is larger than its padded input of 9"),
        ("kind: max_pool, kernel: 2, stride: 2", "layer 'b': windows of 2 with stride 2 do not tile 9"),
        ("kind: convolution, filters: 6, kernel: 3, groups: 4", "layer 'b': groups 4 should divide 3 input channels"),
        ("kind: tanh, inputs: [fist]", "layer 'b': unknown input 'fist' … did you mean 'first'?"),
        ("kind: tanh, inputs: [b]", "layer 'b': is part of a cycle: b -> b"),
        ("kind: add", "layers[1].inputs should have at least 2 items, not ['first']"),
        ("kind: tanh, inputs: [first, input]", "layers[1].inputs should have at most 1 item, not ['first', 'input']"),
        ("kind: tanh, units: 3", "unknown key 'units' in layers[1]; known: inputs, kind, name"),
        ("kind: softmax", "unknown kind 'softmax' in layers[1]"),
        (
            "kind: convolution, filters: 6, kernel: 3, padding: some",
            "layers[1].padding should be 'valid', 'same' or a whole number from 0 on, not 'some'",
        ),
        ("kind: max_pool, kernel: 2, stride: 2, padding: -1", "layers[1].padding should be 'valid', 'same' or a whole"),
        ("kind: max_pool, kernel: 2, stride: 2, rounding: up", "layers[1].rounding should be 'floor' or 'ceil', not"),
        ("kind: max_pool, kernel: 2, stride: 0", "layers[1].stride should be greater than or equal to 1, not 0"),
        ("kind: max_pool, kernel: 2", "key 'stride' is missing in layers[1]"),
        (
            "kind: convolution, filters: 6, kernel: 3, groups: 3, connections: {fan_in: 1}",
            "layers[1]: groups and connections cannot be combined",
        ),
        ("kind: dropout, keep: 0.7", "layers[1].keep should be a multiple of 1/256, such as 0.5 or 0.75, not 0.7"),
        ("kind: dropout, keep: 0.0", "layers[1].keep should be greater than 0, not 0.0"),
        (
            "kind: local_response_normalisation, across: channels, size: 4, alpha: 1.0, beta: 0.75",
            "layers[1].size should be odd, so that a neighbourhood has a middle, not 4",
        ),
        (
            "kind: local_response_normalisation, across: rows, size: 5, alpha: 1.0, beta: 0.75",
            "layers[1].across should be 'channels' or 'space', not 'rows'",
        ),
        (
            "kind: average_pool, kernel: 3, stride: 3, divisor: kernel",
            "layers[1].divisor should be 'inside' or 'padded'",
        ),
        ("kind: batch_normalisation, epsilon: 0.1, decay: 1.0", "layers[1].decay should be less than 1, not 1.0"),
        ("kind: batch_normalisation, epsilon: 0.0, decay: 0.9", "layers[1].epsilon should be greater than 0, not 0.0"),
    ],
)
def test_a_wrong_layer_in_a_file_is_one_message_at_its_line(tmp_path: Path, fields: str, message: str) -> None:
    (tmp_path / "mine.yaml").write_text(f"{HEAD}  - {{name: b, {fields}}}\n")
    with pytest.raises(FileFormatError) as caught:
        load_network("mine.yaml", relative_to=tmp_path)
    (line,) = str(caught.value).splitlines()
    assert f"mine.yaml:5: {message}" in line


def test_one_wrong_layer_alone_is_not_also_called_missing(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("network: mine\ninput: [3, 9, 8]\nlayers:\n  - {name: a, kind: softmax}\n")
    with pytest.raises(FileFormatError) as caught:
        load_network("mine.yaml", relative_to=tmp_path)
    assert "at least 1 item" not in str(caught.value)
    (tmp_path / "mine.yaml").write_text("network: mine\ninput: [3, 9, 8]\nlayers: []\n")
    with pytest.raises(FileFormatError, match=r"mine.yaml:3: layers should have at least 1 item, not \[\]"):
        load_network("mine.yaml", relative_to=tmp_path)


@pytest.mark.parametrize(
    ("layer", "padding"),
    [
        ({**CONV, "padding": 2}, [[2, 2], [2, 2]]),
        ({**CONV, "stride": 2}, [[0, 0], [0, -1]]),  # 9 rows are tiled, of 8 columns the last is dropped
        ({**CONV, "stride": 2, "padding": "same"}, [[1, 1], [0, 1]]),
        ({**MAX, "rounding": "ceil"}, [[0, 0], [0, 1]]),
        ({**AVERAGE, "padding": 1, "rounding": "ceil"}, [[1, 1], [1, 2]]),
    ],
)
def test_padding_is_resolved_to_rows_and_columns(layer: dict[str, Any], padding: list[list[int]]) -> None:
    assert resolve_network(network(layer))["layers"][0]["padding"] == padding


def test_the_explicit_padding_of_an_average_pool_is_told() -> None:
    def explicit(padding: int | str) -> int:
        layer = {**AVERAGE, "padding": padding, "rounding": "ceil", "divisor": "padded"}
        return resolve_network(network(layer))["layers"][0]["explicit_padding"]

    assert [explicit(padding) for padding in (0, 1, 2, "valid", "same")] == [0, 1, 2, 0, 0]


def test_parameters_of_layers_with_options() -> None:
    def found(*layers: dict[str, Any]) -> dict[str, tuple[int, ...]]:
        return {name: parameter.shape for name, parameter in parameters(network(*layers)).items()}

    assert found({**CONV, "groups": 3}) == {"a.weights": (6, 1, 3, 3), "a.biases": (6,)}
    assert found({**CONV, "biases": False}) == {"a.weights": (6, 3, 3, 3)}
    assert found({"kind": "dense", "units": 2, "biases": False}) == {"a.weights": (2, 3 * 9 * 8)}
    assert found(NORM) == {"a.weights": (3,), "a.biases": (3,)}
    assert found({"kind": "tanh"}, {"kind": "dropout", "keep": 0.5}, {**MAX, "padding": "same"}) == {}


def test_fan_in_and_fan_out() -> None:
    def fans(layer: dict[str, Any]) -> list[tuple[int, int]]:
        return [(parameter.fan_in, parameter.fan_out) for parameter in parameters(network(layer)).values()]

    assert fans(CONV) == [(3 * 9, 6 * 9)] * 2
    assert fans({**CONV, "groups": 3}) == [(1 * 9, 2 * 9)] * 2
    assert fans({**CONV, "connections": {"fan_in": 2}}) == [(2 * 9, 6 * 9)] * 2
    assert fans({"kind": "dense", "units": 5}) == [(216, 5)] * 2


def connections(filters: int = 64, channels: int = 16, **table: int) -> list[list[int]]:
    layer = {"kind": "convolution", "filters": filters, "kernel": 3, "connections": table}
    return resolve_network(network(layer, size=(channels, 5, 5)))["layers"][0]["connections"]


def test_a_connection_table_gives_every_filter_so_many_different_channels() -> None:
    table = connections(fan_in=4, seed=2)
    assert len(table) == 64
    for row in table:
        assert row == sorted(set(row)) and len(row) == 4 and set(row) <= set(range(16))
    assert {channel for row in table for channel in row} == set(range(16)), "no channel is left out among 64 filters"
    assert len({tuple(row) for row in table}) > 50


def test_a_connection_table_is_the_same_every_time_and_another_for_another_seed() -> None:
    assert connections(fan_in=4, seed=2) == connections(fan_in=4, seed=2) != connections(fan_in=4, seed=3)
    assert connections(fan_in=16) == [list(range(16))] * 64
    # Every stored trial of such a network would be another if this changed.
    assert connections(filters=4, channels=6, fan_in=2, seed=1) == [[1, 5], [4, 5], [0, 4], [1, 5]]


def test_without_connections_the_worker_is_told_so() -> None:
    (resolved,) = resolve_network(network(CONV))["layers"]
    assert resolved["connections"] is None
