"""One trial through the harness, as the benchmarks need it: without a progress bar, in a store that is thrown away."""

from __future__ import annotations

from pathlib import Path

import yaml

from harness.cli.run import StoreKeeper
from harness.execution import make_environment
from harness.execution.trial_runner import run_trial
from harness.records import Record, publish
from harness.study import Trial, load_frameworks, load_study, make_plan
from harness.workloads import PreparedData


class Silent:
    """An observer that says nothing."""

    def on_event(self, event: object) -> None:
        """Nothing."""

    def on_step(self, step: object) -> None:
        """Nothing."""


def make_trial(framework: str, workload: str, setting: str, steps: int, folder: Path) -> Trial:
    """A trial of so many steps, evaluated once at the end.

    Args:
        workload: a name, or that of a file in the folder.
        folder: gets the study's file.
    """
    study = {
        "study": "benchmark",
        "frameworks": [framework],
        "workloads": [workload],
        "settings": [setting],
        "seeds": [1],
        "overrides": {"steps": steps, "evaluation.every_steps": steps},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    return make_plan(load_study(folder / "study.yaml")).trials[0]


def run_once(trial: Trial, data: PreparedData, folder: Path) -> Record:
    """The trial's record, in the store below the folder; the script ends where the trial does not complete."""
    environment = make_environment(load_frameworks()[trial.framework])
    keeper = StoreKeeper(folder / "store")
    record = publish(run_trial(trial, environment, data, keeper.new_folder(trial), Silent()), folder / "store")
    if record.termination != "completed":
        raise SystemExit(f"{trial.label}: {record.manifest['termination']}")
    return record


def figure(record: Record, key: str) -> float:
    """A figure of the record's summary; the script ends with the reason where it was not measured."""
    value = record.summary[key]
    if value is None:
        raise SystemExit(f"{record.label}: no {key}: {record.not_measured[key]}")
    return float(value)
