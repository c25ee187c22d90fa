"""A real study run on the fake framework, in the tests' own interpreter: everything is real but the framework."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import yaml

from harness.cli.progress import PlainObserver
from harness.cli.run import StoreKeeper
from harness.execution import EnvironmentState, Readiness, StudyResult, StudyRunner
from harness.execution.stopping import StopRequest
from harness.execution.trial_runner import Canary
from harness.execution.venvs import VenvEnvironment
from harness.records import Store
from harness.study import FrameworkDescription, load_frameworks, load_study, make_plan

FAKES = Path(__file__).parent.parent / "fakes" / "frameworks"


class HereEnvironment(VenvEnvironment):
    """The running interpreter as if it were the framework's venv."""

    @property
    def python(self) -> Path:
        return Path(sys.executable)

    def state(self) -> EnvironmentState:
        return EnvironmentState(Readiness.READY)

    def facts(self) -> dict[str, Any]:
        return {"kind": "venv", "environment_sha256": self.framework.environment_sha256}


def fake_frameworks() -> dict[str, FrameworkDescription]:
    """The fake framework beside the real ones."""
    return load_frameworks([FAKES])


def write_study(
    folder: Path,
    *,
    behaviour: str = "",
    seeds: int = 1,
    time_limit: str = "60 s",
    co_location: dict[str, Any] | None = None,
    **changes: Any,
) -> Path:
    """A small study on the fake framework; `changes` are overrides with `__` for dots."""
    (folder / "fast.yaml").write_text(
        yaml.safe_dump(
            {
                "profile": "fast",
                "cpus": 1,
                "threads": {"intra_op": 1, "inter_op": 1},
                "environment": {"FAKE_BEHAVIOUR": behaviour},
                **changes.pop("profile", {}),
            }
        )
    )
    path = folder / "fake.yaml"
    overrides = {"steps": 30, "evaluation.every_steps": 10, **{k.replace("__", "."): v for k, v in changes.items()}}
    path.write_text(
        yaml.safe_dump(
            {
                "study": "fake",
                "frameworks": ["fake"],
                "workloads": ["lenet-mnist-subset"],
                "settings": ["caffe-mnist"],
                "profiles": ["./fast.yaml"],
                "seeds": {"count": seeds},
                "overrides": overrides,
                "time_limit": time_limit,
                **({"co_location": co_location} if co_location else {}),
            }
        )
    )
    return path


def run_study(
    study: Path,
    store: Path,
    *,
    again: bool = False,
    environment: Any = HereEnvironment,
    stop: StopRequest | None = None,
    canary: Canary | None = None,
) -> StudyResult:
    """Run a study file on the fake framework into a store; without a canary, which would double the time of a test."""
    os.environ["DLGAUGE_FRAMEWORKS"] = str(FAKES)
    try:
        plan = make_plan(load_study(study))
        keeper, frameworks = StoreKeeper(store), load_frameworks()
    finally:
        del os.environ["DLGAUGE_FRAMEWORKS"]
    runner = StudyRunner(
        frameworks, keeper, PlainObserver(), again=again, stop=stop, environment_for=environment, canary=canary
    )
    return runner.run(plan)


def only_record(store: Path) -> Any:
    """The one latest record of a store."""
    (record,) = Store(store).records()
    return record


if __name__ == "__main__":
    from harness.cli.run import stop_on_signals

    with stop_on_signals() as request:
        outcome = run_study(Path(sys.argv[1]), Path(sys.argv[2]), stop=request)
    print(outcome.ran, outcome.cancelled)
