"""`samples`: a length in images, the same for all batch sizes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.study import make_plan
from harness.workloads.settings import load_setting
from tests.study.test_study_files import error_of, setting_of


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(samples=st.integers(5_000, 10**6), batch_size=st.integers(1, 2000))
def test_steps_are_just_enough_for_the_samples(study_of, samples: int, batch_size: int) -> None:
    setting = setting_of(study_of(f"overrides: {{samples: {samples}, batch_size: {batch_size}}}\n"))
    assert setting["steps"] * batch_size >= samples > (setting["steps"] - 1) * batch_size
    assert "samples" not in setting and "epochs" not in setting


def test_all_batch_sizes_get_the_same_budget(study_of) -> None:
    trials = make_plan(
        study_of("overrides: {samples: 16384}\nvary: {batch_size: {from: 16, to: 1024, scale: log2}}\n")
    ).trials
    lengths = {trial.varied["batch_size"]: trial.specification["setting"]["steps"] for trial in trials}
    assert lengths == {16: 1024, 32: 512, 64: 256, 128: 128, 256: 64, 512: 32, 1024: 16}


def test_ids_are_those_of_the_steps(study_of) -> None:
    def ids(more: str) -> set[str]:
        return {trial.id for trial in make_plan(study_of(more)).trials}

    assert ids("overrides: {samples: 19200}\n") == ids("overrides: {steps: 300}\n")
    assert ids("overrides: {samples: 10000}\n") == ids("overrides: {epochs: 1}\n")


def test_samples_replace_the_length_of_the_setting_and_are_shortened_with_it(study_of) -> None:
    assert setting_of(study_of("overrides: {samples: 6400}\nlength_share: 0.5\n"))["steps"] == 50


def test_a_setting_file_may_give_samples(study_of, tmp_path) -> None:
    text = load_setting("caffe-mnist").model_dump_json(exclude={"name", "steps", "epochs"}, exclude_none=True)
    (tmp_path / "mine.yaml").write_text('{"setting": "mine", "samples": 6401, ' + text[1:])
    more = "overrides: {momentum: 0.5}\n"
    from tests.study.conftest import STUDY

    assert setting_of(study_of(more, text=STUDY.replace("[caffe-mnist]", "[./mine.yaml]")))["steps"] == 101


def test_settings_without_samples_are_told_as_before() -> None:
    """The names of studies and certificates are hashes of this."""
    assert "samples" not in load_setting("caffe-mnist").model_dump(mode="json")
    assert load_setting("caffe-mnist").model_dump(mode="json")["epochs"] is None


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("overrides:\n  samples: 0\n", "x.yaml:7: samples should be greater than or equal to 1, not 0"),
        ("overrides:\n  samples: 1.5\n", "x.yaml:7: samples should be a valid integer"),
        ("overrides:\n  samples: 10\n  steps: 5\n", "samples should be given, not steps=5 and samples=10"),
        ("overrides:\n  samples: 64\n", "x.yaml:7: samples 64 are 1 step of batch_size 64, none of them after"),
        ("overrides:\n  samples: 1000000000\n", "x.yaml:7: samples 1000000000 are 15625000 steps, more"),
    ],
)
def test_errors_name_file_line_key_and_value(study_of, more: str, message: str) -> None:
    assert message in error_of(study_of, more)
