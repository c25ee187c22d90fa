"""What a study file means, and what is said of one that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import FileFormatError
from harness.study import load_study, make_plan, study_names
from tests.study.conftest import STUDY


def error_of(study_of, more: str = "", **options) -> str:
    with pytest.raises(FileFormatError) as caught:
        study_of(more, **options)
    return str(caught.value)


def setting_of(study) -> dict:
    return make_plan(study).trials[0].specification["setting"]


def profile_of(study) -> dict:
    return make_plan(study).trials[0].specification["profile"]


def test_a_policy_may_be_text_in_overrides_and_vary(study_of) -> None:
    study = study_of(
        "overrides:\n  learning_rate: lrPolicy_TRI+k0_0.1+k1_0.2+l_10\n  rate: 0.05\n  learning_rate.l: 7\n"
    )
    assert setting_of(study)["learning_rate"] == {"policy": "TRI", "k0": 0.05, "k1": 0.2, "l": 7}
    plan = make_plan(
        study_of("vary:\n  learning_rate:\n    - lrPolicy_FIX+k0_0.01\n    - {policy: COS, k0: 0.0, k1: 1.0, l: 5}\n")
    )
    assert {trial.specification["setting"]["learning_rate"]["policy"] for trial in plan.trials} == {"FIX", "COS"}
    assert any("learning_rate=lrPolicy_FIX+k0_0.01" in trial.label for trial in plan.trials)


def test_a_composite_is_a_section_and_its_boundaries_are_a_key(study_of) -> None:
    composite = "{policy: COMPOSITE, parts: [{policy: FIX, k0: 0.1}, lrPolicy_FIX+k0_0.2], at: [5]}"
    study = study_of(f"overrides:\n  learning_rate: {composite}\nvary:\n  learning_rate.at: [[7]]\n")
    policy = setting_of(study)["learning_rate"]
    assert policy == {
        "policy": "COMPOSITE",
        "parts": [{"policy": "FIX", "k0": 0.1}, {"policy": "FIX", "k0": 0.2}],
        "at": [7],
        "time": "restart",
    }


def test_overrides_reach_setting_and_profile(study_of) -> None:
    study = study_of(
        "overrides:\n  steps: 300\n  momentum: 0.5\n  rate: 1e-3\n  evaluation.every_steps: 100\n"
        "  multipliers.biases.rate: 1\n  threads: 3\n  cpus: 2\n  memory: 4 GiB\n  environment.OMP_PROC_BIND: close\n"
        "time_limit: 10 min\n"
    )
    setting, profile = setting_of(study), profile_of(study)
    assert setting["steps"] == 300
    assert setting["optimizer"]["momentum"] == 0.5
    assert setting["learning_rate"] == {"policy": "INV", "k0": 0.001, "gamma": 0.0001, "p": 0.75}
    assert setting["evaluation"] == {"every_steps": 100, "batch_size": 100}
    assert setting["multipliers"] == {"weights": {"rate": 1.0, "decay": 1.0}, "biases": {"rate": 1.0, "decay": 1.0}}
    assert profile["cpus"] == [0, 1]
    assert profile["threads"] == {"intra_op": 3, "inter_op": 1}
    assert profile["memory_bytes"] == 4 * 2**30
    assert profile["environment"] == {"OMP_PROC_BIND": "close"}
    assert make_plan(study).trials[0].specification["time_limit_s"] == 600.0


def test_a_mapping_replaces_its_section(study_of) -> None:
    study = study_of("overrides:\n  learning_rate: {policy: STEP, k0: 0.1, gamma: 0.5, l: 10}\n  rate: 0.2\n")
    assert setting_of(study)["learning_rate"] == {"policy": "STEP", "k0": 0.2, "gamma": 0.5, "l": 10}


def test_vary_spans_the_product_and_the_trials_know_their_values(study_of) -> None:
    study = study_of("vary:\n  batch_size: [16, 64]\n  threads: [1, 2, 4]\n")
    plan = make_plan(study)
    assert len(study.cells) == 12
    assert len(plan.trials) == 24
    assert {(trial.varied["batch_size"], trial.varied["threads"]) for trial in plan.trials} == {
        (size, threads) for size in (16, 64) for threads in (1, 2, 4)
    }
    for trial in plan.trials:
        assert trial.specification["setting"]["batch_size"] == trial.varied["batch_size"]
        assert trial.specification["profile"]["threads"]["intra_op"] == trial.varied["threads"]
        assert f"batch_size={trial.varied['batch_size']} · threads=" in trial.label


def test_policies_can_be_varied(study_of) -> None:
    study = study_of(
        "vary:\n  learning_rate:\n    - {policy: FIX, k0: 0.01}\n    - {policy: EXP, k0: 0.01, gamma: 0.9}\n"
    )
    plan = make_plan(study)
    assert {trial.specification["setting"]["learning_rate"]["policy"] for trial in plan.trials} == {"FIX", "EXP"}
    assert any("learning_rate=EXP k0=0.01 gamma=0.9" in trial.label for trial in plan.trials)


@pytest.mark.parametrize(("epochs", "batch_size", "steps"), [(1, 64, 157), (2, 16, 1250), (0.5, 64, 79), (3, 10000, 3)])
def test_epochs_become_steps(study_of, epochs: float, batch_size: int, steps: int) -> None:
    study = study_of(f"overrides: {{epochs: {epochs}, batch_size: {batch_size}}}\n")
    setting = setting_of(study)
    assert setting["steps"] == steps
    assert "epochs" not in setting


def test_seeds_as_a_range_and_profiles_by_path(study_of, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("profile: mine\ncpus: [1, 3]\n")
    text = STUDY.replace("seeds: [1, 2]", "seeds: {first: 5, count: 3}")
    study = study_of("profiles: [local, mine.yaml]\n", text=text)
    assert study.seeds == (5, 6, 7)
    profiles = {
        trial.specification["profile"]["name"]: trial.specification["profile"] for trial in make_plan(study).trials
    }
    assert profiles["mine"]["cpus"] == [1, 3]
    assert profiles["local"]["cpus"] == [0, 1, 2, 3]
    assert profiles["local"]["threads"]["intra_op"] == 4
    assert profiles["mine"]["threads"]["intra_op"] == 2


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("overrides:\n  momentun: 0.9\n", "x.yaml:7: unknown key 'momentun' in overrides … did you mean 'momentum'?"),
        ("vary:\n  batchsize: [1]\n", "x.yaml:7: unknown key 'batchsize' in vary … did you mean 'batch_size'?"),
        ("overide:\n  steps: 3\n", "x.yaml:6: unknown key 'overide' … did you mean 'overrides'?"),
        ("overrides:\n  momentum: 1.5\n", "x.yaml:7: optimizer.momentum should be less than 1, not 1.5"),
        (
            "vary:\n  batch_size:\n    - 16\n    - 0\n",
            "x.yaml:9: batch_size should be greater than or equal to 1, not 0",
        ),
        ("vary:\n  batch_size: [64, 20000]\n", "x.yaml:7: batch_size 20000 is larger than dataset 'mnist-subset'"),
        (
            "overrides:\n  validation: {images: 10000, position: last}\n",
            "x.yaml:7: validation.images 10000 leaves none of the 10000 training images of dataset 'mnist-subset'",
        ),
        (
            "overrides:\n  validation: {images: 9950, position: first}\n",
            "x.yaml:4: batch_size 64 is larger than dataset 'mnist-subset' with its 50 training images that are",
        ),
        (
            "overrides:\n  validation: {images: 20, position: first, every_steps: 5}\n",
            "x.yaml:4: evaluation.batch_size 100 is larger than dataset 'mnist-subset' with its 20 validation images",
        ),
        (
            "overrides:\n  early_stopping: {watch: loss, patience_steps: 5}\n",
            "early_stopping watches the validation images, so validation should be given too",
        ),
        (
            "overrides:\n  validation: {images: 500, position: last, every_steps: 50}\n"
            "  early_stopping: {watch: loss, patience_steps: 5}\n",
            "x.yaml:8: early_stopping.patience_steps 5 would end training before the first validation, which comes",
        ),
        (
            "overrides:\n  learning_rate: {policy: REDUCE_ON_PLATEAU, k0: 0.1}\n",
            "x.yaml:7: learning_rate: REDUCE_ON_PLATEAU follows the validation images, so validation should be given",
        ),
        (
            "overrides:\n  steps: 100\n  validation: {images: 500, position: last}\n"
            "  learning_rate: {policy: REDUCE_ON_PLATEAU, k0: 0.1}\n",
            "x.yaml:9: learning_rate: REDUCE_ON_PLATEAU follows the validation images, so validation.every_steps",
        ),
        (
            "overrides:\n  steps: 100\n  learning_rate: {policy: REDUCE_ON_PLATEAU, k0: 0.1}\n"
            "  validation: {images: 500, position: last, every_steps: 100}\n",
            "x.yaml:9: validation.every_steps 100 should be smaller than the 100 steps: REDUCE_ON_PLATEAU would never",
        ),
        (
            "overrides:\n  steps: 1000\n  validation: {images: 500, position: last, every_steps: 100}\n"
            "  learning_rate: {policy: REDUCE_ON_PLATEAU, k0: 0.1}\n",
            "x.yaml:9: learning_rate: REDUCE_ON_PLATEAU changes the rate after 12 evaluations of validation images "
            "at the soonest, and there are 9: one every 100 steps, after 1 warm-up steps and before the last of 1000",
        ),
        (
            "overrides:\n  steps: 110\n  warm_up_steps: 70\n"
            "  validation: {images: 500, position: last, every_steps: 10}\n  learning_rate:\n"
            "    policy: CHANGE_ON_PLATEAU\n    policies: [{policy: FIX, k0: 0.2}, {policy: FIX, k0: 0.1}]\n",
            "x.yaml:10: learning_rate: CHANGE_ON_PLATEAU changes the rate after 5 evaluations of validation images "
            "at the soonest, and there are 3: one every 10 steps, after 70 warm-up steps",
        ),
        (
            "overrides:\n  validation: {images: 500, position: last, every_steps: 10}\n  steps: 100\n"
            "  learning_rate:\n    policy: CHANGE_ON_PLATEAU\n"
            "    policies: [{policy: FIX, k0: 0.1}, {policy: FIX, k0: 0.2}]\n",
            "x.yaml:9: learning_rate: policies should go from large to small rates: over 100 steps, number 1 (from 0)",
        ),
        (
            "overrides:\n  evaluation.batch_size: 5000\n",
            "x.yaml:7: evaluation.batch_size 5000 is larger than dataset 'mnist-subset' with its 2000 test images",
        ),
        ("overrides:\n  cpus: 9\n", "x.yaml:7: there are not 9 CPUs; this process may use 4: 0, 1, 2, 3"),
        ("overrides:\n  cpus: [2, 7]\n", "x.yaml:7: there is no CPU 7 for cpus=[2, 7]"),
        ("overrides:\n  cpus: some\n", "x.yaml:7: cpus should be 'all', a number of CPUs, or a list"),
        ("overrides:\n  memory: 300\n", "x.yaml:7: memory: 300 B is less than the 16 MiB that an interpreter takes"),
        ("overrides:\n  memory: 4 gigs\n", "x.yaml:7: memory: '4 gigs' has the unknown unit 'gigs'"),
        ("overrides:\n  blas: openbals\n", "x.yaml:7: blas should be 'reference', 'openblas',"),
        ("overrides:\n  steps: 10\n  epochs: 1\n", "steps, epochs and samples should be given, not steps=10 and"),
        ("overrides:\n  steps: 1\n", "warm_up_steps=1 should be smaller than steps=1"),
        (
            "overrides:\n  rate: 0.1\nvary:\n  learning_rate.k0: [0.1]\n",
            "x.yaml:9: 'learning_rate.k0' is already set as 'rate'",
        ),
        (
            "overrides:\n  learning_rate: {policy: FIX, k0: 0.1}\n  learning_rate.gamma: 0.1\n",
            "x.yaml:8: unknown key 'gamma' in learning_rate",
        ),
        (
            "overrides:\n  learning_rate.l: 100\nvary:\n"
            "  learning_rate: [0.1, {policy: TRI, k0: 0.1, k1: 0.2, l: 50}]\n",
            "x.yaml:7: 'learning_rate.l' lies inside 'learning_rate', which is varied (",
        ),
        (
            "overrides: {rate: 1.0}\nvary:\n  learning_rate: [lrPolicy_FIX+k0_0.1]\n",
            "x.yaml:6: 'rate' lies inside 'learning_rate', which is varied (",
        ),
        (
            "vary:\n  momentum: [0.1]\n  optimizer: [{kind: sgd}, {kind: sgd, momentum: 0.5}]\n",
            "x.yaml:7: 'momentum' lies inside 'optimizer', which is varied (",
        ),
        ("overrides:\n  name: x\n", "x.yaml:7: unknown key 'name' in overrides"),
        (
            "overrides:\n  learning_rate: {policy: EXP, k0: 1, gamma: 9}\n",
            "x.yaml:7: learning_rate.gamma should be greater than 0 and at most 1, not 9.0",
        ),
        (
            "overrides:\n  steps: 9\n  learning_rate: lrPolicy_POLY+k0_0+k1_1+p_0.5+l_3+compat_lrbench\n",
            "x.yaml:8: the learning rate is not finite from step 4 on: POLY k0=0.0 k1=1.0 p=0.5 l=3",
        ),
        (
            "overrides:\n  learning_rate: lrPolicy_TRI+k0_0.1+k1_0.2+l\n",
            "x.yaml:7: learning_rate: 'lrPolicy_TRI+k0_0.1+k1_0.2+l' is no policy in LRBench's string form: at",
        ),
        (
            "overrides:\n  learning_rate: lrPolicy_TRI+k0_0.1+k1_-0.2+l_5\n  learning_rate.l: 7\n",
            "x.yaml:7: learning_rate.k1 should be at least 0, not -0.2",
        ),
        (
            "overrides:\n  learning_rate: lrPolicy_tri+k0_0.1\n",
            "unknown policy 'tri' in learning_rate … did you mean 'TRI'?",
        ),
        ("overrides:\n  learning_rate: tri\n  rate: 0.1\n", "x.yaml:7: learning_rate: 'tri' is no policy in LRBench's"),
        (
            "overrides:\n  learning_rate: {policy: TRI, k0: 2.0, k1: 0.1, l: 0}\n",
            "x.yaml:7: learning_rate.l should be at least 1",
        ),
        (
            "vary: {steps: [10000000000000]}\n",
            "x.yaml:6: steps should be at most 10000000, not 10000000000000: a rate, a",
        ),
        ("overrides:\n  epochs: 1.0e+300\n", "x.yaml:7: epochs should be at most 10000000, not 1e+300"),
        ("overrides:\n  epochs: 100000\n", "x.yaml:7: epochs 100000 are 15625000 steps, more than the 10000000 there"),
        ("vary:\n  batch_size: 16\n", "x.yaml:7: vary.batch_size should be a list, or a range such as {from: 16, "),
        ("vary:\n  batch_size: []\n", "x.yaml:7: vary.batch_size"),
        ("profiles: [lokal]\n", "x.yaml:6: unknown profile 'lokal' … did you mean 'local'?"),
        ("time_limit: soon\n", "x.yaml:6: time_limit: 'soon' is not a duration"),
    ],
)
def test_errors_name_file_line_and_value(study_of, more: str, message: str) -> None:
    assert message in error_of(study_of, more)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[alpha, beta]", "[alpha, bata]", "x.yaml:2: unknown framework 'bata' … did you mean 'beta'?"),
        ("[caffe-mnist]", "[cafe-mnist]", "x.yaml:4: unknown setting 'cafe-mnist' … did you mean 'caffe-mnist'?"),
        ("[lenet-mnist-subset]", "[lenet]", "x.yaml:3: unknown workload 'lenet'"),
        ("[lenet-mnist-subset]", "[gone.yaml]", "x.yaml:3: no such workload file:"),
        ("seeds: [1, 2]", "seeds: []", "x.yaml:5: seeds should have at least 1 item"),
        ("seeds: [1, 2]", "seeds: [1, -2]", "x.yaml:5: seeds[1] should be greater than or equal to 0, not -2"),
        (
            "seeds: [1, 2]",
            "seeds: {first: 1, cont: 3}",
            "x.yaml:5: seeds: unknown key 'cont' … did you mean 'count'?",
        ),
        ("study: example", "study: My Study", "x.yaml:1: study should be of at most 80 lower-case letters"),
    ],
)
def test_wrong_names_are_found(study_of, old: str, new: str, message: str) -> None:
    text = STUDY.replace(old, new)
    assert message in error_of(study_of, text=text)


def test_several_mistakes_are_told_at_once(study_of) -> None:
    text = error_of(study_of, "overrides:\n  momentun: 0.9\n  weight_deacy: 0\nvary:\n  thread: [1]\n")
    assert [line.split(":")[1] for line in text.splitlines()] == ["7", "8", "10"]


def test_mistakes_of_every_kind_are_told_at_once_each_at_its_line(study_of, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("profile: mine\ncpus: some\nmemory: 3\n")
    text = """\
