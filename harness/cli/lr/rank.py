"""`dlgauge lr rank`: policies in order, by what they achieved."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from harness.analysis.policies.entries import Ranking


class Format(StrEnum):
    """Forms of a ranking."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"
    LATEX = "latex"


def rank(
    studies: list[str] = typer.Argument(None, help="Only these studies; default: every study of the store."),
    store: Path = typer.Option(None, "--store", help="Folder of the records; default: DLGAUGE_STORE, else results."),
    by: str = typer.Option(
        "accuracy", "--by", help="accuracy, cost, robustness, confidence, or weights: 'accuracy=0.6,cost=0.4'."
    ),
    threshold: float = typer.Option(None, "--threshold", help="Test accuracy in percent whose cost is asked for."),
    cost: str = typer.Option("steps", "--cost", help="Cost in steps, seconds, cpu_seconds or joules."),
    measure: str = typer.Option(
        "final", "--measure", help="Accuracy: final or best of the test images, or validation."
    ),
    dataset: str = typer.Option(None, "--dataset", help="Only this dataset."),
    network: str = typer.Option(None, "--network", help="Only this network."),
    framework: str = typer.Option(None, "--framework", help="Only this framework."),
    format_: Format = typer.Option(Format.TABLE, "--format", "-f", help="Form of the output."),
    as_json: bool = typer.Option(False, "--json", help="The same as --format json."),
    plot: Path = typer.Option(None, "--plot", help="Draw the rankings into this .png, .svg or .pdf file."),
    output: Path = typer.Option(None, "--output", "-o", help="Write to this file instead of the terminal."),
) -> None:
    """Rank learning-rate policies for each dataset, network and framework, and over all frameworks together."""
    from harness.analysis.policies.criteria import Settings, criterion, parse_by
    from harness.analysis.policies.database import PolicyDatabase
    from harness.errors import DlgaugeError
    from harness.paths import default_store
    from harness.reporting.files import write_text

    weights = parse_by(by)
    settings = Settings(measure=measure, threshold_percent=threshold, cost_unit=cost)
    folder = store or default_store()
    names: dict[str, str | None] = {"dataset": dataset, "network": network, "framework": framework}
    rows = PolicyDatabase(folder).select(studies=studies or (), **names)
    if not rows:
        raise DlgaugeError("no trial to rank", where=str(folder), hint=_hint(names))
    if "cost" in weights and threshold is None:
        raise DlgaugeError("a ranking by cost takes a threshold of accuracy", hint=_threshold_hint(rows))
    for name in weights:
        criterion(name, settings)
    rankings, notes = make_rankings(rows, weights, settings)
    if not rankings:
        raise DlgaugeError(
            "no trial completed or diverged", where=str(folder), hint="`dlgauge compare` says how they ended"
        )
    text = _text(rankings, notes, Format.JSON if as_json else format_)
    if plot is not None:
        from harness.reporting.policy_figures import write_ranking_figure

        write_ranking_figure(rankings, plot)
        typer.echo(f"written: {plot}", err=True)
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_text(output, text)
        typer.echo(f"written: {output}", err=True)


def make_rankings(rows: list[dict[str, Any]], weights: Any, settings: Any) -> tuple[list[Ranking], list[str]]:
    """The rankings of each framework, then those over several, and what a reader must know."""
    from harness.analysis.policies.grouping import group_rows, notes_on
    from harness.analysis.policies.ranking import rank as make

    in_time = settings.cost_unit != "steps"
    groups = group_rows(rows, by_machine=in_time)
    pooled = [] if in_time and "cost" in weights else group_rows(rows, pooled=True)
    notes = notes_on(groups, rows)
    if in_time and "cost" in weights and len({row["framework"] for row in rows}) > 1:
        notes.append(f"{settings.cost_unit} of different frameworks are not pooled; steps (--cost steps) are")
    rankings = [make(group, weights, settings) for group in [*groups, *pooled]]
    return [one for one in rankings if one.entries], notes


def _text(rankings: list[Ranking], notes: list[str], format_: Format) -> str:
    from harness.reporting import policies

    if format_ is Format.JSON:
        return policies.ranking_json(rankings, notes)
    if format_ is Format.CSV:
        return policies.ranking_csv(rankings)
    if format_ is Format.MARKDOWN:
        return policies.ranking_markdown(rankings, notes)
    if format_ is Format.LATEX:
        return policies.ranking_latex(rankings, notes)
    return policies.ranking_text(rankings, notes)


def _hint(names: dict[str, str | None]) -> str:
    chosen = ", ".join(f"--{key} {value}" for key, value in names.items() if value)
    return f"nothing fits {chosen}" if chosen else "run a study into the store first: dlgauge run STUDY --store DIR"


def _threshold_hint(rows: list[dict[str, Any]]) -> str:
    import statistics

    completed = [row for row in rows if row["termination"] == "completed"]
    reached = [row["best_top1_percent"] for row in completed if row["best_top1_percent"] is not None]
    if not reached:
        return "such as --threshold 98.5"
    return f"half of the completed trials reach --threshold {statistics.median(reached):.4g}"
