"""Rankings of synthetic results whose order is known."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.analysis.policies.criteria import Settings, cost_at, parse_by
from harness.analysis.policies.entries import Entry, Ranking, Standing
from harness.analysis.policies.grouping import certificate_note, group_rows, notes_on
from harness.analysis.policies.ranking import rank
from harness.cli.lr.rank import make_rankings
from harness.errors import DlgaugeError
from harness.reporting.policies import ranking_text
from tests.analysis.policies.synthetic import EXP, FIX, HOT, TRI, make_row, make_rows

ACCURACY = {"accuracy": 1.0}


def ranked(rows: list[dict[str, Any]], by: dict[str, float] | None = None, **settings: Any) -> Ranking:
    (group,) = group_rows(rows)
    return rank(group, by or ACCURACY, Settings(**settings))


def names(ranking: Ranking) -> list[str | None]:
    return [entry.function if entry.function != "FIX" else entry.policy for entry in ranking.entries]


def of(ranking: Ranking, function: str) -> Entry:
    (entry,) = [entry for entry in ranking.entries if entry.function == function]
    return entry


ALIKE = [*make_rows(FIX, [97.0, 97.6, 97.2]), *make_rows(TRI, [97.3, 97.4, 97.25])]


def test_the_best_mean_comes_first_and_equals_share_its_tier() -> None:
    ranking = ranked([*ALIKE, *make_rows(EXP, [80.0, 80.7, 80.3])])
    assert [entry.function for entry in ranking.entries] == ["TRI", "FIX", "EXP"]
    assert [entry.tier for entry in ranking.entries] == [1, 1, 2]
    assert [entry.rank for entry in ranking.entries] == [1, 2, 3]
    assert [entry.function for entry in ranking.leaders] == ["TRI", "FIX"]
    exp = of(ranking, "EXP")
    assert exp.against_leader is not None
    assert exp.against_leader.mean == pytest.approx(-16.9833, abs=1e-3)
    assert exp.p_adjusted is not None
    assert exp.p_adjusted < 0.05


def test_holm_widens_a_tier() -> None:
    """A difference that a single test would tell is not told among many."""
    near = {"policy": "FIX", "k0": 0.02}
    pair = [*make_rows(FIX, [97.0, 97.0, 97.0, 97.0]), *make_rows(near, [96.85, 96.7, 96.8, 96.85])]
    alone = ranked(pair)
    assert [entry.tier for entry in alone.entries] == [1, 2]
    others = [make_rows({"policy": "FIX", "k0": 0.03 + i / 1000}, [97.2, 96.7, 97.1, 96.9]) for i in range(5)]
    among = ranked([*pair, *(row for rows in others for row in rows)])
    assert {entry.tier for entry in among.entries} == {1}


def test_what_diverged_is_last_with_step_and_rate() -> None:
    hot = [make_row(HOT, 1, diverged=(12, 5.0)), *[make_row(HOT, seed, 99.9) for seed in (2, 3)]]
    ranking = ranked([*hot, *make_rows(EXP, [20.0, 21.0, 22.0])])
    last = ranking.entries[-1]
    assert last.standing is Standing.DIVERGED
    assert [(one.step, one.learning_rate, one.seed) for one in last.diverged] == [(12, 5.0, 1)]
    assert last.tier is None


def test_one_seed_has_no_interval_no_test_and_no_tier() -> None:
    ranking = ranked([make_row(FIX, 1, 97.0), make_row(TRI, 1, 98.0)])
    assert [entry.function for entry in ranking.entries] == ["TRI", "FIX"]
    assert [entry.tier for entry in ranking.entries] == [None, None]
    assert all(entry.value is not None and entry.value.half_width is None for entry in ranking.entries)
    assert any("one seed" in note for note in ranking.notes)
    assert of(ranking, "FIX").against_leader.reason == "one seed: no test"  # type: ignore[union-attr]


ONE_SEED = {"policy": "FIX", "k0": 0.03}


def test_a_policy_of_one_seed_is_in_no_tier_and_no_leader() -> None:
    """Far below the leader, but with one seed: it would have dragged the threshold to 50 %."""
    ranking = ranked([*ALIKE, make_row(ONE_SEED, 1, 50.0), *make_rows(EXP, [80.0, 80.7, 80.3])])
    assert [(entry.function, entry.tier) for entry in ranking.entries] == [
        ("TRI", 1),
        ("FIX", 1),
        ("EXP", 2),
        ("FIX", None),
    ]
    assert [entry.function for entry in ranking.leaders] == ["TRI", "FIX"]
    assert ranking.threshold_percent == pytest.approx(97.0)
    last = ranking.entries[-1]
    assert last.p_adjusted is None
    assert last.against_leader is not None
    assert last.against_leader.reason == "one seed: no test"


def test_a_lucky_policy_of_one_seed_on_top_does_not_switch_off_the_tests() -> None:
    ranking = ranked([make_row(ONE_SEED, 1, 99.9), *ALIKE, *make_rows(EXP, [80.0, 80.7, 80.3])])
    assert [(entry.rank, entry.tier) for entry in ranking.entries] == [(1, None), (2, 1), (3, 1), (4, 2)]
    assert [entry.function for entry in ranking.leaders] == ["TRI", "FIX"]
    assert of(ranking, "EXP").p_adjusted == ranked([*ALIKE, *make_rows(EXP, [80.0, 80.7, 80.3])]).entries[2].p_adjusted
    assert any("above the first tier by one seed alone, untested: lrPolicy_FIX+k0_0.03" in n for n in ranking.notes)
    text = ranking_text([ranking], [])
    assert [line for line in text.splitlines() if "one seed: not tested" in line][0].lstrip().startswith("1 ")


def test_cost_ranks_what_always_reaches_before_what_sometimes_does() -> None:
    fast = [make_row(TRI, seed, 97.0, curve=[(90.0, 50), (97.0, 100)]) for seed in (1, 2, 3)]
    slow = [make_row(FIX, seed, 97.0, curve=[(80.0, 50), (96.0, 150)]) for seed in (1, 2, 3)]
    partly = [make_row(EXP, 1, 95.0, curve=[(95.0, 50)]), make_row(EXP, 2, 80.0, curve=[(80.0, 50)])]
    never = [make_row({"policy": "FIX", "k0": 1.0}, seed, 50.0, curve=[(50.0, 50)]) for seed in (1, 2)]
    hot = [make_row(HOT, seed, diverged=(3, 5.0)) for seed in (1, 2)]
    ranking = ranked([*never, *hot, *partly, *slow, *fast], {"cost": 1.0}, threshold_percent=90.0)
    assert [entry.standing for entry in ranking.entries] == [
        Standing.FULL,
        Standing.FULL,
        Standing.PARTLY,
        Standing.NONE,
        Standing.DIVERGED,
    ]
    means = [entry.value.mean for entry in ranking.entries[:3] if entry.value]
    assert means == [50.0, 150.0, 50.0]
    assert ranking.entries[2].cost_reached == (1, 2)
    assert "90 % was not reached: the best evaluation had 80 %" in str(ranking.entries[2].reason)


def test_a_threshold_is_met_by_the_evaluation_that_equals_it() -> None:
    row = make_row(FIX, curve=[(57.0, 50), (58.0, 100)])
    assert cost_at(row, 57.0, "steps") == 50
    assert cost_at(row, 57.01, "steps") == 100
    assert cost_at(row, 57.0, "joules") == "no RAPL"


def test_the_front_holds_what_nothing_beats_in_both() -> None:
    cheap = [make_row(TRI, seed, 95.0, curve=[(90.0, 50), (95.0, 200)]) for seed in (1, 2)]
    good = [make_row(FIX, seed, 97.0, curve=[(91.0, 100), (97.0, 200)]) for seed in (1, 2)]
    beaten = [make_row(EXP, seed, 94.0, curve=[(90.5, 150)]) for seed in (1, 2)]
    ranking = ranked([*cheap, *good, *beaten], threshold_percent=90.0)
    assert {entry.function: entry.pareto for entry in ranking.entries} == {"TRI": True, "FIX": True, "EXP": False}


def test_without_a_threshold_one_is_chosen_that_the_first_tier_reaches() -> None:
    ranking = ranked([*ALIKE, *make_rows(EXP, [80.0, 80.7, 80.3])])
    assert ranking.threshold_is_chosen
    assert all(entry.cost_reached == (3, 3) for entry in ranking.leaders)
    assert ranking.threshold_percent == pytest.approx(97.0)  # of the first seed of FIX


def test_a_weighting_adds_what_each_criterion_is_worth() -> None:
    cheap = [make_row(TRI, seed, 95.0, curve=[(90.0, 50), (95.0, 200)]) for seed in (1, 2)]
    good = [make_row(FIX, seed, 97.0, curve=[(91.0, 150), (97.0, 200)]) for seed in (1, 2)]
    never = [make_row(EXP, seed, 85.0, curve=[(85.0, 150)]) for seed in (1, 2)]
    rows = [*cheap, *good, *never]
    ranking = ranked(rows, parse_by("accuracy=3,cost=1"), threshold_percent=90.0)
    values = {entry.function: entry.value.mean for entry in ranking.entries if entry.value}
    assert values["FIX"] == pytest.approx(0.75)  # the most accurate, the dearest that reaches it
    assert values["TRI"] == pytest.approx(0.75 * 10 / 12 + 0.25)
    assert values["EXP"] == pytest.approx(0.0)
    assert [entry.function for entry in ranking.entries] == ["TRI", "FIX", "EXP"]
    assert any(note.startswith("score = 0.75 * accuracy (0 at 85 %, 1 at 97)") for note in ranking.notes)


def test_what_diverges_sets_no_scale() -> None:
    """HOT kept one seed, at 10 %; with it in the scale FIX at 85 % would be worth 0.86 in place of 0."""
    hot = [make_row(HOT, 1, diverged=(3, 5.0)), make_row(HOT, 2, 10.0)]
    rows = [*hot, *make_rows(TRI, [97.0, 97.0]), *make_rows(FIX, [85.0, 85.0])]
    ranking = ranked(rows, parse_by("accuracy=1,confidence=1"))
    values = [entry.value.mean for entry in ranking.entries if entry.value]
    assert values[:2] == [pytest.approx(1.0), pytest.approx(0.5)]  # the confidences are equal: worth 1 each
    assert any("accuracy (0 at 85 %, 1 at 97)" in note for note in ranking.notes)


def test_profiles_of_another_precision_or_device_are_ranked_apart() -> None:
    def on(profile: str, **changes: Any) -> dict[str, Any]:
        return {
            "profile": profile,
            "profile_json": json.dumps({"name": profile, "precision": "float32", "gpus": 0, **changes}),
        }

    half, gpu = on("half", precision="bfloat16"), on("gpu1", gpus=1)
    rows = [
        *make_rows(FIX, [97.0, 97.1], **on("cpu1")),
        *make_rows(FIX, [90.0, 90.1], **half),
        *make_rows(FIX, [99.0, 99.1], **gpu),
        *make_rows(TRI, [96.0, 96.1], **on("cpu2")),
    ]
    groups = group_rows(rows)
    assert [sorted({row["profile"] for row in group.rows}) for group in groups] == [
        ["cpu1", "cpu2"],
        ["half"],
        ["gpu1"],
    ]
    assert [group.title.partition("steps of 64")[2] for group in groups] == ["", " · bfloat16", " · gpu"]
    assert any("differ in device, precision are not ranked together" in note for note in notes_on(groups, rows))
    mixed, one = (rank(group, ACCURACY, Settings()) for group in groups[:2])
    assert any("different hardware profiles of one precision and device (cpu1 2, cpu2 2)" in n for n in mixed.notes)
    assert not any("hardware profiles" in note for note in one.notes)


def test_seconds_of_several_frameworks_are_no_cost() -> None:
    rows = [*make_rows(FIX, [97.0, 98.0]), *make_rows(FIX, [95.0, 96.0], framework="caffe", framework_version="1.0.0")]
    rankings, _ = make_rankings(rows, ACCURACY, Settings(cost_unit="seconds"))
    pooled = next(one for one in rankings if one.group.pooled)
    assert [(entry.cost, entry.pareto) for entry in pooled.entries] == [(None, False)]
    assert "no cost and no front: s of several frameworks" in str(pooled.no_cost)
    assert pooled.no_cost in pooled.notes
    assert all(entry.cost is not None for one in rankings if not one.group.pooled for entry in one.entries)
    (in_steps,) = group_rows(rows, pooled=True)
    assert rank(in_steps, ACCURACY, Settings()).entries[0].cost is not None


def test_robustness_is_the_mean_accuracy_kept_at_the_other_scales() -> None:
    def at(policy: dict[str, Any], kept: dict[float, float | None]) -> list[dict[str, Any]]:
        rows = []
        for seed in (1, 2, 3):
            rows.append(make_row(policy, seed, 80.0))
            for scale, top1 in kept.items():
                own = {"diverged": (5, 1.0)} if top1 is None else {}
                rows.append(make_row(policy, seed, top1, scale=scale, **own))
        return rows

    rows = [
        *at(FIX, {0.1: 40.0, 0.5: 80.0, 5.0: 60.0, 10.0: None}),
        *at(TRI, {0.1: 80.0, 0.5: 80.0, 5.0: 80.0, 10.0: 40.0}),
        *make_rows(EXP, [81.0, 82.0, 83.0]),
    ]
    ranking = ranked(rows, {"robustness": 1.0})
    values = {entry.function: entry.value.mean for entry in ranking.entries if entry.value}
    assert values == {"TRI": pytest.approx((1 + 1 + 1 + 0.5) / 4), "FIX": pytest.approx((0.5 + 1 + 0.75 + 0) / 4)}
    exp = of(ranking, "EXP")
    assert exp.standing is Standing.NONE
    assert "no result at the base-rate scales 0.1, 0.5, 5, 10" in str(exp.reason)
    by_accuracy = ranked(rows)
    assert len(by_accuracy.entries) == 3
    assert any("24 trials at other base-rate scales" in note for note in by_accuracy.notes)


def test_frameworks_are_pooled_as_means_over_the_seeds_they_share() -> None:
    rows = [
        *make_rows(FIX, [97.0, 98.0, 99.0]),
        *make_rows(FIX, [95.0, 96.0], framework="caffe", framework_version="1.0.0"),
        *make_rows(TRI, [97.0, 97.0]),
    ]
    assert len(group_rows(rows)) == 2
    (pooled,) = group_rows(rows, pooled=True)
    ranking = rank(pooled, ACCURACY, Settings())
    (entry,) = ranking.entries
    assert entry.value is not None
    assert (entry.value.n, entry.value.mean) == (2, 96.5)
    assert any("not pooled: lrPolicy_TRI" in note and "caffe 1.0.0" in note for note in ranking.notes)


def test_other_content_is_ranked_apart_and_said() -> None:
    other = [make_row(EXP, seed, 99.0, dataset_content_sha256="2" * 64, workload_sha256="v" * 64) for seed in (1, 2)]
    rows = [*make_rows(FIX, [97.0, 97.1]), *other]
    groups = group_rows(rows)
    assert sorted(len(group.policies) for group in groups) == [1, 1]
    (note,) = [note for note in notes_on(groups, rows) if "different contents" in note]
    assert "111111111111" in note
    assert "222222222222" in note


def test_what_differs_between_rankings_is_named() -> None:
    rows = [*make_rows(FIX, [97.0]), make_row(FIX, 1, 97.0, setting_json='{"batch_size":128,"steps":200}')]
    assert any("differ in batch_size are not ranked together" in note for note in notes_on(group_rows(rows), rows))


def test_certificates_are_told_where_they_do_not_prove_equality() -> None:
    (same,) = group_rows(ALIKE)
    assert certificate_note(same) is None
    mixed = [*make_rows(FIX, [97.0]), make_row(TRI, 1, 97.0, certificate=None)]
    (group,) = group_rows(mixed)
    assert "different parity certificates (torch 2.13.0: cccccccccccc, none)" in str(certificate_note(group))
    (none,) = group_rows([make_row(FIX, certificate=None)])
    assert "no parity certificate" in str(certificate_note(none))


def test_what_did_not_end_with_a_result_is_not_ranked_but_told() -> None:
    ranking = ranked([*ALIKE, make_row(EXP, 1, 99.0, termination="timed_out")])
    assert [entry.function for entry in ranking.entries] == ["TRI", "FIX"]
    assert any("without a result, not ranked: 1 timed_out" in note for note in ranking.notes)


def test_confidence_and_validation_rank_by_their_own_column() -> None:
    rows = [make_row(FIX, 1, 97.0, average_confidence=0.99), make_row(TRI, 1, 98.0, average_confidence=0.5)]
    assert ranked(rows, {"confidence": 1.0}).entries[0].function == "FIX"
    none = ranked(rows, measure="validation")
    assert {entry.standing for entry in none.entries} == {Standing.NONE}
    held = [{**row, "final_validation_top1_percent": 90.0 + i, "validation_images": 100} for i, row in enumerate(rows)]
    assert ranked(held, measure="validation").entries[0].function == "TRI"


def test_a_dearer_unit_compares_only_one_machine() -> None:
    rows = [*make_rows(FIX, [97.0]), *make_rows(TRI, [97.0], host="other")]
    assert len(group_rows(rows)) == 1
    assert len(group_rows(rows, by_machine=True)) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("acuracy", "did you mean 'accuracy'"),
        ("accuracy=0.6,cost=x", "'x' of 'cost' in --by is no number"),
        ("accuracy=0.6,cost=-1", "should be positive"),
        ("accuracy=0.6,accuracy=0.4", "stands twice"),
        ("accuracy,cost=1", "has no weight"),
        ("", "unknown criterion ''"),
    ],
)
def test_a_slip_in_by_is_told(text: str, told: str) -> None:
    with pytest.raises(DlgaugeError, match=told.replace("(", r"\(")):
        parse_by(text)


def test_weights_add_up_to_one() -> None:
    assert parse_by("accuracy=3,cost=1") == {"accuracy": 0.75, "cost": 0.25}
    assert parse_by("robustness") == {"robustness": 1.0}


@pytest.mark.parametrize("bad", [{"measure": "mean"}, {"cost_unit": "hours"}, {"threshold_percent": 101.0}])
def test_unknown_settings_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(DlgaugeError):
        Settings(**bad)


def test_cost_without_a_threshold_is_refused() -> None:
    with pytest.raises(DlgaugeError, match="takes a threshold"):
        ranked(ALIKE, {"cost": 1.0})
