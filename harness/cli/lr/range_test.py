"""`dlgauge lr range-test`: which constant rates serve, found by short runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cli.lr import experiment as shared

if TYPE_CHECKING:
    from harness.study import Plan
    from harness.tuning.range_test import UsableRange

MOST_POINTS = 1000


def range_test(
    workload: str = shared.WORKLOAD,
    setting: str = shared.SETTING,
    frameworks: list[str] = shared.FRAMEWORK,
    lowest: float = typer.Option(1e-4, "--from", help="Lowest rate of the grid."),
    highest: float = typer.Option(1.0, "--to", help="Highest rate of the grid."),
    points: int = typer.Option(13, "--points", help="Rates of the grid, with equal ratios."),
    steps: int = typer.Option(100, "--steps", help="Training steps of each run."),
    tolerance: float = typer.Option(0.1, "--tolerance", help="Share of the best gain that a usable rate may lack."),
    profile: str = shared.PROFILE,
    seeds: int = shared.SEEDS,
    hold_out: int | None = shared.HOLD_OUT,
    store: Path | None = shared.STORE,
    data: Path | None = shared.DATA,
    study: str | None = shared.STUDY,
    time_limit_s: float = shared.TIME_LIMIT_S,
    out: Path | None = typer.Option(None, "--out", "-o", help="Draw the curves: .png, .svg, .pdf or .html."),
    as_json: bool = shared.JSON,
) -> None:
    """Train shortly at each of a grid of constant rates, and say which are usable and which k0 and k1 they suggest.

    Every run is a record; the same command goes on where it was stopped. A run that diverges is a result.
    """
    from harness.reporting.rate_figures import check_suffix
    from harness.study import make_plan
    from harness.tuning.experiment import study_and_validation
    from harness.tuning.range_test import rate_grid

    asked = shared.Asked(workload, setting, frameworks, profile, seeds, hold_out, store, data, time_limit_s)
    wrong = _grid_problems(lowest, highest, points, tolerance)
    if out is not None:
        check_suffix(out)
    asked.check_data()
    rates = () if wrong else rate_grid(lowest, highest, points)
    what = asked.experiment(study, "lr-range", f"range test of {workload}", steps)
    policies = [{"policy": "FIX", "k0": rate} for rate in rates]
    made, held_out = study_and_validation(what, policies, evaluate_once=True, also=wrong)
    plan = make_plan(made)
    cancelled, left_out = _run(plan, asked, held_out.sentence, quiet=as_json)
    classes = made.cells[0].workload.dataset.classes
    names = [name for name in asked.names() if name not in left_out]
    ranges = _judge(plan, names, rates, asked, classes, tolerance)
    if out is not None and ranges:
        from harness.reporting.range_figures import write_range_figure

        title = f"range test: {workload}, setting {made.cells[0].setting.name}, {steps} steps, {seeds} seed(s)"
        write_range_figure(ranges, out, title)
    _report(plan, ranges, asked, held_out.sentence, left_out, out, tolerance, as_json=as_json)
    if cancelled:
        raise typer.Exit(shared.EXIT_CANCELLED)
    if not ranges:
        raise typer.Exit(1)


def _grid_problems(lowest: float, highest: float, points: int, tolerance: float) -> list[tuple[str, str]]:
    problems = []
    if not 0 < lowest < float("inf"):
        problems.append(("--from", f"{lowest:g} should be greater than 0: rates on a log grid are"))
    if not lowest < highest < float("inf"):
        problems.append(("--to", f"{highest:g} should be greater than --from {lowest:g}"))
    if not 2 <= points <= MOST_POINTS:
        problems.append(("--points", f"{points} should be 2 to {MOST_POINTS}"))
    if not 0 <= tolerance < 1:
        problems.append(("--tolerance", f"{tolerance:g} should be a share, at least 0 and below 1"))
    return problems


def _run(plan: Plan, asked: shared.Asked, sentence: str, *, quiet: bool) -> tuple[bool, dict[str, str]]:
    """Run what is open of the plan; whether it was stopped, and the frameworks that cannot run here."""
    from harness.execution import StudyRunner
    from harness.study import load_frameworks

    with shared.running(asked.store_path, quiet=quiet) as (keeper, stop, observer):
        print(f"study {plan.study}: {len(plan.trials)} runs; {sentence}", flush=True)
        runner = StudyRunner(load_frameworks(), keeper, observer, data_folder=asked.data, stop=stop)
        try:
            result = runner.run(plan)
        except KeyboardInterrupt:
            return True, {}
        if result.skipped:
            print(f"{result.skipped} runs had records already")
        return result.cancelled, result.left_out


def _judge(
    plan: Plan, names: list[str], rates: tuple[float, ...], asked: shared.Asked, classes: int, tolerance: float
) -> list[UsableRange]:
    from harness.records import Store
    from harness.tuning.outcomes import outcomes_of
    from harness.tuning.range_test import judge

    found = outcomes_of(Store(asked.store_path), plan.study, (trial.id for trial in plan.trials))
    ranges = []
    for name in names:
        own = [one for one in found.values() if one.framework == name]
        if own:
            ranges.append(judge(name, rates, own, seeds=asked.seeds, classes=classes, tolerance=tolerance))
    return ranges


def _report(
    plan: Plan,
    ranges: list[UsableRange],
    asked: shared.Asked,
    sentence: str,
    left_out: dict[str, str],
    out: Path | None,
    tolerance: float,
    *,
    as_json: bool,
) -> None:
    from harness.reporting import range_text

    folder = asked.store_path / plan.study
    if as_json:
        import json

        value = {
            "study": plan.study,
            "workload": asked.workload,
            "store": str(asked.store_path),
            "validation": sentence,
            "frameworks": [range_text.range_as_dict(one) for one in ranges],
            "left_out": left_out,
            "figure": None if out is None else str(out),
        }
        print(json.dumps(value, indent=2, ensure_ascii=False))
        return
    for one in ranges:
        print()
        print(range_text.range_text(one, folder))
    print()
    print(range_text.RULE.format(share=100 * (1 - tolerance)))
    for name, reason in left_out.items():
        print(f"left out: {name}: {reason}")
    if out is not None and ranges:
        print(f"figure: {out}")
    for command in range_text.next_commands(ranges, asked.words()):
        print(f"next: {command}")
