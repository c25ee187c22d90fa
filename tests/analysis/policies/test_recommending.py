"""Recommendations: the nearest evidence, its distance in words, and what is said where there is none."""

from __future__ import annotations

from typing import Any

import pytest

from harness.analysis.policies.nearness import Wanted
from harness.analysis.policies.recommending import recommend
from harness.reporting.policy_verdicts import recommendation_text
from tests.analysis.policies.synthetic import EXP, FIX, HOT, TRI, make_row, make_rows

CAFFE = {"framework": "caffe", "framework_version": "1.0.0"}
OTHER_NETWORK = {"network": "torch-mnist", "workload_sha256": "n" * 64}
OTHER_DATA = {"dataset": "cifar10", "dataset_content_sha256": "5" * 64, "workload_sha256": "d" * 64}


def wanted(**changes: Any) -> Wanted:
    values: dict[str, Any] = {"dataset": "mnist-subset", "network": "lenet", "framework": "torch"}
    return Wanted(**{**values, "content_sha256": "1" * 64, **changes})


ROWS = [
    *make_rows(FIX, [97.0, 97.6, 97.2]),
    *make_rows(TRI, [97.3, 97.4, 97.25]),
    *make_rows(EXP, [80.0, 80.7, 80.3]),
    *[make_row(HOT, seed, diverged=(3, 5.0)) for seed in (1, 2, 3)],
]


def functions(found: Any) -> list[str]:
    return [entry.function for entry in found.ranking.leaders]


def test_exact_evidence_gives_the_first_tier_with_what_it_rests_on() -> None:
    found = recommend(ROWS, wanted())
    assert functions(found) == ["TRI", "FIX"]
    assert (found.distance, found.nearness) == (0.0, "exact")
    assert found.evidence["records"] == 12
    assert found.evidence["records_of_the_recommended"] == 6
    assert found.evidence["seeds"] == [1, 2, 3]
    assert found.evidence["certificates"] == {"torch 2.13.0": ("c" * 64,)}


def test_nearer_evidence_goes_before_more_of_it() -> None:
    rows = [*make_rows(EXP, [90.0, 91.0]), *make_rows(FIX, [99.0] * 5, **CAFFE)]
    assert functions(recommend(rows, wanted())) == ["EXP"]
    assert functions(recommend(rows, wanted(framework="caffe"))) == ["FIX"]


def test_another_framework_is_nearer_under_a_shared_certificate() -> None:
    rows = [*make_rows(FIX, [97.0, 97.1], **CAFFE), *make_rows(TRI, [97.0], network="other", workload_sha256="o" * 64)]
    shared = recommend(rows, wanted())
    assert shared.distance == 1.0
    assert "another framework, caffe, under certificate cccccccccccc (+1)" in shared.nearness
    alone = recommend(rows[:2], wanted())
    assert alone.distance == 2.0
    assert "without a certificate shared with it" in alone.nearness


@pytest.mark.parametrize(
    ("changes", "distance", "told"),
    [
        (OTHER_NETWORK, 8.0, "another network, torch-mnist"),
        (OTHER_DATA, 16.0, "another dataset, cifar10"),
        ({"dataset_content_sha256": "2" * 64}, 4.0, "other content of mnist-subset: 222222222222, not 111111111111"),
    ],
)
def test_what_differs_is_said(changes: dict[str, Any], distance: float, told: str) -> None:
    found = recommend(make_rows(FIX, [97.0, 97.1], **changes), wanted())
    assert found.distance == distance
    assert told in found.nearness


def test_batch_size_counts_by_its_ratio() -> None:
    found = recommend(ROWS, wanted(batch_size=256))
    assert found.distance == 2.0
    assert "batch size 64, not 256 (+2)" in found.nearness


