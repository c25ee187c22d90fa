"""`dlgauge claims`: findings of papers held against records."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from harness.analysis.claims import Claim, Evaluation


class Format(StrEnum):
    """Forms of the verdicts."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"
    LATEX = "latex"


def claims(
    store: Path | None = typer.Argument(None, help="Folder of the records; default: $DLGAUGE_STORE, else results."),
    files: list[Path] = typer.Option(
        None, "--claims", "-c", help="A file of claims or a folder of such; default: those of both papers."
    ),
    claim: list[str] = typer.Option(None, "--claim", help="Only these claims, as SET/CLAIM or CLAIM."),
    study: list[str] = typer.Option(None, "--study", help="Only records of these studies; default: all of the store."),
    format_: Format = typer.Option(Format.TABLE, "--format", "-f", help="Form of the output."),
    output: Path | None = typer.Option(None, "--output", "-o", help="Write to this file instead of the terminal."),
) -> None:
    """Hold claims against records: supported, refuted, undecided (how many more blocks) or not comparable (why)."""
    from harness.analysis.claims import evaluate_claims, load_claims
    from harness.analysis.observations import observations
    from harness.paths import default_store

    chosen = choose(load_claims(files or None), claim or ())
    folder = store or default_store()
    found = evaluate_claims(chosen, observations(folder, study or None))
    text = _text(found, folder, format_)
    if output is None:
        typer.echo(text, nl=False)
        return
    from harness.reporting.files import write_text

    write_text(output, text)
    typer.echo(f"written: {output}", err=True)


def choose(every: tuple[Claim, ...], names: list[str] | tuple[str, ...]) -> tuple[Claim, ...]:
    """The claims of these names, all for none.

    Raises:
        DlgaugeError: a name that no claim has.
    """
    from harness.errors import DlgaugeError
    from harness.validation import nearest

    known = [one.name for one in every]
    for name in names:
        if not any(name in (one.name, one.entry.claim) for one in every):
            raise DlgaugeError(f"no claim {name!r}{nearest(name, known)}")
    return tuple(one for one in every if not names or one.name in names or one.entry.claim in names)


def _text(found: list[Evaluation], folder: Path, format_: Format) -> str:
    from harness.reporting import claims as reporting
    from harness.reporting import claims_data

    if format_ is Format.JSON:
        return claims_data.claims_json(found, folder)
    if format_ is Format.CSV:
        return claims_data.claims_csv(found)
    if format_ is Format.MARKDOWN:
        return reporting.claims_markdown(found, folder)
    if format_ is Format.LATEX:
        return reporting.claims_latex(found)
    return reporting.claims_text(found, folder)
