"""From records to verdicts: which rows are compared, what is corrected, and what is said where nothing can be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.analysis import compare
from harness.analysis.inference import Family, Judgement, Options, judge
from harness.analysis.inference.sets import check_reference, row_sets
from harness.errors import DlgaugeError
from harness.records import Store
from tests.analysis.test_comparison import with_energy
from tests.synthetic import MACHINE, write_record

NOISE = (0.0, 0.004, -0.003, 0.006, -0.005, 0.002, 0.001, -0.002, 0.003, -0.004, 0.005, -0.001)


def fill(store: Path, seconds: Mapping[str, float], blocks: int, **of_record: Any) -> None:
    """Trials whose time has a factor of the block that all frameworks share, and noise of their own."""
    for seed in range(1, blocks + 1):
        for index, (framework, time) in enumerate(seconds.items()):
            own = NOISE[(seed * (index + 2)) % len(NOISE)]
            summary = {"training_time_s": time * (1 + 0.1 * seed) * (1 + own)}
            write_record(store, framework, seed, summary=summary, **of_record)


def judged(store: Path, *, columns: Sequence[str] = ("training_time_s", "top1_percent"), **options: Any) -> Judgement:
    return judge(compare(Store(store).records(), columns), Options(**options))


def only(judgement: Judgement) -> Family:
    (family,) = judgement.families
    return family


def test_the_ratio_is_of_pairs_and_the_block_drops_out(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0, "caffe": 15.0}, 6)
    (pair,) = only(judged(tmp_path)).pairs
    assert (pair.row, pair.reference, pair.seeds) == ("caffe", "torch", (1, 2, 3, 4, 5, 6))
    values = {
        cell.key.framework: cell.values["training_time_s"].by_seed for cell in compare(Store(tmp_path).records()).cells
    }
    logs = [math.log(values["caffe"][seed] / values["torch"][seed]) for seed in pair.seeds]
    assert pair.ratio == pytest.approx(math.exp(sum(logs) / 6), rel=1e-14)
    assert pair.log_sd is not None and pair.log_sd < 0.02  # blocks differ by 50 %
    assert (pair.verdict, pair.p_holm, pair.comparisons) == ("different", 2 / 64, 1)
    assert pair.more_blocks is None
    assert (
        [trial.seed for trial in pair.trials] == [trial.seed for trial in pair.reference_trials] == [1, 2, 3, 4, 5, 6]
    )
    assert not {trial.id for trial in pair.trials} & {trial.id for trial in pair.reference_trials}


def test_five_blocks_say_that_they_are_too_few(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0, "caffe": 30.0}, 5)
    (pair,) = only(judged(tmp_path)).pairs
    assert pair.verdict == "undecided"
    assert pair.reason == "5 blocks can not reach p < 0.05: smallest possible p is 0.0625"
    assert pair.p_holm == 0.0625 and pair.more_blocks == 1
    assert pair.t.low is not None and pair.t.low > 2.5  # however clear the interval is


def test_one_block_has_no_interval(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0, "caffe": 30.0}, 1)
    family = only(judged(tmp_path))
    (pair,) = family.pairs
    assert pair.ratio == pytest.approx(3.0, rel=0.02)
    assert (pair.t.low, pair.bca.low, pair.log_sd, pair.d_z, pair.more_blocks) == (None,) * 5
    assert pair.reason.startswith("1 block can not reach")
    assert "no standard deviation" in family.unstable["caffe"]


def test_samples_inside_a_run_make_no_block(tmp_path: Path) -> None:
    """A trial of ten times the steps has ten times the samples, and still is one block."""
    fill(tmp_path, {"torch": 10.0, "caffe": 30.0}, 3, steps=4000)
    (pair,) = only(judged(tmp_path)).pairs
    assert pair.n == 3 and pair.test is not None and pair.test.flips == 8


def test_holm_is_over_all_pairs_of_the_set(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0, "tensorflow": 10.02, "caffe": 15.0, "theano": 20.0}, 8)
    family = only(judged(tmp_path))
    assert family.comparisons == len(family.pairs) == 6
    assert family.reference == "torch"
    assert len(family.with_reference) == 3
    found = {(pair.row, pair.reference): pair for pair in family.pairs}
    assert found["caffe", "torch"].test is not None
    assert found["caffe", "torch"].test.p == 2 / 256
    assert found["caffe", "torch"].p_holm == pytest.approx(6 * 2 / 256)
    assert found["caffe", "torch"].verdict == "different"
    assert found["tensorflow", "torch"].verdict == "undecided"
    assert family.fewest_blocks == 8
    assert family.ranking.rows[-1] == "theano"
    assert any(set(group) == {"torch", "tensorflow"} for group in family.ranking.groups)


def test_seven_blocks_of_four_rows_are_too_few_and_the_reason_has_the_family(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0, "tensorflow": 12.0, "caffe": 15.0, "theano": 20.0}, 7)
    family = only(judged(tmp_path))
    assert {pair.verdict for pair in family.pairs} == {"undecided"}
    assert (
        family.pairs[0].reason
        == "7 blocks can not reach p < 0.05: smallest possible p is 0.0156, 0.0938 in 6 comparisons"
    )
    assert {pair.more_blocks for pair in family.pairs} == {1}


def test_very_many_rows_are_held_against_the_reference_and_corrected_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, {"torch": 10.0, "tensorflow": 12.0, "caffe": 15.0, "theano": 20.0}, 8)
    every = only(judged(tmp_path))
    monkeypatch.setattr("harness.analysis.inference.families.MOST_ROWS", 3)
    found = judged(tmp_path)
    family = only(found)
    assert len(family.pairs) == 3 and family.comparisons == every.comparisons == 6
    assert [pair.p_holm for pair in family.pairs] == [6 * 2 / 256] * 3
    assert family.ranking.reason is not None and any("corrected for all pairs" in one for one in found.problems)


def test_equivalence_has_to_be_shown(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0, "tensorflow": 10.02}, 5)
    (open_,) = only(judged(tmp_path)).pairs
    assert open_.verdict == "undecided" and open_.equivalence is None
    (pair,) = only(judged(tmp_path, margin=0.03)).pairs
    assert (pair.verdict, pair.reason) == (
        "equivalent",
        "within the margin if log-ratios are normal, which 5 blocks can not show",
    )
    assert pair.equivalence is not None and pair.equivalence.p_holm is not None and pair.equivalence.p_holm < 0.05
    (tight,) = only(judged(tmp_path, margin=0.002)).pairs
    assert tight.verdict == "undecided"


def test_a_difference_can_be_certain_and_too_small_to_matter(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0, "tensorflow": 10.15}, 8)
    (pair,) = only(judged(tmp_path, margin=0.05)).pairs
    assert pair.p_holm is not None and pair.p_holm < 0.05
    assert (pair.verdict, pair.reason) == ("equivalent", "they differ, but surely by less than the margin")


def test_the_reference_can_be_chosen(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0, "caffe": 15.0, "theano": 20.0}, 2)
    family = only(judged(tmp_path, reference="caffe"))
    assert family.reference == "caffe"
    assert {pair.row: round(pair.ratio or 0, 1) for pair in family.with_reference} == {"torch": 0.7, "theano": 1.3}
    comparisons = [compare(Store(tmp_path).records())]
    check_reference(comparisons, "caffe")
    with pytest.raises(DlgaugeError, match="did you mean 'theano'"):
        check_reference(comparisons, "thaeno")


def test_a_set_without_the_reference_says_so(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0, "caffe": 15.0}, 2, setting={"batch_size": 16}, varied={"batch_size": 16})
    fill(tmp_path, {"torch": 8.0, "theano": 12.0}, 2, setting={"batch_size": 64}, varied={"batch_size": 64})
    found = judged(tmp_path, reference="caffe")
    assert [family.reference for family in found.families] == ["caffe · batch_size=16", "torch · batch_size=64"]
    assert any(one.startswith("caffe has no row among") for one in found.problems)


def test_work_that_differs_is_not_compared(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0, "caffe": 15.0}, 2, setting={"batch_size": 16}, varied={"batch_size": 16})
    fill(tmp_path, {"torch": 8.0}, 2, setting={"batch_size": 64}, varied={"batch_size": 64})
    found = judged(tmp_path)
    assert only(found).rows == ("caffe · batch_size=16", "torch · batch_size=16")
    assert found.alone == ("torch · batch_size=64",)
    assert any("torch · batch_size=64 stands alone" in one for one in found.problems)


def test_of_one_framework_the_varied_values_are_compared(tmp_path: Path) -> None:
    for threads, seconds in ((1, 20.0), (2, 11.0)):
        fill(tmp_path, {"torch": seconds}, 6, profile={"threads": threads}, varied={"threads": threads})
    (pair,) = only(judged(tmp_path)).pairs
    assert (pair.row, pair.reference, pair.verdict) == ("torch · threads=1", "torch · threads=2", "different")


@pytest.mark.parametrize("other", [{"content": "beef" * 16}, {"machine": {**MACHINE, "cpu_model": "Other"}}])
def test_other_data_and_machines_are_never_compared(tmp_path: Path, other: dict[str, Any]) -> None:
    fill(tmp_path, {"torch": 10.0}, 6)
    fill(tmp_path, {"caffe": 15.0}, 6, **other)
    found = judged(tmp_path)
    assert found.families == () and set(found.alone) == {"torch", "caffe"}
    assert sum("stands alone" in one for one in found.problems) == 2


def test_blocks_without_a_partner_are_named(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0, "caffe": 15.0}, 3)
    write_record(tmp_path, "torch", 7)
    (pair,) = only(judged(tmp_path)).pairs
    assert pair.seeds == (1, 2, 3)
    assert pair.left_out == {"only torch has a value": (7,)}


def test_a_missing_outcome_is_named(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0}, 3)
    for seed in (1, 2, 3):
        why = {"top1_percent": "no evaluation"}
        write_record(tmp_path, "caffe", seed, summary={"top1_percent": None}, not_measured=why)
    by_outcome = {family.outcome: family for family in judged(tmp_path, outcomes=None).families}
    family = by_outcome["top1_percent"]
    (pair,) = family.pairs
    assert (pair.verdict, pair.ratio, pair.test) == ("not compared", None, None)
    assert pair.reason == "caffe has no value: no evaluation"
    assert family.comparisons == 0
    assert family.missing == {"caffe": "not measured: no evaluation (3 of 3)"}
    assert by_outcome["training_time_s"].comparisons == 1


def test_equal_accuracies_are_known_to_an_image_and_no_better(tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        for framework in ("torch", "caffe"):
            write_record(tmp_path, framework, seed, summary={"top1_percent": 98.5})
    (pair,) = only(judged(tmp_path, outcomes=("top1_percent",), margin=0.0002)).pairs
    assert (pair.ratio, pair.log_sd, pair.d_z) == (1.0, 0.0, None)
    assert pair.grain_sd == pytest.approx(0.05 / 98.5 * math.sqrt(2 / 12))  # of 2,000 images
    assert pair.t.low is not None and pair.t.high is not None
    assert pair.t.high - 1 == pytest.approx(4.303 * pair.grain_sd / math.sqrt(3), rel=1e-3)
    assert pair.verdict == "undecided"  # the interval is wider than the margin
    (wide,) = only(judged(tmp_path, outcomes=("top1_percent",), margin=0.005)).pairs
    assert wide.verdict == "equivalent"


def test_equal_steps_to_an_accuracy_are_known_to_an_evaluation_and_no_better(tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        for framework in ("torch", "caffe"):
            write_record(tmp_path, framework, seed, setting={"evaluation": {"every_steps": 100, "batch_size": 100}})
    wanted = ("steps_to:50",)
    (pair,) = only(judged(tmp_path, columns=wanted, outcomes=wanted)).pairs
    assert (pair.ratio, pair.log_sd) == (1.0, 0.0)
    assert pair.grain_sd == pytest.approx(0.5 * math.sqrt(2 / 12))  # reached at step 200, evaluated every 100
    assert pair.t.low is not None and pair.t.high is not None
    assert pair.t.low < 1 < pair.t.high


def test_zero_has_no_ratio(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_record(tmp_path, "torch", seed)
        write_record(tmp_path, "caffe", seed, summary={"ticks_skipped": 3})
    (pair,) = only(judged(tmp_path, columns=("ticks_skipped",), outcomes=None)).pairs
    assert pair.verdict == "not compared"
    assert pair.reason == "torch is 0 in block 1: only positive values have a ratio"


def test_energies_of_different_parts_are_not_compared(tmp_path: Path) -> None:
    for seed in (1, 2):
        with_energy(write_record(tmp_path, "torch", seed), package=10.0)
        with_energy(write_record(tmp_path, "caffe", seed), package=15.0, gpu=1.0)
    (pair,) = only(judged(tmp_path, columns=("training_joules",), outcomes=None)).pairs
    assert pair.verdict == "not compared" and "different parts of the machine" in pair.reason


def test_cells_with_only_failed_trials_are_named(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0, "caffe": 15.0}, 2)
    for seed in (1, 2):
        write_record(tmp_path, "jax", seed, termination="crashed", reason="exit status 1")
    write_record(tmp_path, "caffe", 3, termination="crashed", reason="boom")
    comparison = compare(Store(tmp_path).records())
    (row,) = comparison.failed_rows
    assert (row.name, dict(row.terminations), row.reason) == ("jax", {"crashed": 2}, "exit status 1")
    assert [trial.seed for trial in row.trials] == [1, 2]
    assert "jax has no row: none of its trials completed (2 crashed: exit status 1)." in comparison.notes


def test_different_certificates_are_named(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1, certificate="aa" * 32)
    write_record(tmp_path, "caffe", 1, certificate="bb" * 32)
    (note,) = [one for one in compare(Store(tmp_path).records()).notes if "certificates" in one]
    assert "2 parity certificates cover the trials (bbbbbbbbbbbb: caffe; aaaaaaaaaaaa: torch)" in note
    one = compare([record for record in Store(tmp_path).records() if "torch" in record.label])
    assert not any("certificates" in note for note in one.notes)


def test_a_disturbed_row_is_not_stable(tmp_path: Path) -> None:
    steal = [{"signal": "steal", "found": 0.02, "limit": 0.01, "unit": "of CPU time"}]
    fill(tmp_path, {"torch": 10.0, "caffe": 15.0}, 6)
    assert only(judged(tmp_path)).unstable == {}
    write_record(tmp_path, "torch", 7, disturbances=steal)
    family = only(judged(tmp_path))
    assert family.unstable == {"torch": "disturbed"}
    assert family.pairs[0].disturbed == ("torch",)


def test_an_empty_comparison_judges_nothing() -> None:
    found = judge(compare([]), Options(fronts=True))
    assert (found.families, found.fronts, found.alone, found.problems) == ((), (), (), ())
    assert row_sets(compare([])) == ((), ())


def test_a_family_of_many_pairs_can_be_decided_by_drawn_flips(tmp_path: Path) -> None:
    """34 rows are 561 pairs: of 9,999 flips the smallest p, corrected, would be 0.056 whatever the blocks show."""
    for seed in range(1, 16):
        for index in range(34):
            summary = {"training_time_s": (1 + 0.5 * index) * (1 + 0.001 * NOISE[seed % len(NOISE)])}
            rate = {"learning_rate": {"policy": "FIX", "k0": 0.001 * (1 + index)}}
            write_record(tmp_path, "torch", seed, summary=summary, setting=rate, varied=rate, samples=False)
    family = only(judged(tmp_path, bootstrap=False))
    assert family.comparisons == 561
    assert {pair.verdict for pair in family.pairs} == {"different"}
