"""Searches through Optuna: what is drawn, resumption, pruning, budgets; trained on made-up results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DlgaugeError
from harness.tuning.defaults import Run
from harness.tuning.search import Candidate, Finding, Search
from harness.tuning.space import grid_of, space_of_names

SPACE = space_of_names(["FIX", "TRI", "SINEXP"], Run(600, 0.001, 0.1))


def search(folder: Path, sampler: Any = "random", description: Any = None, **changes: Any) -> Search:
    asked = {"a": (1, 2)} if description is None else description
    return Search(folder / "tune.journal", "study/torch", SPACE, sampler, asked, steps=600, **changes)


def take(one: Search, count: int, value: Callable[[Candidate], float] = lambda _: 0.5) -> list[dict[str, Any]]:
    found = []
    for _ in range(count):
        candidate = one.next()
        if candidate is None:
            break
        one.tell(candidate, "completed", value(candidate), None, [f"trial{candidate.number}"])
        found.append(candidate.plain)
    return found


def higher_is_better(candidate: Candidate) -> float:
    return min(1.0, 0.5 + float(candidate.plain["k0"]))


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_an_interrupted_search_finds_what_an_uninterrupted_one_does(tmp_path: Path, sampler: str) -> None:
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    whole = take(search(tmp_path / "a", sampler), 14, higher_is_better)
    parts = take(search(tmp_path / "b", sampler), 5, higher_is_better)
    lost = search(tmp_path / "b", sampler).next()  # asked for, never told: killed
    assert lost is not None
    resumed = search(tmp_path / "b", sampler)
    assert resumed.finished == 5
    parts += take(resumed, 9, higher_is_better)
    assert parts[5] == lost.plain  # it is taken up first
    assert parts == whole
    assert len({str(policy) for policy in whole}) > 10  # the sampler does not begin again with the same draws


def test_a_grid_is_every_point_once_and_then_ends(tmp_path: Path) -> None:
    first = take(search(tmp_path, "grid"), 7)
    rest = take(search(tmp_path, "grid"), 1000)
    assert len(first) + len(rest) == len(grid_of(SPACE))
    assert len({str(policy) for policy in [*first, *rest]}) == len(grid_of(SPACE))
    assert {policy["policy"] for policy in first[:3]} == {"FIX", "TRI", "SINEXP"}  # not function by function
    assert search(tmp_path, "grid").next() is None


def test_another_question_under_the_same_name_is_refused(tmp_path: Path) -> None:
    search(tmp_path)
    search(tmp_path, description={"a": [1, 2]})
    with pytest.raises(DlgaugeError, match="a was \\[1, 2\\], now 3") as caught:
        search(tmp_path, description={"a": 3})
    assert "--study NAME" in str(caught.value)


def test_what_lags_behind_the_others_is_pruned_but_not_early(tmp_path: Path) -> None:
    one = search(tmp_path)
    for _ in range(5):
        candidate = one.next()
        assert candidate is not None
        assert [one.report(candidate, step, 0.9) for step in (75, 150, 225, 300)] == [None] * 4
        one.tell(candidate, "completed", 0.9, None, [])
    bad = one.next()
    assert bad is not None
    assert one.report(bad, 75, 0.1) is None
    assert one.report(bad, 150, 0.1) is None
    reason = one.report(bad, 225, 0.1)
    assert reason is not None
    assert reason.startswith("pruned: no evaluation up to step 225")
    one.tell(bad, "pruned", None, reason, ["abc"])
    assert one.findings()[-1] == Finding(bad.number, bad.plain, None, "pruned", reason, ("abc",))


def test_a_diverged_policy_counts_as_nothing_and_is_told_to_the_sampler(tmp_path: Path) -> None:
    one = search(tmp_path)
    candidate = one.next()
    assert candidate is not None
    one.tell(candidate, "diverged", 0.0, "the loss was nan at step 6", ["abc"])
    (found,) = search(tmp_path).findings()
    assert (found.outcome, found.value) == ("diverged", 0.0)
    (frozen,) = one._study.trials
    assert frozen.value == 0.0
