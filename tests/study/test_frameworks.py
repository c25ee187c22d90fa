from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import FileFormatError
from harness.paths import profiles_folder
from harness.study import load_frameworks, load_profile, load_study, make_plan
from harness.study.frameworks import environment_hash, load_framework, obstacle
from harness.study.profile import ProfileFile, profile_names, resolve_profile
from harness.workloads import load_network


def test_the_four_frameworks_of_the_project_are_found() -> None:
    found = load_frameworks()
    assert {
        name: (found[name].version, found[name].environment) for name in ("tensorflow", "torch", "caffe", "theano")
    } == {
        "tensorflow": ("2.21.0", "venv"),
        "torch": ("2.13.0", "venv"),
        "caffe": ("1.0.0", "container"),
        "theano": ("1.0.5", "container"),
    }


def test_a_framework_of_ones_own_is_found_by_the_environment(frameworks_folder: Path, monkeypatch) -> None:
    monkeypatch.setenv("DLGAUGE_FRAMEWORKS", str(frameworks_folder))
    assert {"alpha", "torch"} <= set(load_frameworks())


def test_a_framework_found_twice_is_an_error(frameworks_folder: Path) -> None:
    with pytest.raises(FileFormatError, match="framework 'alpha' stands in"):
        load_frameworks([frameworks_folder, frameworks_folder])


def test_the_folder_has_to_carry_the_name(frameworks_folder: Path) -> None:
    (frameworks_folder / "alpha").rename(frameworks_folder / "gamma")
    with pytest.raises(FileFormatError, match=r"environment.yaml:2: framework 'alpha' should stand in a folder"):
        load_frameworks([frameworks_folder])


def test_a_wrong_environment_file_names_its_line(frameworks_folder: Path) -> None:
    path = frameworks_folder / "beta" / "environment.yaml"
    path.write_text(path.read_text().replace("environment: container", "environment: docker"))
    with pytest.raises(FileFormatError, match=r"beta/environment.yaml:5: environment should be 'venv' or 'container'"):
        load_frameworks([frameworks_folder])


def test_the_hash_sees_what_decides_the_environment_and_nothing_else(frameworks_folder: Path) -> None:
    folder = frameworks_folder / "beta"
    hashes = [environment_hash(folder)]
    for name, text in (("requirements.txt", "a==1\n"), ("requirements-gpu.txt", "a==2\n"), ("Dockerfile", "FROM x\n")):
        (folder / name).write_text(text)
        hashes.append(environment_hash(folder))
    assert len(set(hashes)) == 4
    (folder / "adapter.py").write_text("x = 1\n")
    (folder / "__pycache__").mkdir()
    assert environment_hash(folder) == hashes[-1]


def test_environment_variables_hold_the_thread_counts_and_the_profile_wins(frameworks_folder: Path) -> None:
    beta = load_framework(frameworks_folder / "beta")
    profile = resolve_profile(load_profile("local"), (0, 1, 2))
    assert beta.variables(profile) == {"OPENBLAS_NUM_THREADS": "3", "POOLS": "3x1"}
    changed = profile.model_copy(update={"environment": {"POOLS": "mine"}})
    assert beta.variables(changed)["POOLS"] == "mine"


def test_a_library_s_own_variables_are_set_where_it_is_asked_for(frameworks_folder: Path) -> None:
    path = frameworks_folder / "beta" / "environment.yaml"
    path.write_text(path.read_text() + 'blas_variables: {openblas: {POOLS: "own {intra_op}"}}\n')
    beta = load_framework(path.parent)
    profile = resolve_profile(load_profile("local"), (0, 1, 2)).model_copy(update={"blas": "openblas"})
    assert beta.variables(profile)["POOLS"] == "own 3"
    assert beta.variables(profile.model_copy(update={"blas": "reference"}))["POOLS"] == "3x1"
    assert beta.variables(profile.model_copy(update={"environment": {"POOLS": "mine"}}))["POOLS"] == "mine"


@pytest.mark.parametrize(
    ("key", "more"),
    [
        ("blas_folders", "mkl: /x"),
        ("blas_variables", "mkl: {A: b}"),
        ("honours.one_thread_blas", "one_thread_blas: [mkl]"),
    ],
)
def test_a_library_that_is_not_honoured_may_not_stand_elsewhere(frameworks_folder: Path, key: str, more: str) -> None:
    path = frameworks_folder / "beta" / "environment.yaml"
    text = path.read_text()
    if key == "blas_folders":
        text = text.replace("blas_folders: {", f"blas_folders: {{{more}, ")
    elif key == "blas_variables":
        text += f"blas_variables: {{{more}}}\n"
    else:
        text = text.replace("precision: [float32]", f"{more}, precision: [float32]")
    path.write_text(text)
    with pytest.raises(FileFormatError, match=rf"{key} names mkl, which honours.blas does not"):
        load_frameworks([frameworks_folder])