def test_what_no_test_says_is_said() -> None:
    lucky = make_row({"policy": "FIX", "k0": 0.03}, 1, 99.9)

    def said(rows: list[dict[str, Any]]) -> str:
        return recommendation_text(recommend(rows, wanted()), None)

    assert "no test says that it is the best; of one seed, not tested: 1" in said(
        [lucky, *make_rows(TRI, [97.0, 97.1])]
    )
    assert functions(recommend([lucky, *ROWS], wanted())) == ["TRI", "FIX"]
    assert "any of them may be the best; of one seed, not tested: 1" in said([lucky, *ROWS])
    assert "one seed each, so no test says" in said([lucky, make_row(TRI, 1, 97.0)])
    assert "the only policy with a result, of one seed" in said([lucky])
    assert "no other that was tested is indistinguishable" in said(
        [*make_rows(TRI, [97.0, 97.1, 97.2]), *make_rows(EXP, [80.0, 80.1, 80.2])]
    )


def of_steps(steps: int) -> dict[str, Any]:
    return {"steps": steps, "setting_json": f'{{"batch_size":64,"steps":{steps}}}'}


def test_a_long_run_goes_before_more_short_ones() -> None:
    short = [make_row({"policy": "FIX", "k0": k / 100}, 1, 60.0, **of_steps(30)) for k in range(1, 8)]
    long = [*make_rows(TRI, [98.0, 98.1, 98.2], **of_steps(10_000)), *make_rows(EXP, [90.0] * 3, **of_steps(10_000))]
    found = recommend([*short, *long], wanted())
    assert functions(found) == ["TRI"]
    assert found.nearness == "exact"


def test_more_seeds_go_before_more_policies() -> None:
    many = [make_row({"policy": "FIX", "k0": k / 100}, 1, 60.0, setting_json='{"steps":200}') for k in range(1, 8)]
    assert functions(recommend([*many, *make_rows(TRI, [98.0, 98.1])], wanted())) == ["TRI"]


def test_runs_shorter_than_the_budget_are_farther_and_longer_ones_not_exact() -> None:
    curve = [(50.0, 25)]
    rows = make_rows(FIX, [97.0, 97.1], curve=curve, **of_steps(25))
    shorter = recommend(rows, wanted(budget_steps=100))
    assert shorter.distance == 2.0
    assert shorter.nearness == "runs of 25 steps, shorter than the budget of 100 (+2)"
    longer = recommend(make_rows(TRI, [97.0, 97.1], **of_steps(400)), wanted(budget_steps=100))
    assert (longer.distance, longer.nearness) == (0.0, "runs of 400 steps, longer than the budget of 100 (+0)")
    assert recommend(make_rows(TRI, [97.0, 97.1], **of_steps(100)), wanted(budget_steps=100)).nearness == "exact"
    both = [*rows, *make_rows(TRI, [97.0, 97.1], **of_steps(400)), *make_rows(EXP, [97.0], **of_steps(200))]
    assert functions(recommend(both, wanted(budget_steps=100))) == ["EXP"]


def test_a_budget_in_seconds_compares_the_training_time() -> None:
    rows = make_rows(FIX, [97.0, 97.1], training_time_s=2.5)
    assert recommend(rows, wanted(budget_s=10.0)).distance == 2.0
    assert (
        "runs of 2.5 s of training, longer than the budget of 2 (+0)" in recommend(rows, wanted(budget_s=2.0)).nearness
    )
    assert "unknown length" in recommend(make_rows(FIX, [97.0, 97.1]), wanted(budget_s=10.0)).nearness


def test_no_ratio_outweighs_a_kind_of_difference() -> None:
    """2**-14 of the batch size adds 14, more than the 8 of a network; the network differs all the same."""
    size = {"batch_size": 64, "setting_json": '{"batch_size":64}'}
    far = make_rows(FIX, [97.0, 97.1], **size)
    near = make_rows(TRI, [97.0, 97.1], batch_size=2**20, setting_json='{"batch_size":1048576}', **OTHER_NETWORK)
    found = recommend([*far, *near], wanted(batch_size=2**20))
    assert functions(found) == ["FIX"]
    assert found.distance == 14.0
    content = {"dataset_content_sha256": "2" * 64, "workload_sha256": "v" * 64}
    here = make_rows(FIX, [97.0, 97.1], **size, **content, **CAFFE)
    there = make_rows(TRI, [97.0, 97.1], batch_size=2**20, setting_json='{"batch_size":1048576}', **OTHER_NETWORK)
    assert functions(recommend([*here, *there], wanted(batch_size=2**20))) == ["FIX"]


