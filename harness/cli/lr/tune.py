"""`dlgauge lr tune`: search for good learning-rate policies."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from harness.cli.lr import experiment as shared

if TYPE_CHECKING:
    from harness.study import Study
    from harness.tuning.experiment import HeldOut
    from harness.tuning.results import Ranking
    from harness.tuning.search import Search
    from harness.tuning.space import Space
    from harness.tuning.tuner import TuneResult


class Sampler(StrEnum):
    """How candidates are chosen."""

    GRID = "grid"
    RANDOM = "random"
    TPE = "tpe"


def tune(
    workload: str = shared.WORKLOAD,
    setting: str = shared.SETTING,
    frameworks: list[str] = shared.FRAMEWORK,
    policies: str | None = typer.Option(
        None, "--policies", help="Functions, such as TRI,SINEXP, or `all`; default: the 13 of the paper's table."
    ),
    space: Path | None = typer.Option(None, "--space", help="A space file (YAML) with ranges of your own."),
    lowest: float | None = typer.Option(None, "--from", help="Lowest rate of the default ranges; see lr range-test."),
    highest: float | None = typer.Option(None, "--to", help="Highest rate of the default ranges."),
    sampler: Sampler = typer.Option(Sampler.TPE, "--sampler", help="How candidates are chosen."),
    trials: int | None = typer.Option(None, "--trials", help="Policies to try on each framework."),
    minutes: float | None = typer.Option(
        None, "--minutes", help="Time for this run; none is begun that would not end."
    ),
    steps: int | None = typer.Option(None, "--steps", help="Training steps of each run; default: the setting's."),
    prune: bool = typer.Option(True, "--prune/--no-prune", help="End runs below the median of the others."),
    sampler_seed: int = typer.Option(1, "--sampler-seed", min=0, help="Another seed looks elsewhere."),
    profile: str = shared.PROFILE,
    seeds: int = shared.SEEDS,
    hold_out: int | None = shared.HOLD_OUT,
    store: Path | None = shared.STORE,
    data: Path | None = shared.DATA,
    study: str | None = shared.STUDY,
    time_limit_s: float = shared.TIME_LIMIT_S,
    as_json: bool = shared.JSON,
) -> None:
    """Search policies and their parameters by accuracy on held-out training images; never by the test images.

    Every run is a record; the same command goes on where it was stopped, a larger budget goes on further.
    """
    from harness.tuning.experiment import study_and_validation

    asked = shared.Asked(workload, setting, frameworks, profile, seeds, hold_out, store, data, time_limit_s)
    wrong = [*_budget_problems(sampler, trials, minutes), *_space_problems(policies, space, lowest, highest)]
    asked.check_data()
    what = asked.experiment(study, "lr-tune", f"learning-rate policies for {workload}", steps)
    made, held_out = study_and_validation(what, also=wrong)
    looked = _space(made, policies, space, lowest, highest)
    options = {"sampler": str(sampler), "sampler_seed": sampler_seed, "prune": prune}
    result, rankings = _run(asked, made, held_out, looked, options, trials, minutes, quiet=as_json)
    _report(asked, made, held_out, result, rankings, as_json=as_json)
    if result.cancelled:
        raise typer.Exit(shared.EXIT_CANCELLED)
    if not any(ranking.best for ranking in rankings):
        raise typer.Exit(1)


def _budget_problems(sampler: Sampler, trials: int | None, minutes: float | None) -> list[tuple[str, str]]:
    problems = []
    if trials is None and minutes is None and sampler is not Sampler.GRID:
        problems.append(("--trials", f"or --minutes is needed: a {sampler} search has no end of its own"))
    if trials is not None and trials < 1:
        problems.append(("--trials", f"{trials} should be at least 1"))
    if minutes is not None and not 0 < minutes < float("inf"):
        problems.append(("--minutes", f"{minutes:g} should be greater than 0"))
    return problems


def _space_problems(
    policies: str | None, space: Path | None, lowest: float | None, highest: float | None
) -> list[tuple[str, str]]:
    from harness.tuning.space import unknown_functions

    problems = unknown_functions(_names(policies))
    if policies is not None and not _names(policies):
        problems.append(("--policies", "no function is named"))
    if policies is not None and space is not None:
        problems.append(("--policies", "and --space exclude each other: the file names the functions"))
    for option, rate in (("--from", lowest), ("--to", highest)):
        if rate is not None and not 0 < rate < float("inf"):
            problems.append((option, f"{rate:g} should be greater than 0: it is a learning rate"))
    if lowest is not None and highest is not None and 0 < highest <= lowest:
        problems.append(("--to", f"{highest:g} should be greater than --from {lowest:g}"))
    return problems


def _names(policies: str | None) -> list[str]:
    """Names of functions in `--policies`; none for the default."""
    from harness.schedules import FUNCTIONS

    names = [name.strip() for name in (policies or "").split(",") if name.strip()]
    return list(FUNCTIONS) if names == ["all"] else names


def _space(
    study: Study, policies: str | None, space: Path | None, lowest: float | None, highest: float | None
) -> Space:
    """Where to look; bounds of rates that are not given are a tenth and ten times the setting's own highest rate."""
    from harness.errors import DlgaugeError
    from harness.tuning.defaults import Run
    from harness.tuning.space import load_space, space_of_names

    setting = study.cells[0].setting
    assert setting.steps is not None
    bounds = [lowest, highest]
    if lowest is None or highest is None:
        try:
            own = float(setting.learning_rate.trace(setting.steps).max())
        except DlgaugeError as error:  # a plateau rule: its rates depend on the training
            raise DlgaugeError(
                f"the setting's own policy says no rates: {error.what}", hint="give --from and --to"
            ) from None
        bounds = [own / 10 if lowest is None else lowest, own * 10 if highest is None else highest]
    if bounds[1] <= bounds[0]:  # type: ignore[operator]
        what = f"the rates would go from {bounds[0]:g} to {bounds[1]:g}"
        raise DlgaugeError(what, hint="give both --from and --to")
    run = Run(setting.steps, float(bounds[0]), float(bounds[1]))  # type: ignore[arg-type]
    if space is not None:
        return load_space(space, run)
    return space_of_names(_names(policies), run)


