"""The five BLAS libraries of an image: each is the one mapped, of the version known, on the threads asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.cli.progress import PlainObserver
from harness.cli.run import StoreKeeper
from harness.execution import StudyRunner
from harness.execution.containers import ContainerEnvironment
from harness.execution.engine import connect
from harness.execution.environments import Readiness, worker_variables
from harness.paths import PROJECT_ROOT
from harness.records import Store
from harness.study import Profile, load_frameworks, load_profile, load_study, make_plan
from harness.study.profile import ONE_THREAD_BLAS, resolve_profile
from tests.frameworks.engine import require_engine

pytestmark = [pytest.mark.containers, pytest.mark.slow]

VERSIONS = {"reference": "3.9.0", "openblas": "0.3.13", "atlas": "3.10.3", "blis": "0.8.0", "mkl": "2020.0.4"}
DESCRIBE = "import json, numpy; from frameworks.worker import blas; print(json.dumps(blas.describe_library({threads})))"


@pytest.fixture(autouse=True)
def engine() -> None:
    require_engine()


def described(framework_name: str, profile: Profile) -> dict[str, Any]:
    """What the worker's own code finds in the framework's image, under the variables that a trial has there."""
    import docker.types

    framework = load_frameworks()[framework_name]
    environment = ContainerEnvironment(framework)
    if environment.state().readiness is not Readiness.READY:
        environment.prepare(print)
    code = PROJECT_ROOT / "frameworks" / "worker"
    variables = worker_variables(framework, {"profile": profile.model_dump(mode="json")}, {"PYTHONPATH": "/dlgauge"})
    client = connect()
    try:
        output = client.containers.run(
            environment.tag,
            ["/usr/bin/python3", "-B", "-c", DESCRIBE.format(threads=profile.threads.intra_op)],
            environment=variables,
            mounts=[docker.types.Mount("/dlgauge/frameworks/worker", str(code), type="bind", read_only=True)],
            network_mode="none",
            cpuset_cpus=",".join(map(str, profile.cpus)),
            remove=True,
        )
    finally:
        client.close()
    found: dict[str, Any] = json.loads(output)
    return found


def profile_of(name: str, threads: int) -> Profile:
    file = load_profile(name)
    wanted = file.model_copy(update={"cpus": 2, "threads": file.threads.model_copy(update={"intra_op": threads})})
    return resolve_profile(wanted, (0, 1))


@pytest.mark.parametrize("framework", ["caffe", "theano", "torch@debian11"])
@pytest.mark.parametrize(
    ("name", "threads"), [(name, n) for name in VERSIONS for n in (1, 2) if n == 1 or name not in ONE_THREAD_BLAS]
)
def test_the_library_asked_for_is_mapped_and_uses_as_many_threads(framework: str, name: str, threads: int) -> None:
    found = described(framework, profile_of(name, threads))
    assert (found["name"], found["version"], found["threads"]) == (name, VERSIONS[name], threads)
    assert found["threads_told"] == (None if name in ONE_THREAD_BLAS else threads)
    assert (found["kernel"] is None) == (name == "reference")
    assert set(found["unknown"]) == {key for key in ("version", "kernel", "threads", "threads_told") if not found[key]}


@pytest.mark.parametrize("name", ONE_THREAD_BLAS)
def test_a_library_without_threads_uses_one_however_many_are_asked_for(name: str) -> None:
    assert described("caffe", profile_of(name, 2))["threads"] == 1


def test_another_library_than_asked_for_ends_the_trial_with_both_names(tmp_path: Path) -> None:
    """The user's own loader path leads to OpenBLAS."""
    elsewhere = {"LD_LIBRARY_PATH": load_frameworks()["caffe"].blas_folders["openblas"]}
    profile = {"profile": "wrong", "cpus": 1, "blas": "mkl", "environment": elsewhere}
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(profile))
    study = {
        "study": "wrong",
        "frameworks": ["caffe"],
        "workloads": ["lenet-mnist-subset"],
        "settings": ["caffe-mnist"],
        "profiles": ["./wrong.yaml"],
        "seeds": [1],
        "overrides": {"steps": 2, "evaluation.every_steps": 2},
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    plan, keeper = make_plan(load_study(tmp_path / "study.yaml")), StoreKeeper(tmp_path / "store")
    StudyRunner(load_frameworks(), keeper, PlainObserver()).run(plan)
    (record,) = Store(tmp_path / "store").records()
    assert record.termination == "profile_not_in_force"
    assert record.manifest["termination"]["reason"] == "blas: wanted mkl, found openblas"
    assert record.manifest["framework"]["library"]["name"] == "openblas"
