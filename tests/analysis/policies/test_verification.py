"""Neighbours, verdicts and robustness on results whose answer is known."""

from __future__ import annotations

from typing import Any

import pytest

from harness.analysis.policies.neighbours import neighbours_of, parse_factors
from harness.analysis.policies.robustness import robustness
from harness.analysis.policies.verification import NEAR_OPTIMAL, NOT, UNDECIDED, Verdict, verify
from harness.errors import DlgaugeError
from tests.analysis.policies.synthetic import FIX, TRI, make_row, make_rows

UP, DOWN = {"policy": "FIX", "k0": 0.02}, {"policy": "FIX", "k0": 0.005}


def around(policy: dict[str, Any], text: str | None = None) -> dict[str, dict[str, Any] | None]:
    return {one.name: one.policy for one in neighbours_of(policy, parse_factors(text))}


def test_each_parameter_goes_up_and_down() -> None:
    assert around(FIX) == {"k0 x 2": UP, "k0 / 2": DOWN}
    found = around(TRI, "l=1.5,k0=4")
    assert {name: (one or {}).get("l") for name, one in found.items() if name.startswith("l ")} == {
        "l x 1.5": 75,
        "l / 1.5": 33,
    }
    assert found["k0 x 4"] == {"policy": "TRI", "k0": 0.004, "k1": 0.06, "l": 50}


def test_a_gamma_of_a_power_keeps_below_one() -> None:
    exp = around({"policy": "EXP", "k0": 0.01, "gamma": 0.9})
    assert exp["gamma x 2"]["gamma"] == pytest.approx(0.81)  # type: ignore[index]
    assert exp["gamma / 2"]["gamma"] == pytest.approx(0.9**0.5)  # type: ignore[index]
    inv = around({"policy": "INV", "k0": 0.01, "gamma": 0.0001, "p": 0.75})
    assert inv["gamma x 2"]["gamma"] == pytest.approx(0.0002)  # type: ignore[index]


def test_boundaries_move_together_and_a_repeated_neighbour_is_named() -> None:
    nstep = around({"policy": "NSTEP", "k0": 0.01, "gamma": 0.1, "l": [100, 200]})
    assert nstep["l x 1.5"]["l"] == [150, 300]  # type: ignore[index]
    one_step = neighbours_of({"policy": "STEP", "k0": 0.01, "gamma": 0.5, "l": 1}, parse_factors("l=1.2"))
    reasons = {one.name: one.why_not for one in one_step if one.policy is None}
    assert reasons == {"l x 1.2": "it stays as it is", "l / 1.2": "it stays as it is"}


def test_of_what_is_put_together_the_whole_rate_is_scaled() -> None:
    composite = around({"policy": "COMPOSITE", "parts": [TRI, FIX], "at": [100]})
    assert list(composite) == ["rate x 2", "rate / 2"]
    parts = composite["rate x 2"]["parts"]  # type: ignore[index]
    assert [(part["k0"], part.get("k1")) for part in parts] == [(0.002, 0.12), (0.02, None)]
    plateau = around({"policy": "REDUCE_ON_PLATEAU", "k0": 0.01, "smallest_rate": 0.001}, "rate=4")
    assert plateau["rate / 4"]["k0"] == 0.0025  # type: ignore[index]
    assert plateau["rate / 4"]["smallest_rate"] == 0.00025  # type: ignore[index]


@pytest.mark.parametrize("text", ["k2=2", "k0=1", "k0=x", "k0=0.5"])
def test_a_slip_in_the_factors_is_told(text: str) -> None:
    with pytest.raises(DlgaugeError):
        parse_factors(text)


def judged(own: list[float], *neighbours: list[float], margin: float = 0.5, **changes: Any) -> Verdict:
    others = [UP, DOWN]
    rows = {f"n{i}": make_rows(others[i], top1s) for i, top1s in enumerate(neighbours)}
    return verify(
        make_rows(FIX, own), rows, seeds=range(1, len(own) + 1), margin_percent=margin, measure="final", **changes
    )


