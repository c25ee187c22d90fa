"""What `verify` and `robustness` share: options of their trials, running them, and reading the rows back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from harness.execution import StudyResult
    from harness.study import Plan, Study

WORKLOAD = typer.Option(..., "--workload", help="Workload to train.")
SETTING = typer.Option("own", "--setting", help="Setting: a name, a file, or `own` for that of the workload's name.")
FRAMEWORK = typer.Option(..., "--framework", help="Framework to train on.")
PROFILE = typer.Option("local", "--profile", help="Hardware profile.")
SEEDS = typer.Option(3, "--seeds", min=1, help="Seeds 1 to N; more of them later go on where this stopped.")
STEPS = typer.Option(None, "--steps", min=2, help="Steps of each trial; default: the setting's.")
HOLD_OUT = typer.Option(None, "--hold-out", min=1, help="Hold so many training images out, the last ones, to judge by.")
SET = typer.Option([], "--set", help="KEY=VALUE: another hyper-parameter, as in `overrides` of a study; repeatable.")
STORE = typer.Option(None, "--store", help="Where the records go; default: DLGAUGE_STORE, else results.")
DATA = typer.Option(None, "--data", help="Folder of the published dataset files; default: DLGAUGE_DATA.")


@dataclass(frozen=True)
class Asked:
    """Where and how trials of a policy run."""

    workload: str
    setting: str
    framework: str
    profile: str
    seeds: int
    steps: int | None
    hold_out: int | None
    sets: Sequence[str]
    store: Path | None
    data: Path | None

    @property
    def store_path(self) -> Path:
        """The store."""
        from harness.paths import default_store

        return self.store or default_store()

    def overrides(self) -> dict[str, Any]:
        """The changes to the setting, as the key `overrides` of a study file has them."""
        import yaml

        from harness.errors import DlgaugeError

        found: dict[str, Any] = {}
        for text in self.sets:
            key, equals, value = text.partition("=")
            if not equals or not key.strip():
                raise DlgaugeError(f"--set {text!r} is not KEY=VALUE", hint="such as --set batch_size=100")
            try:
                found[key.strip()] = yaml.safe_load(value)
            except yaml.YAMLError:
                raise DlgaugeError(f"the value of --set {text!r} cannot be read") from None
        if self.steps is not None:
            found["steps"] = self.steps
        return found

    def study(
        self, purpose: str, title: str, policies: Sequence[Mapping[str, Any]], key: Any, *, judged: bool = True
    ) -> Study:
        """The study of these policies; errors before anything runs.

        Held-out images are evaluated at a divisor of the steps, so that the last step is and all runs are judged there.

        Args:
            judged: by the held-out images, if there are any; else they are evaluated as the setting says.
        """
        from harness.errors import DlgaugeError
        from harness.tuning.experiment import evaluation_period

        overrides = self.overrides()
        own_interval = not {"validation", "validation.every_steps"}.isdisjoint(overrides)
        if self.hold_out is not None and "validation" in overrides:
            raise DlgaugeError("--hold-out and --set validation exclude each other")
        if self.hold_out is not None:
            # How often waits for the number of steps, which setting and overrides decide together.
            overrides["validation"] = {"images": self.hold_out, "position": self._position(), "every_steps": 1}
        study = self._made(purpose, title, policies, key, overrides)
        if not judged:
            return study
        steps, validation = study.cells[0].setting.steps, study.cells[0].setting.validation
        assert steps is not None
        if validation is None or not validation.every_steps or own_interval:
            self._check_last(steps, validation.every_steps if validation else None)
            return study
        if self.hold_out is None and steps % validation.every_steps == 0:
            return study
        return self._made(
            purpose, title, policies, key, {**overrides, "validation.every_steps": evaluation_period(steps)}
        )

    def _position(self) -> str:
        """Where the setting holds its own validation images out; with others, this judges by other images than it."""
        from harness.workloads.settings import load_setting

        setting = load_setting(self.workload.split("@")[0] if self.setting == "own" else self.setting)
        return setting.validation.position if setting.validation else "last"

    @staticmethod
    def _check_last(steps: int, every_steps: int | None) -> None:
        from harness.errors import DlgaugeError

        if every_steps and steps % every_steps:
            what = (
                f"validation.every_steps {every_steps} does not divide the {steps} steps: the last would not be judged"
            )
            raise DlgaugeError(what, where="--set")

    def _made(
        self, purpose: str, title: str, policies: Sequence[Mapping[str, Any]], key: Any, overrides: Mapping[str, Any]
    ) -> Study:
        from harness.study.policy_study import PolicyStudy, make_policy_study

        asked = PolicyStudy(
            purpose=purpose,
            title=title,
            policies=policies,
            workload=self.workload,
            setting=self.setting,
            framework=self.framework,
            profile=self.profile,
            seeds=self.seeds,
            overrides=overrides,
        )
        return make_policy_study(asked, key)


def plan_of(study: Study) -> Plan:
    """The study's plan.

    Raises:
        DlgaugeError: the framework cannot run the workload or the profile.
    """
    from harness.errors import DlgaugeError
    from harness.study import make_plan

    plan = make_plan(study)
    if not plan.trials:
        why = plan.unsupported[0]
        raise DlgaugeError(f"{why.description} cannot run: {why.what}: {why.why}")
    return plan


def run_plan(plan: Plan, asked: Asked, *, quiet: bool) -> StudyResult:
    """Run what is open of a plan; a Ctrl-C keeps the record of the running trial.

    Args:
        quiet: progress goes to standard error, so that standard output is the answer alone.
    """
    import contextlib
    import sys

    from harness.cli.progress import make_observer
    from harness.cli.run import EXIT_CANCELLED, StoreKeeper, stop_on_signals
    from harness.errors import DataError
    from harness.execution import StudyRunner
    from harness.study import load_frameworks

    if asked.data is not None and not asked.data.is_dir():
        raise DataError(
            f"the data folder {str(asked.data)!r} does not exist", hint="name the folder of the published files"
        )
    keeper = StoreKeeper(asked.store_path)
    redirect = contextlib.redirect_stdout(sys.stderr) if quiet else contextlib.nullcontext()
    try:
        with redirect, stop_on_signals() as stop, make_observer() as observer:
            print(f"study {plan.study}: {len(plan.trials)} trials in {asked.store_path}", flush=True)
            runner = StudyRunner(load_frameworks(), keeper, observer, data_folder=asked.data, stop=stop)
            result = runner.run(plan)
    except KeyboardInterrupt:
        print("stopped before the first trial; the same command picks up here", file=sys.stderr)
        raise typer.Exit(EXIT_CANCELLED) from None
    for name, reason in result.left_out.items():
        print(f"left out: {name}: {reason}", file=sys.stderr)
    if result.cancelled:
        print("stopped; the same command picks up here", file=sys.stderr)
        raise typer.Exit(EXIT_CANCELLED)
    return result


def rows_by_policy(asked: Asked, plan: Plan) -> dict[str, list[dict[str, Any]]]:
    """The trials of the plan with a result, by `policy_json`; what else the study holds is of other conditions."""
    from harness.analysis.policies.database import PolicyDatabase
    from harness.analysis.policies.grouping import RESULTS
    from harness.records import Store

    if plan.study not in Store(asked.store_path).studies():
        return {}
    planned = {trial.id for trial in plan.trials}
    found: dict[str, list[dict[str, Any]]] = {}
    for row in PolicyDatabase(asked.store_path).select(studies=[plan.study], framework=asked.framework):
        if row["trial"] in planned and row["termination"] in RESULTS and not row["origin"]:
            found.setdefault(row["policy_json"], []).append(row)
    return found