study: My Study
frameworks: [alpha, gama]
workloads:
  - lenet-mnist-subset
  - lenet
settings: [caffe-mnist, cafe-mnist]
profiles: [mine.yaml, lokal]
seeds:
  first: 1
  count: 0
time_limit: soon
overrides:
  momentun: 0.5
  batch_size: 0
  learning_rate:
    policy: FIX
    k0: high
vary:
  evaluation.batch_size:
    - 100
    - -1
colour: red
"""
    lines = error_of(study_of, text=text).splitlines()
    in_study = [line.partition("x.yaml:")[2] for line in lines if "x.yaml:" in line]
    assert [(int(line.split(":")[0]), line.split()[1]) for line in in_study] == [
        (1, "study"),
        (2, "unknown"),
        (5, "unknown"),
        (6, "unknown"),
        (7, "unknown"),
        (10, "seeds:"),
        (11, "time_limit:"),
        (13, "unknown"),
        (14, "batch_size"),
        (17, "learning_rate.k0"),
        (21, "evaluation.batch_size"),
        (22, "unknown"),
    ]
    in_profile = [line.partition("mine.yaml:")[2] for line in lines if "mine.yaml:" in line]
    assert [line.split(":")[0] for line in in_profile] == ["2", "3"]
    assert len(lines) == len(in_study) + len(in_profile)


def test_what_may_follow_from_another_mistake_is_not_told(study_of) -> None:
    text = error_of(
        study_of,
        "overrides:\n  validatoin: {images: 500, position: last}\n  early_stopping: {watch: loss, patience_steps: 5}\n",
    )
    assert text.splitlines() == [text]
    assert "x.yaml:7: unknown key 'validatoin' in overrides" in text


def test_values_that_are_right_together_are_not_told_beside_another_mistake(study_of) -> None:
    more = """\
