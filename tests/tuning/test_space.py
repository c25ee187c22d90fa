"""Search spaces: default ranges, space files, their errors, grids."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import FileFormatError
from harness.schedules import FUNCTIONS, learning_rates
from harness.tuning.defaults import Run
from harness.tuning.space import Space, grid_of, load_space, policy_of, space_of_names, tidy

RUN = Run(600, 0.001, 0.1)


def written(folder: Path, text: str) -> Space:
    path = folder / "space.yaml"
    path.write_text(text)
    return load_space(path, RUN)


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_the_default_space_of_every_function_holds_policies_inside_the_rates(name: str) -> None:
    points = grid_of(space_of_names([name], RUN))
    assert points
    for function, values in points:
        rates = learning_rates(policy_of(function, values), RUN.steps)
        assert (rates >= 0).all()
        assert rates.max() <= RUN.highest_rate * 1.001


def test_very_short_runs_have_spaces_too() -> None:
    for steps in (2, 5, 20):
        space = space_of_names(list(FUNCTIONS), Run(steps, 0.001, 0.1))
        for function, values in grid_of(space):
            policy_of(function, values)


def test_no_names_are_the_thirteen_of_the_table() -> None:
    assert len(space_of_names([], RUN).functions) == 13


def test_every_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(FileFormatError) as caught:
        space_of_names(["TRY", "tri", "SINXP"], RUN)
    assert "unknown function 'TRY' … did you mean 'TRI'?" in str(caught.value)
    assert "unknown function 'tri' … did you mean 'TRI'?" in str(caught.value)
    assert "did you mean 'SINEXP'?" in str(caught.value)


def test_a_space_file_states_ranges_values_and_leaves_the_rest(tmp_path: Path) -> None:
    space = written(
        tmp_path,
        "space: mine\npolicies:\n"
        "  TRI: {k0: 0.001, k1: {from: 0.02, to: 0.2, points: 2}, l: [50, 100]}\n"
        "  NSTEP: {gamma: 0.1, l_0: 300, l_1: 500}\n",
    )
    assert [values for name, values in grid_of(space) if name == "TRI"] == [
        {"k0": 0.001, "k1": 0.02, "l": 50},
        {"k0": 0.001, "k1": 0.02, "l": 100},
        {"k0": 0.001, "k1": 0.2, "l": 50},
        {"k0": 0.001, "k1": 0.2, "l": 100},
    ]
    nstep = [policy_of(name, values) for name, values in grid_of(space) if name == "NSTEP"]
    assert len(nstep) == 3  # k0 by default
    assert nstep[0].model_dump(mode="json")["l"] == [300, 500]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("  TRY: {}\n", "space.yaml:3: unknown function 'TRY' … did you mean 'TRI'?"),
        ("  TRI:\n    k2: 1\n", "space.yaml:4: TRI has no parameter 'k2'"),
        ("  TRI:\n    l: 2.5\n", "space.yaml:4: TRI.l should be a whole number of steps"),
        ("  TRI:\n    k0: high\n", "TRI.k0 should be a number, a list of numbers"),
        ("  TRI:\n    k0: {from: 0.1, to: 0.01}\n", "should go from the smaller value to the larger one"),
        ("  TRI:\n    k0: {from: 0, to: 0.01, log: true}\n", "should begin above 0 on a log scale"),
        ("  TRI:\n    k0: {from: 0.1, too: 1}\n", "unknown key 'too'"),
        ("  TRI:\n    k0: {from: 0.01, to: 0.5}\n", "k0 reaches up to 0.5 and k1 down to 0.01"),
        ("  NSTEP: {l_0: 400, l_1: 300}\n", "l_0 reaches up to 400 and l_1 down to 300"),
        ("  TRI:\n    k0: -0.1\n", "at least 0, not -0.1"),
        ("  STEP:\n    gamma: 1.5\n", "at most 1, not 1.5"),
    ],
)
def test_what_is_wrong_with_a_space_file(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(FileFormatError) as caught:
        written(tmp_path, f"space: mine\npolicies:\n{text}")
    assert said in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_values_have_few_digits_but_a_factor_near_one_keeps_its_distance() -> None:
    assert tidy("k0", 0.0123456789) == 0.01235
    assert tidy("gamma", 0.99994123456) == 0.99994123
    assert tidy("gamma", 0.123456) == 0.1235
    assert tidy("l", 123456) == 123456


def test_poly_may_have_its_rates_in_either_order_but_not_crossing(tmp_path: Path) -> None:
    high, low = "{from: 0.05, to: 0.1, points: 2}", "{from: 0.001, to: 0.01, points: 2}"
    for k0, k1 in ((high, low), (low, high), ("0.1", "0.001")):
        space = written(tmp_path, f"space: mine\npolicies:\n  POLY: {{k0: {k0}, k1: {k1}, p: 1}}\n")
        for function, values in grid_of(space):
            rates = learning_rates(policy_of(function, values), RUN.steps)
            assert rates[0] == max(values["k0"], values["k1"])
    with pytest.raises(FileFormatError, match="k0 reaches up to 0.1 and k1 down to 0.01"):
        written(tmp_path, "space: mine\npolicies:\n  POLY: {k0: {from: 0.001, to: 0.1}, k1: {from: 0.01, to: 0.2}}\n")
    with pytest.raises(FileFormatError, match="keep all of k0 below k1"):
        written(tmp_path, f"space: mine\npolicies:\n  TRI: {{k0: {high}, k1: {low}}}\n")
