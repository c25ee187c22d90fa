"""Grouping into cells, what enters the numbers and what does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.analysis import Comparison, compare
from harness.errors import DlgaugeError
from harness.records import Record, Store
from tests import factories
from tests.synthetic import MACHINE, write_record, write_study


def compared(store: Path) -> Comparison:
    return compare(Store(store).records())


def test_a_cell_holds_the_seeds_of_one_framework(tmp_path: Path) -> None:
    for seed, seconds in ((1, 10.0), (2, 12.0), (3, 14.0)):
        write_record(tmp_path, "torch", seed, summary={"training_time_s": seconds})
    (cell,) = compared(tmp_path).cells
    value = cell.values["training_time_s"]
    assert value.statistics is not None
    assert (value.statistics.n, value.statistics.mean, value.statistics.sd) == (3, 12.0, 2.0)
    assert [trial.seed for trial in cell.trials] == [1, 2, 3]
    assert all(Path(trial.path).is_dir() for trial in cell.trials)
    assert value.by_seed == {1: 10.0, 2: 12.0, 3: 14.0}


def test_other_content_of_the_dataset_is_never_pooled(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1, content="aaaa")
    write_record(tmp_path, "torch", 2, content="bbbb")
    write_record(tmp_path, "caffe", 1, content="bbbb")
    result = compared(tmp_path)
    assert [(cell.key.framework, cell.n) for cell in result.cells] == [("caffe", 1), ("torch", 1), ("torch", 1)]
    assert len(result.conditions) == 2
    assert any("not comparable" in note and "content of the dataset" in note for note in result.notes)
    ratio = next(ratio for ratio in result.ratios) if result.ratios else None
    assert ratio is None  # caffe seed 1 and torch seed 2 share no seed, torch seed 1 stands under other conditions


def test_another_machine_is_never_pooled(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1)
    write_record(tmp_path, "torch", 2, machine={**MACHINE, "cpu_model": "Other CPU"})
    result = compared(tmp_path)
    assert [cell.n for cell in result.cells] == [1, 1]
    assert {one.machine.split(",")[0] for one in result.conditions.values()} == {MACHINE["cpu_model"], "Other CPU"}
    assert any("machine differs" in note for note in result.notes)


def test_memory_that_moves_by_pages_is_the_same_machine(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1)
    write_record(tmp_path, "torch", 2, machine={**MACHINE, "memory_bytes": MACHINE["memory_bytes"] + 8192})
    assert [cell.n for cell in compared(tmp_path).cells] == [2]


def test_equal_machines_with_other_names_are_two_machines(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1)
    write_record(tmp_path, "torch", 2, machine={**MACHINE, "hostname": "bench-2"})
    result = compared(tmp_path)
    assert [cell.n for cell in result.cells] == [1, 1]
    assert [one.machine.split(", ")[-1] for one in result.conditions.values()] == ["host bench-1", "host bench-2"]


def test_of_a_seed_only_the_latest_record_enters(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1)
    for seconds, started_at in ((5.0, "2026-03-02T09:00:00+00:00"), (7.0, "2026-03-02T08:00:00+00:00")):
        write_record(
            tmp_path,
            "torch",
            2,
            time_limit_s=100 * seconds,
            started_at=started_at,
            summary={"training_time_s": seconds},
        )
    result = compared(tmp_path)
    (cell,) = result.cells
    value = cell.values["training_time_s"]
    assert value.statistics is not None
    assert (cell.n, value.statistics.n, value.by_seed[2]) == (2, 2, 5.0)
    assert [one.seed for one in result.superseded] == [2]
    assert (result.completed_count, result.trial_count) == (3, 3)
    assert any(f"{result.superseded[0].id} (seed 2)" in note for note in result.notes)


def test_the_price_of_a_machine_makes_no_row(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1)
    write_record(tmp_path, "torch", 2, profile={"price_per_hour": 0.5})
    write_record(tmp_path, "caffe", 2)
    result = compared(tmp_path)
    assert [(cell.key.framework, cell.n) for cell in result.cells] == [("caffe", 1), ("torch", 2)]
    assert {ratio.paired.n for ratio in result.ratios} == {1}
    assert result.notes == ()


def test_another_profile_of_the_same_name_is_another_row(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1)
    write_record(tmp_path, "torch", 2, profile={"price_per_hour": 0.5, "cpus": [0]})
    result = compared(tmp_path)
    assert [cell.n for cell in result.cells] == [1, 1]
    assert [note for note in result.notes if "profile.cpus" in note and "price" not in note] == list(result.notes)


def test_mixed_compile_caches_are_noted(tmp_path: Path) -> None:
    for seed, modules in ((1, 0), (2, 30), (3, 30)):
        write_record(tmp_path, "theano", seed, described={"compile_cache": {"modules": modules}})
        write_record(tmp_path, "torch", seed)
    (note,) = compared(tmp_path).notes
    assert note.startswith("theano: build time mixes cold and warm compile caches (1 of 3 trials compiled anew)")


@pytest.mark.parametrize("modules", [0, 30])
def test_equal_compile_caches_need_no_note(tmp_path: Path, modules: int) -> None:
    for seed in (1, 2):
        write_record(tmp_path, "theano", seed, described={"compile_cache": {"modules": modules}})
    assert compared(tmp_path).notes == ()


def test_mixed_code_is_noted(tmp_path: Path) -> None:
    for seed, code in ((1, "a1" * 32), (2, "b2" * 32), (3, "b2" * 32)):
        write_record(tmp_path, "torch", seed, code=code)
    (note,) = compared(tmp_path).notes
    assert note == "framework torch: measured with 2 versions of the adapter or worker code."


def test_trials_without_a_certificate_are_named(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1)
    write_record(tmp_path, "caffe", 1, certificate=None)
    write_record(tmp_path, "theano", 1, certificate=None)
    (note,) = compared(tmp_path).notes
    assert "no parity certificate covers caffe, theano" in note
    assert "dlgauge parity lenet-mnist-subset --setting caffe-mnist" in note


def test_one_framework_alone_needs_no_certificate(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1, certificate=None)
    assert compared(tmp_path).notes == ()


def test_code_that_only_some_records_tell_is_noted(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1, code=None)
    write_record(tmp_path, "torch", 2)
    write_record(tmp_path, "caffe", 1, code=None)
    write_record(tmp_path, "caffe", 2, code=None)
    (note,) = compared(tmp_path).notes
    assert "framework torch: measured with 1 version of" in note
    assert "1 trial with a version that the record does not tell" in note


def test_another_setting_of_the_same_name_is_another_row_with_a_note(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1)
    write_record(tmp_path, "torch", 2, setting={"batch_size": 128})
    result = compared(tmp_path)
    assert [cell.n for cell in result.cells] == [1, 1]
    assert any("setting.batch_size" in note and "not pooled" in note for note in result.notes)


def test_varied_values_make_rows_in_their_numeric_order(tmp_path: Path) -> None:
    for batch in (128, 16, 64):
        write_record(tmp_path, "torch", 1, varied={"batch_size": batch}, setting={"batch_size": batch})
    result = compared(tmp_path)
    assert result.varied == ("batch_size",)
    assert [dict(cell.key.varied)["batch_size"] for cell in result.cells] == ["16", "64", "128"]
    assert result.notes == ()


def test_only_completed_trials_enter_and_the_others_are_listed(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1)
    write_record(tmp_path, "torch", 2, termination="crashed", reason="exit status 139")
    write_record(tmp_path, "torch", 3, termination="diverged")
    result = compared(tmp_path)
    assert [cell.n for cell in result.cells] == [1]
    assert [(one.termination, one.reason) for one in result.excluded] == [
        ("crashed", "exit status 139"),
        ("diverged", "no reason recorded"),
    ]
    assert result.trial_count == 3


def test_a_missing_value_keeps_its_reason_and_lowers_n(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1)
    write_record(tmp_path, "torch", 2, summary={"cpu_seconds": None}, not_measured={"cpu_seconds": "no samples"})
    (cell,) = compared(tmp_path).cells
    value = cell.values["cpu_seconds"]
    assert value.statistics is not None
    assert (cell.n, value.statistics.n, dict(value.missing)) == (2, 1, {"no samples": 1})


def test_ratios_are_against_the_fastest_by_seed(tmp_path: Path) -> None:
    for seed, (fast, slow) in {1: (1.0, 2.0), 2: (1.0, 8.0)}.items():
        write_record(tmp_path, "tensorflow", seed, summary={"training_time_s": fast})
        write_record(tmp_path, "torch", seed, summary={"training_time_s": slow})
    (ratio,) = [one for one in compared(tmp_path).ratios if one.key == "training_time_s"]
    assert (ratio.cell.framework, ratio.reference.framework, ratio.paired.n) == ("torch", "tensorflow", 2)
    assert ratio.paired.ratio == pytest.approx(4.0)


def test_mixed_sources_of_peak_memory_are_noted(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1)
    write_record(tmp_path, "caffe", 1, memory_source="cgroup")
    assert any("peak_resident_bytes" in note for note in compared(tmp_path).notes)


def test_foreign_load_is_flagged(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1, summary={"foreign_cores_mean": 0.2})  # of 2 cores: 10 %
    write_record(tmp_path, "caffe", 1, summary={"foreign_cores_mean": 0.02})
    judged = {cell.key.framework: cell.stability for cell in compared(tmp_path).cells}
    assert judged["torch"].disturbed
    assert "10 % of the machine" in judged["torch"].sentence
    assert not judged["caffe"].disturbed
    assert "cannot be judged" in judged["caffe"].sentence


def test_unknown_column_names_the_nearest(tmp_path: Path) -> None:
    write_study(tmp_path, ("torch",), 1)
    with pytest.raises(DlgaugeError, match="did you mean 'training_time_s'"):
        compare(Store(tmp_path).records(), ["traning_time_s"])


def test_the_cost_to_an_accuracy_is_a_column(tmp_path: Path) -> None:
    for seed in (1, 2):
        factories.publish_trial(tmp_path, seed=seed)
    columns = ("top1_percent", "steps_to:50", "seconds_to:50", "joules_to:50", "steps_to:99.9")
    result = compare(Store(tmp_path).records(), columns)
    (cell,) = result.cells
    assert [column.title for column in result.columns[1:3]] == ["steps to 50 %", "training time to 50 % s"]
    assert [column.unit for column in result.columns[1:4]] == ["1", "s", "J"]
    assert cell.values["steps_to:50"].by_seed == {1: 100.0, 2: 100.0}
    seconds, whole = cell.values["seconds_to:50"].by_seed, cell.values["training_time_s"].by_seed
    assert all(0 < seconds[seed] < whole[seed] for seed in (1, 2))
    assert cell.values["joules_to:50"].statistics is None
    reasons = cell.values["steps_to:99.9"].missing
    assert reasons and all("99.9 % was not reached" in reason for reason in reasons)


def with_energy(record: Record, **joules: float) -> None:
    """Give every train phase of a record energies, by part of the machine."""
    for phase in record.manifest["phases"]:
        if phase["phase"] == "train":
            phase.update({f"{part}_energy_joules": value for part, value in joules.items()})
    (record.path / "manifest.json").write_text(json.dumps(record.manifest))


def test_energies_of_different_parts_of_the_machine_are_told_apart(tmp_path: Path) -> None:
    with_energy(write_record(tmp_path, "torch", 1), package=10.0)
    with_energy(write_record(tmp_path, "torch", 2), package=12.0)
    with_energy(write_record(tmp_path, "caffe", 1), gpu=20.0)
    columns = ("joules_to:1", "steps_to:1")
    result = compare(Store(tmp_path).records(), columns)
    cells = {cell.key.framework: cell for cell in result.cells}
    assert cells["torch"].energy_of == {"package": 2} and cells["torch"].values["joules_to:1"].statistics
    (note,) = [note for note in result.notes if note.startswith("Energy")]
    assert "not comparable (gpu: caffe; package: torch)" in note
    with_energy(write_record(tmp_path, "torch", 3), package=12.0, gpu=30.0)
    torch = {cell.key.framework: cell for cell in compare(Store(tmp_path).records(), columns).cells}["torch"]
    value = torch.values["joules_to:1"]
    assert value.statistics is None and value.by_seed == {}
    assert value.missing == {
        "its trials measured the energy of different parts of the machine (package in 2, package+gpu in 1)": 3
    }
    assert torch.values["steps_to:1"].statistics is not None


def test_energies_of_one_part_need_no_note(tmp_path: Path) -> None:
    for framework in ("torch", "caffe"):
        with_energy(write_record(tmp_path, framework, 1), package=10.0)
    assert not any("Energy" in note for note in compare(Store(tmp_path).records(), ("joules_to:1",)).notes)


@pytest.mark.parametrize("damaged", [True, False])
def test_one_unreadable_table_costs_one_value(tmp_path: Path, damaged: bool) -> None:
    for seed in (1, 2):
        factories.publish_trial(tmp_path, seed=seed)
    path = Store(tmp_path).records()[0].path / "evaluations.parquet"
    if damaged:
        path.write_bytes(b"no parquet")
    else:
        path.unlink()
    (cell,) = compare(Store(tmp_path).records(), ["steps_to:50", "training_time_s"]).cells
    assert len(cell.values["steps_to:50"].by_seed) == 1
    ((reason, count),) = cell.values["steps_to:50"].missing.items()
    assert reason.startswith(f"{path}: the table evaluations cannot be read")
    assert count == 1
    assert len(cell.values["training_time_s"].by_seed) == 2


@pytest.mark.parametrize("key", ["steps_to:x", "steps_to:0", "steps_to:", "joules_to:101"])
def test_a_cost_needs_an_accuracy(key: str) -> None:
    with pytest.raises(DlgaugeError, match="accuracy"):
        compare([], ("training_time_s", key))


def test_records_of_two_studies_are_refused(tmp_path: Path) -> None:
    write_record(tmp_path, study="one")
    write_record(tmp_path, study="two")
    with pytest.raises(DlgaugeError, match="one, two"):
        compared(tmp_path)


def test_no_records_is_an_empty_comparison() -> None:
    result = compare([])
    assert (result.cells, result.trial_count, result.study) == ((), 0, "")


def test_a_disturbed_cell_has_a_note_with_the_worst_and_the_limit(tmp_path: Path) -> None:
    steal = {"signal": "steal", "limit": 0.01, "unit": "of CPU time"}
    swap = {"signal": "swapped_out", "found": 12, "limit": 0, "unit": "times"}
    write_record(tmp_path, "torch", 1, disturbances=[{**steal, "found": 0.02}])
    write_record(tmp_path, "torch", 2, disturbances=[{**steal, "found": 0.034}, swap])
    write_record(tmp_path, "caffe", 1)
    comparison = compare(Store(tmp_path).records())
    assert [note for note in comparison.notes if "disturbed" in note] == [
        "torch: disturbed: the hypervisor took CPU time away (3.4 % of CPU time, limit 1 %) in 2 of 2 trials; the "
        "machine swapped out (12 times, limit 0) in 1 of 2 trials."
    ]
    assert [one.trials for one in comparison.cells[1].disturbances] == [2, 1]


def test_notes_name_the_row_by_what_tells_it_from_the_others(tmp_path: Path) -> None:
    disturbed = {"profile": {"memory_bytes": 1 << 30}, "summary": {"peak_memory_bytes": 1 << 30}}
    write_record(tmp_path, "torch", 1, **disturbed)
    write_record(tmp_path, "torch", 1, profile={"memory_bytes": 2 << 30}, summary={"peak_memory_bytes": 5 << 20})
    write_record(tmp_path, "caffe", 1)
    notes = [note for note in compared(tmp_path).notes if "reached its memory limit" in note]
    assert len(notes) == 1
    assert notes[0].startswith("torch · profile.memory_bytes=1073741824: the job reached its memory limit of 1 GiB")


def test_a_peak_below_that_of_a_process_is_explained(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1, summary={"peak_memory_bytes": 300e6, "peak_resident_bytes": 600e6})
    write_record(tmp_path, "caffe", 1, summary={"peak_memory_bytes": 600e6, "peak_resident_bytes": 300e6})
    notes = [note for note in compared(tmp_path).notes if "largest process held" in note]
    assert len(notes) == 1
    assert notes[0].startswith("Peak memory of torch is below")