def _run(
    asked: shared.Asked,
    study: Study,
    held_out: HeldOut,
    space: Space,
    options: dict[str, Any],
    trials: int | None,
    minutes: float | None,
    *,
    quiet: bool,
) -> tuple[TuneResult, list[Ranking]]:
    from harness.execution import StudyRunner
    from harness.execution.stopping import StopRequest
    from harness.records import Store
    from harness.study import load_frameworks
    from harness.tuning.tuner import Budget, Tuner, TuneResult, Watch

    searches = _searches(asked, study, space, options)
    with shared.running(asked.store_path, quiet=quiet) as (keeper, stop, observer):
        print(f"study {study.name}: {_looked(space)}; {held_out.sentence}", flush=True)
        watch, trial_stop = Watch(observer), StopRequest(outer=stop)
        runner = StudyRunner(load_frameworks(), keeper, watch, data_folder=asked.data, stop=trial_stop)
        store = Store(asked.store_path)
        tuner = Tuner(study, searches, runner, watch, trial_stop, stop, store)
        try:
            result = tuner.run(Budget(trials, None if minutes is None else 60 * minutes))
        except KeyboardInterrupt:
            result = TuneResult(cancelled=True, ended_by="stopped by the user")
    return result, _rankings(store, study, searches)


def _searches(asked: shared.Asked, study: Study, space: Space, options: dict[str, Any]) -> dict[str, Search]:
    """One search a framework, in one journal beside the study's records."""
    from harness.records import Store
    from harness.records.running import RUNNING_FOLDER
    from harness.tuning.search import JOURNAL_FILE, Search

    Store(asked.store_path, create=True)
    (asked.store_path / RUNNING_FOLDER).mkdir(exist_ok=True)  # with it a store without records is known as one
    journal = asked.store_path / study.name / JOURNAL_FILE
    cells = {cell.framework.name: cell for cell in study.cells}
    found = {}
    for name, cell in cells.items():
        setting = cell.setting.model_dump(mode="json")
        setting.pop("learning_rate")
        description = {
            "workload": cell.workload.model_dump(mode="json"),
            "setting": setting,
            "profile": cell.profile.model_dump(mode="json"),
            "seeds": list(study.seeds),
            "space": space.as_dict(),
            **options,
        }
        found[name] = Search(
            journal,
            f"{study.name}/{name}",
            space,
            options["sampler"],
            description,
            steps=cell.setting.steps or 1,
            seed=options["sampler_seed"],
            pruning=options["prune"],
        )
    return found


def _looked(space: Space) -> str:
    names = list(space.functions)
    return f"{len(names)} function{'s' * (len(names) != 1)} ({', '.join(names)})"


def _rankings(store: Any, study: Study, searches: dict[str, Search]) -> list[Ranking]:
    from harness.tuning.outcomes import outcomes_of
    from harness.tuning.results import rank

    findings = {name: search.findings() for name, search in searches.items()}
    trials = {trial for found in findings.values() for one in found for trial in one.trials}
    outcomes = outcomes_of(store, study.name, trials)
    return [rank(name, found, outcomes) for name, found in findings.items()]


def _report(
    asked: shared.Asked,
    study: Study,
    held_out: HeldOut,
    result: TuneResult,
    rankings: list[Ranking],
    *,
    as_json: bool,
) -> None:
    from harness.reporting.tune_text import ranking_text
    from harness.tuning.results import row_as_dict

    folder, commands = asked.store_path / study.name, _next(asked, study, held_out, rankings)
    if as_json:
        import json

        value = {
            "study": study.name,
            "workload": asked.workload,
            "store": str(asked.store_path),
            "validation": held_out.sentence,
            "ended_by": result.ended_by,
            "given_up": result.given_up,
            "frameworks": [
                {
                    "framework": one.framework,
                    "margin_points": None if one.margin is None else 100 * one.margin,
                    "candidates": [row_as_dict(row) for row in one.rows],
                }
                for one in rankings
            ],
            "next": commands,
        }
        print(json.dumps(value, indent=2, ensure_ascii=False))
        return
    for one in rankings:
        print()
        print(ranking_text(one, folder))
    print()
    print(f"ended: {result.ended_by}; {held_out.sentence}")
    for name, reason in result.given_up.items():
        print(f"given up: {name}: {reason}")
    for command in commands:
        print(f"next: {command}")


def _next(asked: shared.Asked, study: Study, held_out: HeldOut, rankings: list[Ranking]) -> list[str]:
    """Repeat the best with other seeds beside its neighbours; rank all that the study holds."""
    found = []
    where = [] if asked.store is None else ["--store", str(asked.store)]
    for one in rankings:
        if one.best:
            verify = shlex.join(["dlgauge", "lr", "verify", one.best.policy, "--workload"])
            more = ["--steps", str(study.cells[0].setting.steps), "--hold-out", str(held_out.images)]
            found.append(f"{verify} {asked.words(framework=one.framework)} {shlex.join(more)}")
    if found:
        found.append(shlex.join(["dlgauge", "lr", "rank", study.name, "--measure", "validation", *where]))
    return found