def test_near_optimal_where_no_neighbour_can_be_better_by_the_margin() -> None:
    verdict = judged([97.0, 97.5, 97.2, 97.4], [96.9, 97.5, 97.1, 97.4], [95.0, 95.6, 95.1, 95.5])
    assert verdict.answer == NEAR_OPTIMAL
    assert "no neighbour is better by more than 0.5 points" in verdict.sentence
    assert verdict.confidence == pytest.approx(1 - 0.05 / 2)


def test_not_where_a_neighbour_is_better_beyond_doubt() -> None:
    verdict = judged([97.0, 97.5, 97.2, 97.4], [99.0, 99.4, 99.25, 99.4], [95.0, 95.6, 95.1, 95.5])
    assert verdict.answer == NOT
    assert verdict.sentence.startswith("n0 (lrPolicy_FIX+k0_0.02) is better by 1.99 ± ")


def test_undecided_says_how_many_seeds_would_tell() -> None:
    own, other = [97.0, 97.5, 97.2], [97.4, 97.4, 97.5]
    verdict = judged(own, other, [95.0, 95.6, 95.1])
    assert verdict.answer == UNDECIDED
    assert verdict.more_seeds is not None
    assert verdict.more_seeds > 0
    assert f"about {verdict.more_seeds} more seeds" in verdict.sentence
    one_each = judged([97.0], [97.0], [95.0])
    assert one_each.answer == UNDECIDED
    assert one_each.sentence == "two seeds at least; no estimate from one (n0, n1)"
    assert one_each.more_seeds is None


def test_one_neighbour_that_is_better_is_enough_for_not() -> None:
    """So the number of seeds is that of the first rival to be sure, whatever the others need."""
    own, rival, wide = [97.0, 97.5, 97.2], [97.6, 98.9, 97.4], [96.0, 98.9, 97.2]
    alone, both = judged(own, rival), judged(own, rival, wide)
    assert both.answer == UNDECIDED
    assert both.sentence == f"about {both.more_seeds} more seeds would tell (n0)"
    assert alone.more_seeds is not None
    assert both.more_seeds is not None
    assert alone.more_seeds <= both.more_seeds < (judged(own, wide).more_seeds or 1001)


