"""`dlgauge lr tune`: slips in its options, and the commands that it suggests."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from harness.cli.lr.experiment import Asked
from harness.cli.lr.tune import _next, _space_problems
from harness.tuning.experiment import study_and_validation
from harness.tuning.results import rank
from harness.tuning.search import Finding
from harness.tuning.tuner import verdict
from tests.execution.fake_study import fake_frameworks
from tests.tuning.test_range_rule import outcome


@pytest.mark.parametrize("policies", [",", "", " , "])
def test_policies_without_a_name_are_not_all_of_them(policies: str) -> None:
    assert _space_problems(policies, None, None, None) == [("--policies", "no function is named")]
    assert _space_problems(None, None, None, None) == []


def test_a_divergence_at_an_unknown_rate_is_told() -> None:
    lost = outcome(0.5, termination="diverged", reason="the loss is nan")
    assert verdict([lost]) == ("diverged", 0.0, "the loss is nan, rate unknown, seed 1")


@pytest.mark.parametrize("profile", ["local", "pinned 1.yaml"])
def test_the_suggested_command_keeps_the_conditions(tmp_path: Path, profile: str) -> None:
    given = (tmp_path / "a store", tmp_path)
    asked = Asked("lenet-mnist-subset", "caffe-mnist", ["fake"], profile, 1, 500, *given, 60.0)
    local = Asked("lenet-mnist-subset", "caffe-mnist", ["fake"], "local", 1, 500, *given, 60.0)
    made, held_out = study_and_validation(local.experiment(None, "lr-tune", "t", 24), known=fake_frameworks())
    done = outcome(0.01)
    found = Finding(0, done.learning_rate, 0.9, "completed", None, (done.trial,))
    ranking = rank("fake", [found], {done.trial: done})
    verify, _ = _next(asked, made, held_out, [ranking])
    words = shlex.split(verify)
    assert words[:5] == ["dlgauge", "lr", "verify", "lrPolicy_FIX+k0_0.01", "--workload"]
    options = dict(zip(words[4::2], words[5::2], strict=True))
    assert options.get("--profile", "local") == profile
    assert options["--steps"] == "24"
    assert options["--hold-out"] == "500"
    assert (options["--store"], options["--data"]) == tuple(map(str, given))