def test_more_threads_than_a_library_has_are_refused_by_name(frameworks_folder: Path) -> None:
    path = frameworks_folder / "beta" / "environment.yaml"
    path.write_text(
        path.read_text().replace("precision: [float32]", "one_thread_blas: [reference], precision: [float32]")
    )
    beta, lenet = load_framework(path.parent), load_network("lenet")
    file = load_profile("reference")
    two = file.model_copy(update={"threads": file.threads.model_copy(update={"intra_op": 2})})
    found = obstacle(beta, resolve_profile(two, (0, 1)), lenet)
    assert found == (
        "profile 'reference', threads.intra_op: 2",
        "framework 'beta' has one thread only with blas reference",
    )
    assert obstacle(beta, resolve_profile(file, (0, 1)), lenet) is None


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_of_the_project_resolves_and_bears_its_file_s_name(name: str) -> None:
    profile = resolve_profile(load_profile(name), (0, 1))
    assert profile.name == name
    assert profile.threads.intra_op == (1 if name in ("cpu1", "cpu1-2g", "reference", "atlas") else 2)
    assert profile.memory_bytes == {"cpu1-2g": 2 << 30, "cpu2-4g": 4 << 30}.get(name)


def test_the_template_explains_every_key() -> None:
    text = (profiles_folder() / "template.yaml").read_text()
    keys = [name for name in ProfileFile.model_fields if name != "name"]
    assert [key for key in keys if f"\n{key}:" not in text and f"\n# {key}:" not in text] == []


def test_a_layer_that_a_framework_lacks_is_named(frameworks_folder: Path) -> None:
    path = frameworks_folder / "beta" / "environment.yaml"
    path.write_text(path.read_text().replace("[batch_norm]", "[relu]"))
    profile = resolve_profile(load_profile("local"), (0,))
    found = obstacle(load_framework(path.parent), profile, load_network("lenet"))
    assert found == ("layer 'relu1' of kind relu", "framework 'beta' cannot run layers of kind relu")


SECOND_ENVIRONMENT = """
framework: alpha@old
adapter: {adapter}
title: Alpha 0.9
version: "0.9"
environment: container
honours: {{}}
"""


def add_second_environment(parent: Path, adapter: str = "alpha") -> Path:
    folder = parent / "alpha@old"
    folder.mkdir(parents=True)
    (folder / "environment.yaml").write_text(SECOND_ENVIRONMENT.format(adapter=adapter))
    return folder


def test_a_framework_runs_its_own_adapter_unless_it_names_another(frameworks_folder: Path) -> None:
    (frameworks_folder / "alpha" / "adapter.py").write_text("")
    folder = add_second_environment(frameworks_folder)
    found = load_frameworks([frameworks_folder])
    assert (found["alpha"].adapter, found["alpha"].adapter_folder) == ("alpha", frameworks_folder / "alpha")
    assert (found["alpha@old"].adapter, found["alpha@old"].adapter_folder) == ("alpha", frameworks_folder / "alpha")
    assert found["alpha@old"].folder == folder
    assert found["alpha@old"].version == "0.9"
    assert found["alpha@old"].environment_sha256 != found["alpha"].environment_sha256


def test_an_adapter_is_found_in_another_folder_of_frameworks(
    frameworks_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (frameworks_folder / "alpha" / "adapter.py").write_text("")
    folder = add_second_environment(frameworks_folder.parent / "more")
    monkeypatch.setenv("DLGAUGE_FRAMEWORKS", str(frameworks_folder))
    assert load_framework(folder).adapter_folder == frameworks_folder / "alpha"


@pytest.mark.parametrize("adapter", ["alpha", "delta"])
def test_an_adapter_that_is_nowhere_is_named_with_its_line(frameworks_folder: Path, adapter: str) -> None:
    """`alpha` has a folder, but no code in it."""
    add_second_environment(frameworks_folder, adapter)
    with pytest.raises(FileFormatError, match=rf"environment.yaml:3: no folder '{adapter}' with an adapter.py in "):
        load_frameworks([frameworks_folder])


@pytest.mark.parametrize("name", ["alpha@", "@old", "alpha@old@older", "Alpha@old", "alpha@../old"])
def test_a_framework_s_name_is_one_slug_or_two(frameworks_folder: Path, name: str) -> None:
    path = frameworks_folder / "alpha" / "environment.yaml"
    path.write_text(path.read_text().replace("framework: alpha", f'framework: "{name}"'))
    with pytest.raises(FileFormatError, match=r"environment.yaml:2: framework should be of lower-case letters"):
        load_frameworks([frameworks_folder])


def test_a_study_compares_a_framework_in_two_environments(frameworks_folder: Path, tmp_path: Path) -> None:
    (frameworks_folder / "alpha" / "adapter.py").write_text("")
    add_second_environment(frameworks_folder)
    path = tmp_path / "study.yaml"
    path.write_text(
        "study: versions\nframeworks: [alpha, alpha@old]\nworkloads: [lenet-mnist-subset]\n"
        "settings: [caffe-mnist]\nseeds: [1]\n"
    )
    plan = make_plan(load_study(path, frameworks=load_frameworks([frameworks_folder]), cpus=(0,)))
    identities = {trial.framework: trial.specification["framework"] for trial in plan.trials}
    assert {name: one["adapter"] for name, one in identities.items()} == {"alpha": "alpha", "alpha@old": "alpha"}
    assert {name: one["version"] for name, one in identities.items()} == {"alpha": "1.0", "alpha@old": "0.9"}
