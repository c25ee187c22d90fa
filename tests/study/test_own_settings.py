"""`settings: [own]` and `length_share`: the papers' defaults, each on its own workload, shortened alike."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.errors import FileFormatError
from harness.study import Study, make_plan

OWN = """\
study: example
frameworks: [alpha]
workloads: [caffe-mnist, theano-mnist]
settings: [own]
seeds: [1]
"""


def test_every_workload_gets_the_setting_of_its_name(study_of: Callable[..., Study]) -> None:
    cells = study_of(text=OWN).cells
    assert [(cell.workload.name, cell.setting.name) for cell in cells] == [
        ("caffe-mnist", "caffe-mnist"),
        ("theano-mnist", "theano-mnist"),
    ]
    assert [cell.setting.steps for cell in cells] == [10_000, 20_000]


def test_a_workload_on_a_variant_has_the_setting_of_its_workload(study_of: Callable[..., Study]) -> None:
    (cell,) = study_of(text=OWN.replace("caffe-mnist, theano-mnist", "caffe-cifar10@jpeg75")).cells
    assert (cell.workload.name, cell.setting.name) == ("caffe-cifar10@jpeg75", "caffe-cifar10")


def test_a_setting_may_run_on_another_workload_as_well(study_of: Callable[..., Study]) -> None:
    cells = study_of(text=OWN.replace("[own]", "[own, tensorflow-mnist]")).cells
    assert [(cell.workload.name, cell.setting.name) for cell in cells] == [
        ("caffe-mnist", "caffe-mnist"),
        ("caffe-mnist", "tensorflow-mnist"),
        ("theano-mnist", "theano-mnist"),
        ("theano-mnist", "tensorflow-mnist"),
    ]


def test_a_workload_without_such_a_setting_is_named(study_of: Callable[..., Study]) -> None:
    with pytest.raises(FileFormatError, match=r"x.yaml:3: workload 'lenet-mnist' has no setting of its own name"):
        study_of(text=OWN.replace("caffe-mnist", "lenet-mnist"))


def test_length_share_shortens_every_setting_alike(study_of: Callable[..., Study]) -> None:
    cells = study_of("length_share: 0.02\n", text=OWN).cells
    assert [cell.setting.steps for cell in cells] == [200, 400]


def test_a_shortened_setting_still_has_a_step_after_its_warm_up(study_of: Callable[..., Study]) -> None:
    assert [cell.setting.steps for cell in study_of("length_share: 0.00001\n", text=OWN).cells] == [2, 2]


@pytest.mark.parametrize("share", ["0", "1.5", "-1", "half"])
def test_a_share_is_a_number_up_to_one(study_of: Callable[..., Study], share: str) -> None:
    with pytest.raises(FileFormatError, match="x.yaml:6: .*length_share"):
        study_of(f"length_share: {share}\n", text=OWN)


def test_a_rule_for_a_layer_that_the_network_does_not_have_is_noted(study_of: Callable[..., Study]) -> None:
    study = study_of(text=OWN.replace("[caffe-mnist, theano-mnist]", "caffe-mnist").replace("[own]", "caffe-cifar10"))
    assert make_plan(study).notes == ()  # LeNet has conv1, dense1, dense2 as well
    study = study_of(
        text=OWN.replace("[caffe-mnist, theano-mnist]", "caffe-mnist").replace("[own]", "tensorflow-cifar10")
    )
    note = next(note for note in make_plan(study).notes if "local3" in note)
    assert "setting 'tensorflow-cifar10' has a rule for local3, local4, which network 'lenet'" in note