def test_neither_dataset_nor_network_is_no_evidence() -> None:
    found = recommend(make_rows(FIX, [97.0], **{**OTHER_DATA, **OTHER_NETWORK}), wanted())
    assert found.ranking is None
    assert "no trial of dataset mnist-subset or network lenet; there are: torch-mnist on cifar10" in str(found.reason)
    assert recommend([], wanted()).reason == "the database is empty"


def test_only_diverged_is_no_recommendation() -> None:
    found = recommend([make_row(HOT, seed, diverged=(3, 5.0)) for seed in (1, 2)], wanted())
    assert found.ranking is None
    assert found.reason == "no policy of this dataset or network completed"


def test_a_budget_judges_by_what_was_reached_within_it() -> None:
    late = [make_row(FIX, seed, 99.0, curve=[(50.0, 50), (99.0 + seed / 10, 200)]) for seed in (1, 2, 3)]
    early = [make_row(TRI, seed, 97.0, curve=[(90.0 + seed / 10, 50), (97.0, 200)]) for seed in (1, 2, 3)]
    rows = [*late, *early]
    assert functions(recommend(rows, wanted())) == ["FIX"]
    found = recommend(rows, wanted(budget_steps=100))
    assert functions(found) == ["TRI"]
    assert any("the trials ran 200 steps" in note for note in found.notes)
    assert functions(recommend(rows, wanted(budget_s=1.0))) == ["TRI"]
    assert functions(recommend(rows, wanted(budget_s=2.5))) == ["FIX"]
    none = recommend(rows, wanted(budget_steps=10))
    assert none.ranking is None
    assert "within the budget" in str(none.reason)


def test_a_policy_that_diverges_after_the_budget_is_not_lost() -> None:
    rows = [
        {**make_row(HOT, seed, diverged=(150, 5.0)), "cost_curve": [{"top1_percent": 90.0 + seed / 10, "steps": 50}]}
        for seed in (1, 2)
    ]
    assert recommend(rows, wanted(budget_steps=100)).ranking is not None
    found = recommend(rows, wanted(budget_steps=100))
    assert any("diverged at step 150, counted from 1, after the budget (2 of 2 trials)" in note for note in found.notes)
    assert recommend(rows, wanted(budget_steps=160)).ranking is None


def test_a_budget_in_seconds_has_the_same_rule() -> None:
    def rows(training_time_s: float | None) -> list[dict[str, Any]]:
        curve = [{"top1_percent": 90.0, "steps": 50, "seconds": 0.5}]
        hot = [make_row(HOT, seed, diverged=(150, 5.0), training_time_s=training_time_s) for seed in (1, 2)]
        return [{**row, "cost_curve": curve} for row in hot]

    found = recommend(rows(1.5), wanted(budget_s=1.0))
    assert found.ranking is not None
    assert any("diverged at step 150, counted from 1, after the budget" in note for note in found.notes)
    assert recommend(rows(0.9), wanted(budget_s=1.0)).ranking is None
    assert recommend(rows(None), wanted(budget_s=1.0)).ranking is None


def test_other_conditions_are_named_not_mixed() -> None:
    others = [
        make_row(EXP, seed, 99.9, setting_json='{"batch_size":128,"steps":200}', batch_size=128) for seed in (1, 2)
    ]
    found = recommend([*ROWS, *others], wanted())
    assert functions(found) == ["TRI", "FIX"]
    assert any(note.startswith("not ranked together with these") and "EXP" in note for note in found.notes)


def test_the_first_to_reach_is_named() -> None:
    slow = [make_row(FIX, seed, 97.0 + seed / 10, curve=[(97.0 + seed / 10, 150)]) for seed in (1, 2, 3)]
    fast = [make_row(TRI, seed, 97.1 + seed / 10, curve=[(97.1 + seed / 10, 50)]) for seed in (3, 2, 1)]
    found = recommend([*slow, *fast], wanted())
    assert found.cheapest == fast[0]["policy_json"]
