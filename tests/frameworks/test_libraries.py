"""The library axis of frameworks in venvs: each trial computes with the library asked for, and all the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from harness.cli.progress import PlainObserver
from harness.cli.run import StoreKeeper
from harness.execution import StudyRunner
from harness.records import Store
from harness.study import load_frameworks, load_study, make_plan

pytestmark = pytest.mark.slow

AXIS = {("tensorflow", name) for name in ("eigen", "onednn", "xla")} | {("torch", name) for name in ("onednn", "mkl")}
STEPS = 5


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str], Any]]:
    """Some steps of LeNet on every library that TensorFlow and Torch can be switched to."""
    folder = tmp_path_factory.mktemp("libraries")
    study = {
        "study": "libraries",
        "frameworks": ["tensorflow", "torch"],
        "workloads": ["lenet-mnist-subset"],
        "settings": ["caffe-mnist"],
        "profiles": ["eigen", "onednn", "xla", "mkl"],
        "seeds": [1],
        "overrides": {"cpus": 1, "steps": STEPS, "evaluation.every_steps": STEPS},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    plan = make_plan(load_study(folder / "study.yaml"))
    StudyRunner(load_frameworks(), StoreKeeper(folder / "store"), PlainObserver()).run(plan)
    yield {
        (record.specification["framework"]["name"], record.specification["profile"]["blas"]): record
        for record in Store(folder / "store").records()
    }


def test_every_library_is_in_force(records: dict[tuple[str, str], Any]) -> None:
    assert set(records) == AXIS
    for (_, name), record in records.items():
        assert record.termination == "completed", record.manifest["termination"]["reason"]
        assert record.manifest["framework"]["library"]["name"] == name
        assert {"key": "blas", "wanted": name, "found": name} in record.manifest["profile_in_force"]


def test_what_ran_shows_in_the_kernel(records: dict[tuple[str, str], Any]) -> None:
    kernels = {key: record.manifest["framework"]["library"]["kernel"] for key, record in records.items()}
    assert kernels["tensorflow", "eigen"] == "Conv2D"
    assert kernels["tensorflow", "onednn"].startswith("_Mkl")
    assert kernels["torch", "onednn"] and kernels["torch", "mkl"] is None


def test_threads_are_those_asked_for(records: dict[tuple[str, str], Any]) -> None:
    for record in records.values():
        assert record.manifest["framework"]["threads"] == {"intra_op": 1, "inter_op": 1}


def test_all_compute_the_same_losses(records: dict[tuple[str, str], Any]) -> None:
    losses = {key: record.table("steps").column("loss").to_pylist() for key, record in records.items()}
    for found in losses.values():
        assert len(found) == STEPS
        assert found == pytest.approx(losses["torch", "mkl"], rel=1e-4)
