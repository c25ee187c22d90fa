"""One adapter in two environments: `torch` of today and `torch@debian11`, on the same images, weights and rates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from harness.cli.progress import PlainObserver
from harness.cli.run import StoreKeeper
from harness.execution import Readiness, StudyRunner, make_environment
from harness.records import Store
from harness.study import load_frameworks, load_study, make_plan
from tests.requirements import require

pytestmark = [pytest.mark.slow, pytest.mark.containers]

NOW, THEN = "torch", "torch@debian11"


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Some steps of LeNet in both."""
    frameworks = load_frameworks()
    for name in (NOW, THEN):
        state = make_environment(frameworks[name]).state()
        require("containers", state.readiness is Readiness.READY, f"{name}: {state.reason}; {state.hint}")
    folder = tmp_path_factory.mktemp("versions")
    study = {
        "study": "versions",
        "frameworks": [NOW, THEN],
        "workloads": ["lenet-mnist-subset"],
        "settings": ["caffe-mnist"],
        "seeds": [1],
        "overrides": {"steps": 20, "evaluation.every_steps": 20},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    StudyRunner(frameworks, StoreKeeper(folder / "store"), PlainObserver()).run(
        make_plan(load_study(folder / "study.yaml"))
    )
    yield {record.specification["framework"]["name"]: record for record in Store(folder / "store").records()}


def test_the_same_code_ran_in_both_environments(records: dict[str, Any]) -> None:
    assert {name: record.termination for name, record in records.items()} == {NOW: "completed", THEN: "completed"}
    now, then = records[NOW].manifest, records[THEN].manifest
    assert now["environment"]["code_sha256"] == then["environment"]["code_sha256"]
    assert (now["environment"]["kind"], then["environment"]["kind"]) == ("venv", "container")
    assert then["framework"]["version"] == "1.7.1"
    assert then["framework"]["python"].startswith("3.9")
    assert now["framework"]["version"].startswith(records[NOW].specification["framework"]["version"])


def test_both_compute_the_same_losses(records: dict[str, Any]) -> None:
    now, then = (records[name].table("steps").column("loss").to_pylist() for name in (NOW, THEN))
    assert len(now) == 20
    assert then == pytest.approx(now, rel=1e-4)
