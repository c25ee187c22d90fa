"""Which columns are factors, which stand for one another, and which cannot be told apart."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from harness.analysis.correlation.factors import cells_of, find_factors, told_apart
from harness.errors import DlgaugeError


def grid(**levels: list) -> pd.DataFrame:
    return pd.DataFrame(list(itertools.product(*levels.values())), columns=list(levels))


def test_levels_order_and_scale() -> None:
    frame = grid(framework=["a", "b"], batch_size=[64, 16, 256], momentum=[0.8, 0.9], blas=["x", None], cpus=[2])
    found, single = find_factors(frame)
    factors = {one.name: one for one in found}
    assert single == ("cpus",)
    assert factors["batch_size"].levels == (16.0, 64.0, 256.0)
    assert factors["batch_size"].doubles
    assert factors["batch_size"].scaled(np.array([16.0, 256.0])).tolist() == [0.0, 4.0]
    assert factors["batch_size"].title == "batch size (images)"
    assert not factors["momentum"].doubles
    assert factors["momentum"].change == "0.8 to 0.9"
    assert factors["momentum"].scaled(np.array([0.9])).tolist() == pytest.approx([1.0])
    assert factors["blas"].levels == ("none", "x")
    assert not factors["blas"].ordered


def test_factors_that_rise_or_fall_together_stand_for_one_another() -> None:
    frame = grid(batch_size=[16, 32, 64], cpus=[1, 2])
    frame["steps"] = 6400 / frame["batch_size"]
    frame["profile"] = frame["cpus"].map({1: "small", 2: "large"})
    found, _ = find_factors(frame)
    assert {one.name: one.together_with for one in found} == {"batch_size": ("steps",), "cpus": ("profile",)}


def test_numbers_of_a_latin_hypercube_do_not_stand_for_one_another() -> None:
    frame = pd.DataFrame({"batch_size": [16, 32, 64, 128], "learning_rate": [0.1, 0.4, 0.2, 0.3]})
    found, _ = find_factors(pd.concat([frame, frame]))
    assert [one.name for one in found] == ["batch_size", "learning_rate"]
    assert told_apart(pd.concat([frame, frame]), found) == (found, ())


def test_a_profile_gives_way_to_what_it_is_made_of() -> None:
    frame = grid(cpus=[1, 2], blas=["x", "y"])
    frame["profile"] = frame["cpus"].astype(str) + frame["blas"]
    found, _ = find_factors(frame)
    kept, sentences = told_apart(frame, found)
    assert [one.name for one in kept] == ["cpus", "blas"]
    assert sentences == ("profile is left out: it is the combination of cpus, blas, which stand for it",)


def test_a_few_settings_that_differ_in_everything_stay_names() -> None:
    """Three settings cannot tell three numbers apart."""
    frame = pd.DataFrame({"setting": ["a", "b", "c"], "batch_size": [16, 64, 16], "momentum": [0.0, 0.0, 0.9]})
    kept, (sentence,) = told_apart(pd.concat([frame] * 2), find_factors(pd.concat([frame] * 2))[0])
    assert [one.name for one in kept] == ["setting"]
    assert "batch_size, momentum left out: setting determines them" in sentence


def test_a_rate_that_follows_from_the_policy_gives_way_to_it() -> None:
    frame = pd.DataFrame({"policy": ["FIX", "TRI", "EXP"] * 2, "learning_rate": [0.01, 0.01, 0.02] * 2})
    kept, (sentence,) = told_apart(frame, find_factors(frame)[0])
    assert [one.name for one in kept] == ["policy"]
    assert "learning_rate left out: policy determines it" in sentence


def test_a_library_that_differs_between_frameworks_alone_is_left_out() -> None:
    frame = pd.DataFrame({"framework": ["a", "b", "c"] * 2, "blas": ["x", "x", "y"] * 2})
    kept, sentences = told_apart(frame, find_factors(frame)[0])
    assert [one.name for one in kept] == ["framework"]
    assert "framework determines it" in sentences[0]


def test_cells_are_what_all_factors_have_in_common() -> None:
    frame = pd.concat([grid(framework=["a", "b"], batch_size=[16, 32])] * 2)
    found, _ = find_factors(frame)
    assert len(np.unique(cells_of(frame, found))) == 4


def test_an_unknown_factor_is_named() -> None:
    with pytest.raises(DlgaugeError, match="unknown factor 'colour'"):
        find_factors(grid(cpus=[1, 2]), ["colour"])