time_limit: -3
vary:
  validation: [{images: 500, position: last, every_steps: 10}]
  learning_rate: [{policy: REDUCE_ON_PLATEAU, k0: 0.1}, lrPolicy_FIX+k0_0.1]
"""
    text = error_of(study_of, more)
    assert "x.yaml:6: time_limit" in text and text.splitlines() == [text]
    broken = more.replace("every_steps: 10", "every_steps: 0").replace("images: 500", "images: 0")
    lines = error_of(study_of, broken).splitlines()
    assert [line.partition("x.yaml:")[2].split()[1] for line in lines] == [
        "time_limit:",
        "validation.images",
        "validation.every_steps",
    ]


def test_a_value_that_is_wrong_with_every_other_is_told_beside_another_mistake(study_of) -> None:
    text = error_of(
        study_of,
        "time_limit: -3\nvary:\n  validation:\n    - {images: 5, position: last}\n"
        "  learning_rate:\n    - {policy: REDUCE_ON_PLATEAU, k0: 0.1}\n    - {policy: FIX, k0: 0.1}\n",
    )
    told = [line.partition("x.yaml:")[2] for line in text.splitlines()]
    assert [line.split(":")[0] for line in told] == ["6", "11"]
    assert "validation.every_steps should be given too" in told[1]


def test_a_profile_that_does_not_fit_the_machine_is_named(study_of, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("profile: mine\ncpus: 9\n")
    assert "x.yaml:6: profile 'mine': there are not 9 CPUs" in error_of(study_of, "profiles: [local, mine.yaml]\n")


def test_a_mistake_in_a_setting_file_is_told_with_its_own_line(study_of, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("setting: mine\nsteps: 0\n")
    text = error_of(study_of, text=STUDY.replace("[caffe-mnist]", "[mine.yaml]"))
    assert "mine.yaml:2: steps should be greater than or equal to 1, not 0" in text


def test_a_study_can_be_named(frameworks_folder: Path) -> None:
    assert load_study("quickstart").name == "quickstart"
    with pytest.raises(FileFormatError, match="no such study … did you mean 'quickstart'?"):
        load_study("quikstart")


@pytest.mark.parametrize("name", study_names())
def test_every_study_that_comes_with_the_project_has_a_plan(name: str) -> None:
    assert make_plan(load_study(name, cpus=(0, 1))).trials
