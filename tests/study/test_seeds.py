"""Seeds from the command line in place of the study's."""

from __future__ import annotations

import pytest

from harness.errors import DlgaugeError
from harness.study import load_study, make_plan
from harness.study.seeds import parse_seeds, with_seeds


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("1-4", (1, 2, 3, 4)), ("7", (7,)), ("1,3, 7-9", (1, 3, 7, 8, 9)), ("2,1-3", (2, 1, 3)), ("0", (0,))],
)
def test_seeds(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "-1", "1-", "3-1", "1.5", "1,,2", "1-2-3", "1-99999999", "²"])
def test_what_is_no_list_of_seeds(text: str) -> None:
    with pytest.raises(DlgaugeError, match="--seeds"):
        parse_seeds(text)


def test_further_seeds_leave_the_trials_of_the_others_alone() -> None:
    study = load_study("quickstart", cpus=(0, 1))
    before, after = make_plan(study), make_plan(with_seeds(study, "1-5"))
    ids = {trial.id for trial in before.trials}
    assert ids < {trial.id for trial in after.trials}
    assert len(after.trials) == len(before.trials) // 3 * 5
    assert [trial.id for trial in after.trials[: len(before.trials)]] == [trial.id for trial in before.trials]
