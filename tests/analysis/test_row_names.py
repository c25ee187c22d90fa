"""Names of rows whose cells differ in the learning-rate policy."""

from __future__ import annotations

from typing import Any

from harness.analysis.cells import CellKey, function_name, plain_value, row_names

TRI = {"policy": "TRI", "k0": 0.01, "k1": 0.06, "l": 120}
NSTEP = {"policy": "NSTEP", "k0": 0.001, "gamma": 0.1, "l": [514, 557]}


def cell(policy: Any, framework: str = "torch", name: str = "learning_rate") -> CellKey:
    function = function_name(policy)
    return CellKey(
        framework=framework,
        version="1.0",
        workload="lenet-mnist",
        setting="lrbench-mnist",
        profile="local",
        varied=((name, plain_value(policy)),),
        conditions=("mnist", "", ""),
        specification="{}",
        environment="venv",
        functions=((name, function),) if function else (),
    )


def test_a_policy_is_written_in_a_few_words() -> None:
    assert plain_value(TRI) == "TRI k0=0.01 k1=0.06 l=120"
    assert plain_value(NSTEP) == "NSTEP k0=0.001 gamma=0.1 l=[514, 557]"
    assert plain_value({"other": 1}) == '{"other": 1}'


def test_rows_bear_the_name_of_the_function_where_it_tells_them_apart() -> None:
    keys = [cell(TRI), cell(NSTEP), cell(TRI, "caffe")]
    assert list(row_names(keys).values()) == ["torch · TRI", "torch · NSTEP", "caffe · TRI"]


def test_rows_of_one_function_bear_its_parameters() -> None:
    keys = [cell(TRI), cell({**TRI, "l": 60})]
    assert list(row_names(keys).values()) == ["torch · TRI k0=0.01 k1=0.06 l=120", "torch · TRI k0=0.01 k1=0.06 l=60"]


def test_other_values_bear_their_key() -> None:
    assert list(row_names([cell(0.1), cell(0.01)]).values()) == [
        "torch · learning_rate=0.1",
        "torch · learning_rate=0.01",
    ]


def test_text_that_looks_like_a_policy_keeps_its_key() -> None:
    keys = [cell(text, name="environment.XLA_FLAGS") for text in ("--a=1 b=2", "--b=1 c=2")]
    assert list(row_names(keys).values()) == [
        "torch · environment.XLA_FLAGS=--a=1 b=2",
        "torch · environment.XLA_FLAGS=--b=1 c=2",
    ]


def test_a_policy_in_the_string_form_is_one_too() -> None:
    text = "lrPolicy_TRI+k0_0.01+k1_0.06+l_120"
    assert list(row_names([cell(text), cell(NSTEP)]).values()) == ["torch · TRI", "torch · NSTEP"]
    assert list(row_names([cell(text), cell(TRI)]).values()) == [
        f"torch · {text}",
        "torch · TRI k0=0.01 k1=0.06 l=120",
    ]
    assert function_name("lrPolicy_") is None