def test_what_is_said_to_suffice_suffices() -> None:
    """The same scatter with as many seeds as were asked for gives an answer."""
    own, other = [97.0, 97.5, 97.2], [97.4, 97.4, 97.5]
    more = judged(own, other).more_seeds
    assert more is not None
    times = -(-(3 + more) // 3) + 1
    assert judged(own * times, other * times).answer == NEAR_OPTIMAL


def test_a_policy_that_diverges_is_not_and_a_neighbour_that_does_is_no_rival() -> None:
    broken = [make_row(FIX, 1, diverged=(7, 0.01)), make_row(FIX, 2, 97.0)]
    verdict = verify(broken, {"n0": make_rows(UP, [97.0, 97.0])}, seeds=[1, 2], margin_percent=0.5, measure="final")
    assert verdict.answer == NOT
    assert "diverges: seed 1 at step 7, rate 0.01" in verdict.sentence
    hot = [make_row(UP, seed, diverged=(7, 0.02)) for seed in (1, 2)]
    fine = verify(make_rows(FIX, [97.0, 97.2]), {"n0": hot}, seeds=[1, 2], margin_percent=0.5, measure="final")
    assert fine.answer == NEAR_OPTIMAL
    assert fine.tried[0].diverged == ((1, 7, 0.02), (2, 7, 0.02))


def test_a_neighbour_without_a_result_leaves_it_undecided() -> None:
    verdict = verify(make_rows(FIX, [97.0, 97.2]), {"n0": []}, seeds=[1, 2], margin_percent=0.5, measure="final")
    assert verdict.answer == UNDECIDED
    assert "no result of n0" in verdict.sentence
    assert verdict.tried[0].missing == (1, 2)


def test_a_missing_seed_of_anyone_leaves_it_undecided() -> None:
    """Two of three seeds may look near-optimal; the third was to run."""
    own, other = make_rows(FIX, [97.0, 97.2, 97.1]), make_rows(UP, [90.0, 90.2, 90.1])

    def asked(policy: list[dict[str, Any]], neighbour: list[dict[str, Any]]) -> Verdict:
        return verify(policy, {"n0": neighbour}, seeds=[1, 2, 3], margin_percent=0.5, measure="final")

    assert asked(own, other).answer == NEAR_OPTIMAL
    for verdict, name in ((asked(own[:2], other), "the policy itself"), (asked(own, other[:2]), "n0")):
        assert verdict.answer == UNDECIDED
        assert verdict.sentence == f"no result of {name} (seed 3): the same command runs what is open"
    without = [*other[:2], make_row(UP, 3, None)]
    assert asked(own, without).sentence == "no result of n0 (seed 3): their records have no such accuracy"
    assert asked(own, [*other[:2], make_row(UP, 3, diverged=(7, 0.02))]).answer == NEAR_OPTIMAL


def test_only_who_diverged_with_every_seed_is_said_to_diverge() -> None:
    own = make_rows(FIX, [97.0, 97.2])
    hot = [make_row(UP, seed, diverged=(7, 0.02)) for seed in (1, 2)]
    partly = [make_row(DOWN, 1, 95.0), make_row(DOWN, 2, diverged=(7, 0.005))]
    asked = {"seeds": [1, 2], "margin_percent": 0.5, "measure": "final"}
    assert verify(own, {"n0": hot}, **asked).sentence.endswith("; all of them diverge")  # type: ignore[arg-type]
    said = verify(own, {"n0": hot, "n1": partly}, **asked).sentence  # type: ignore[arg-type]
    assert said.endswith("; n0 diverges; n1 diverged in 1 of 2 seeds, mean of the others 95 %")


def test_validation_decides_where_it_is_asked_to() -> None:
    own = [make_row(FIX, s, 90.0, final_validation_top1_percent=98.0 + s / 100, validation_images=1000) for s in (1, 2)]
    other = [make_row(UP, s, 99.0, final_validation_top1_percent=95.0 + s / 90, validation_images=1000) for s in (1, 2)]
    verdict = verify(own, {"n0": other}, seeds=[1, 2], margin_percent=0.5, measure="validation")
    assert verdict.answer == NEAR_OPTIMAL
    assert verdict.accuracy is not None
    assert verdict.accuracy.mean == pytest.approx(98.015)


def test_robustness_by_hand() -> None:
    rows = {
        0.1: make_rows(FIX, [45.0, 50.0], scale=0.1),
        1.0: make_rows(FIX, [90.0, 100.0], loss_difference=0.1),
        10.0: [make_row(FIX, 1, 81.0, scale=10.0), make_row(FIX, 2, scale=10.0, diverged=(4, 0.1))],
    }
    found = robustness(rows, [1, 2])
    assert found.kept is not None
    assert found.kept.mean == pytest.approx(((0.5 + 0.9) / 2 + (0.5 + 0.0) / 2) / 2)
    assert found.range_percent == pytest.approx(10.0)
    assert found.sd_percent == pytest.approx(7.0710678)
    low, one, high = found.scales
    assert (low.scale, one.scale, high.scale) == (0.1, 1.0, 10.0)
    assert low.difference is not None
    assert low.difference.mean == pytest.approx(-47.5)
    assert one.difference is None
    assert one.loss_difference is not None
    assert high.diverged == ((2, 4, 0.1),)
    assert high.kept is not None
    assert high.kept.mean == pytest.approx(0.45)


def test_robustness_without_its_base_says_why() -> None:
    found = robustness({1.0: [make_row(FIX, 1, diverged=(3, 0.01))], 0.1: make_rows(FIX, [50.0], scale=0.1)}, [1])
    assert found.kept is None
    assert found.kept_reason == "no seed completed at scale 1"
    assert found.spread_reason == "no seed completed at scale 1"
