"""`dlgauge capacity ask`: questions from a file."""

from __future__ import annotations

from pathlib import Path

import typer

from harness.cli.capacity import options
from harness.cli.capacity.options import FORMAT, OUTPUT, STORE, STUDY, Format


def ask(
    file: Path = typer.Argument(..., help="YAML file of questions (docs/analysis-capacity.md)."),
    store: Path | None = STORE,
    study: list[str] | None = STUDY,
    format_: Format = FORMAT,
    output: Path | None = OUTPUT,
) -> None:
    """Answer the questions of a file: fit, size, pack, fleet."""
    from harness.analysis.capacity.asking import answers, load_questions

    questions, document = load_questions(file)
    folder, fitted = options.fitted_models(store, study or questions.studies)
    options.write_answers(answers(fitted, questions, document), folder, format_, output)
