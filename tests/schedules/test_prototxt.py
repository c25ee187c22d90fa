from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import FileFormatError
from harness.schedules import load_solver_policy, parse_policy, read_solver_policy

SOLVER = """# The train/test net protocol buffer definition
net: "examples/mnist/lenet_train_test.prototxt"
test_iter: 100   # of 100
base_lr: 0.01
momentum: 0.9
net_param { layer { name: "gamma" } gamma: 3 }
{policy}
max_iter: 10000
solver_mode: CPU
"""


def solver(policy: str) -> str:
    return SOLVER.replace("{policy}", policy)


@pytest.mark.parametrize(
    ("text", "expected", "rate"),
    [
        ('lr_policy: "fixed"', {"policy": "FIX", "k0": 0.01}, lambda t: 0.01),
        (
            "lr_policy: 'step' gamma: 0.1f stepsize: 5000",
            {"policy": "STEP", "k0": 0.01, "gamma": 0.1, "l": 5000},
            lambda t: 0.01 * 0.1 ** (t // 5000),
        ),
        ('lr_policy: "exp"\ngamma: .99', {"policy": "EXP", "k0": 0.01, "gamma": 0.99}, lambda t: 0.01 * 0.99**t),
        (
            'lr_policy: "inv"\ngamma: 1e-4\npower: 0.75',
            {"policy": "INV", "k0": 0.01, "gamma": 0.0001, "p": 0.75},
            lambda t: 0.01 * (1 + 0.0001 * t) ** -0.75,
        ),
        (
            'stepvalue: 5000\nlr_policy: "multistep"\ngamma: 0.9\nstepvalue: 7000',
            {"policy": "NSTEP", "k0": 0.01, "gamma": 0.9, "l": [5000, 7000]},
            lambda t: 0.01 * 0.9 ** ((t >= 5000) + (t >= 7000)),
        ),
        (
            'lr_policy: "multistep" gamma: 0.9 stepvalue: [5000, 7000]',
            {"policy": "NSTEP", "k0": 0.01, "gamma": 0.9, "l": [5000, 7000]},
            lambda t: 0.01 * 0.9 ** ((t >= 5000) + (t >= 7000)),
        ),
        (
            'lr_policy: "poly"; power: 0.5;',
            {"policy": "POLY", "k0": 0.01, "p": 0.5, "l": 10000},
            lambda t: 0.01 * (1 - t / 10000) ** 0.5,
        ),
        (
            'lr_policy: "sigmoid" gamma: 0.001 stepsize: 4000',
            {"policy": "SIG", "k0": 0.01, "gamma": 0.001, "l": 4000},
            lambda t: 0.01 / (1 + np.exp(-0.001 * (t - 4000))),
        ),
    ],
)
def test_a_solvers_policy_is_read_and_has_caffes_rates(text: str, expected: dict[str, Any], rate: Any) -> None:
    made = read_solver_policy(solver(text))
    assert made == parse_policy(expected)
    steps = [0, 1, 4999, 5000, 6999, 7000, 9999]
    np.testing.assert_allclose([made.at(step) for step in steps], [rate(step) for step in steps], rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "lr_policy is missing: a learning-rate policy needs it"),
        ("lr_policy: fixed", 7, "lr_policy should be a text in quotes, not fixed"),
        ('lr_policy: "fixd"', 7, "unknown lr_policy 'fixd' … did you mean 'fixed'?"),
        ('lr_policy: "step"\ngamma: 0.1', 7, "stepsize is missing: lr_policy 'step' needs it"),
        ('lr_policy: "step"\nstepsize: 10', 7, "gamma is missing: lr_policy 'step' needs it"),
        ('lr_policy: "step"\nstepsize: 0 gamma: 0.1', 8, "stepsize should be at least 1, not 0"),
        ('lr_policy: "step"\nstepsize: 1.5 gamma: 0.1', 8, "stepsize should be a whole number, not 1.5"),
        ('lr_policy: "exp"\ngamma: 1.5', 8, "gamma should be greater than 0 and at most 1, not 1.5"),
        ('lr_policy: "exp"\ngamma: a', 8, "gamma should be a number, not a"),
        ('lr_policy: "exp"\ngamma: 0.1\ngamma: 0.2', 9, "gamma is already given in line 8"),
        ('lr_policy: "multistep" gamma: 0.1', 7, "stepvalue is missing"),
        (
            'lr_policy: "multistep" gamma: 0.1\nstepvalue: 9\nstepvalue: 5',
            9,
            "stepvalue should rise, not be [9, 5]",
        ),
        ('lr_policy: "multistep" gamma: 0.1\nstepvalue: 9\nstepvalue: 0', 9, "stepvalue"),
        ('lr_policy: "fixed\n', 7, 'a text that begins with " has no end'),
        ('lr_policy "fixed"', 7, "there should be ':' after lr_policy, not '\"fixed\"'"),
        ('lr_policy: "fixed"\nx: }', 8, "there should be the value of x, not '}'"),
        ('lr_policy: "fixed"\nx {', 8, "'{' is never closed"),
        ('lr_policy: "fixed"\n: 3', 8, "there should be the name of a field, not ':'"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(FileFormatError) as caught:
        read_solver_policy(solver(text), "x/solver.prototxt")
    assert str(caught.value).startswith(f"x/solver.prototxt:{line}: ")
    assert message in str(caught.value)


def test_a_base_rate_of_0_is_refused() -> None:
    with pytest.raises(FileFormatError, match=r"^s:1: base_lr should be greater than 0, not 0"):
        read_solver_policy('base_lr: 0 lr_policy: "fixed"', "s")


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "solver.prototxt"
    path.write_text(solver('lr_policy: "fixed"'))
    assert load_solver_policy(path) == parse_policy("lrPolicy_FIX+k0_0.01")
    with pytest.raises(FileFormatError, match="cannot be read"):
        load_solver_policy(tmp_path / "none.prototxt")
