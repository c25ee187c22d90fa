"""Latin hypercubes: points that cover each key's range evenly, the same from the same seed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli.plan import plan_as_dict
from harness.study import make_plan
from harness.study.hypercube import unit_points, values_in
from harness.study.ranges import Range
from tests.study.test_study_files import error_of

STUDY = """\
latin_hypercube:
  points: 12
  seed: 5
  keys:
    batch_size: {from: 16, to: 1024, scale: log}
    rate: {from: 0.001, to: 0.1, scale: log}
    blas: [openblas, reference]
"""


@settings(deadline=None)
@given(points=st.integers(2, 60), keys=st.integers(1, 6), seed=st.integers(0, 10**6))
def test_each_part_of_each_key_holds_one_point(points: int, keys: int, seed: int) -> None:
    drawn = unit_points(points, keys, seed)
    assert len(drawn) == keys
    for column in drawn:
        assert sorted(int(share * points) for share in column) == list(range(points))


def test_the_points_are_those_of_the_seed() -> None:
    """Drawn by another version of scipy or numpy in another way, a study would be another one: it has to be noticed."""
    assert unit_points(3, 2, 7) == unit_points(3, 2, 7)
    assert unit_points(3, 2, 7) != unit_points(3, 2, 8)
    assert [round(share, 6) for share in unit_points(3, 2, 7)[0]] == [0.458302, 0.741438, 0.233278]


@settings(deadline=None)
@given(points=st.integers(2, 40), seed=st.integers(0, 1000), choices=st.integers(1, 5))
def test_the_values_of_a_list_have_equal_parts(points: int, seed: int, choices: int) -> None:
    (shares,) = unit_points(points * choices, 1, seed)
    values = values_in(list(range(choices)), None, shares)
    assert [values.count(choice) for choice in range(choices)] == [points] * choices


def test_whole_numbers_of_as_many_points_are_each_there_once() -> None:
    (shares,) = unit_points(10, 1, 3)
    assert sorted(values_in(Range.model_validate({"from": 1, "to": 10}), "whole", shares)) == list(range(1, 11))


def test_a_study_runs_its_points_in_place_of_all_combinations(study_of) -> None:
    study = study_of(STUDY)
    plan = make_plan(study)
    points = {tuple(trial.varied.values()) for trial in plan.trials if trial.framework == "beta"}
    assert len(points) == len(study.cells) // 2 == 12
    assert list(plan.trials[0].varied) == ["batch_size", "rate", "blas"]
    assert all(16 <= size <= 1024 and 0.001 <= rate <= 0.1 for size, rate, _ in points)
    assert sum(blas == "openblas" for _, _, blas in points) == 6
    assert study.hypercube is not None
    assert study.hypercube.words == "12 points of a Latin hypercube over batch_size, rate, blas, drawn from seed 5"


def test_the_seed_is_recorded_with_the_trials(study_of) -> None:
    assert make_plan(study_of(STUDY)).trials[0].overrides == {"latin_hypercube": {"points": 12, "seed": 5}}


@pytest.mark.filterwarnings("error")
def test_the_plan_as_values_has_the_ranges_as_they_were_given(study_of) -> None:
    study = study_of(STUDY)
    assert plan_as_dict(study, make_plan(study))["latin_hypercube"] == {
        "points": 12,
        "seed": 5,
        "keys": {
            "batch_size": {"from": 16, "to": 1024, "scale": "log"},
            "rate": {"from": 0.001, "to": 0.1, "scale": "log"},
            "blas": ["openblas", "reference"],
        },
    }


def test_points_are_crossed_with_what_is_varied_beside_them(study_of) -> None:
    more = STUDY.replace("    blas: [openblas, reference]\n", "") + "vary: {momentum: [0.5, 0.9]}\n"
    cells = study_of(more).cells
    assert len(cells) == 12 * 2 * 2
    assert list(cells[0].varied) == ["momentum", "batch_size", "rate"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("latin_hypercube: {points: 1, keys: {rate: {from: 0.1, to: 1}}}\n", "x.yaml:6: latin_hypercube.points should"),
        ("latin_hypercube: {points: 5, keys: {}}\n", "x.yaml:6: latin_hypercube.keys should have at least 1 item"),
        ("latin_hypercube: {points: 5}\n", "x.yaml:6: key 'keys' is missing in latin_hypercube"),
        ("latin_hypercube:\n  points: 5\n  keys:\n    rate: 3\n", "x.yaml:9: latin_hypercube.keys.rate should be"),
        (
            "latin_hypercube:\n  points: 5\n  keys:\n    rat: {from: 0.1, to: 1}\n",
            "x.yaml:9: unknown key 'rat' in latin_hypercube.keys … did you mean 'rate'?",
        ),
        (
            "latin_hypercube:\n  points: 5\n  keys:\n    rate: {from: 1, to: 0.1}\n",
            "x.yaml:9: latin_hypercube.keys.rate should go from a smaller to a larger number, not {from: 1, to: 0.1}",
        ),
        (
            "overrides:\n  rate: 0.1\nlatin_hypercube:\n  points: 5\n  keys:\n    learning_rate: {from: 0.1, to: 1}\n",
            "x.yaml:11: 'learning_rate' is already set as 'rate'",
        ),
        (
            "latin_hypercube:\n  points: 5\n  keys:\n    batch_size: {from: 9000, to: 20000}\n",
            "larger than dataset 'mnist-subset' with its 10000 training images",
        ),
    ],
)
def test_errors_name_file_line_key_and_value(study_of, more: str, message: str) -> None:
    assert message in error_of(study_of, more)
