"""A figure as files: the picture with its trials inside, its numbers as CSV beside it, its caption."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import harness
from harness.errors import DlgaugeError
from harness.reporting.files import write_bytes, write_text
from harness.reporting.paper.model import Mark, PaperFigure
from harness.reporting.paper.style import MM_PER_INCH, settings
from harness.reporting.text import latex_escaped, one_line

SUFFIXES = (".pdf", ".svg", ".png")
DOTS_PER_INCH = 300
"""Of a PNG. Source: IEEE Author Center asks for 300 dots per inch or more of colour pictures."""

MOST_IDS = 1_000
"""Trial ids that a file's metadata hold; the CSV has all of them."""

CSV_FIELDS = (
    "figure",
    "panel",
    "series",
    "x_name",
    "x_unit",
    "x",
    "quantity",
    "unit",
    "value",
    "low_95",
    "high_95",
    "n",
    "disturbed_trials",
    "by_seed",
    "trials",
    "reason",
)


@dataclass(frozen=True)
class Written:
    """The files of a figure: picture, numbers, caption as text and as LaTeX; the picture's height."""

    picture: Path
    numbers: Path
    caption: Path
    caption_latex: Path
    height_mm: float


def check_path(path: Path) -> str:
    """The format that a file's suffix asks for: `pdf`, `svg` or `png`.

    Raises:
        DlgaugeError: another suffix.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DlgaugeError(
            f"a figure is written as {', '.join(SUFFIXES)}, not {path.suffix or 'a file without a suffix'!r}",
            where=str(path),
            hint="--output figure.pdf; a table: --format latex --output table.tex",
        )
    return suffix[1:]


def write_figure(figure: PaperFigure, path: Path, font: str | None = None) -> Written:
    """Write a figure with the files beside it; the same records give the same bytes.

    Args:
        figure: what to write.
        path: ends in `.pdf`, `.svg` or `.png`. Beside it: `.csv`, `.caption.txt`, `.caption.tex`.
        font: a font family; None for DejaVu Sans, which comes with Matplotlib.

    Raises:
        DlgaugeError: another suffix, an unknown font, a `SOURCE_DATE_EPOCH` that is no time, or a file that cannot be
            written.
    """
    form = check_path(path)
    content, height_mm = picture_of(figure, form, font)
    written = Written(
        picture=path,
        numbers=path.with_suffix(".csv"),
        caption=path.with_suffix(".caption.txt"),
        caption_latex=path.with_suffix(".caption.tex"),
        height_mm=height_mm,
    )
    write_bytes(path, content)
    write_text(written.numbers, numbers_csv(figure.name, figure.marks))
    write_text(written.caption, figure.caption + "\n")
    write_text(written.caption_latex, latex_escaped(figure.caption) + "\n")
    return written


def picture_of(figure: PaperFigure, form: str, font: str | None = None) -> tuple[bytes, float]:
    """The picture in one of the formats `pdf`, `svg`, `png`, and its height in millimetres."""
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context(settings(font)):
        drawn = figure.draw()
        drawn.savefig(buffer, format=form, dpi=DOTS_PER_INCH, metadata=metadata(figure, form))
    return buffer.getvalue(), float(drawn.get_figheight()) * MM_PER_INCH


def metadata(figure: PaperFigure, form: str) -> dict[str, Any]:
    """What a picture says of itself: title, caption, program, trials; a date only where `SOURCE_DATE_EPOCH` sets it."""
    ids = " ".join(figure.trials[:MOST_IDS])
    if len(figure.trials) > MOST_IDS:
        ids += f" and {len(figure.trials) - MOST_IDS} more, in the CSV file"
    program, caption, date = f"dlgauge {harness.__version__}", figure.caption, _date()
    if form == "pdf":
        return {
            "Title": one_line(figure.title),
            "Subject": caption,
            "Keywords": f"trials: {ids}",
            "Creator": program,
            "CreationDate": date,
        }
    if form == "svg":
        return {
            "Title": one_line(figure.title),
            "Description": caption,
            "Keywords": [f"trials: {ids}"],
            "Creator": program,
            "Date": None if date is None else date.isoformat(),
        }
    return {
        "Title": one_line(figure.title),
        "Description": caption,
        "Trials": ids,
        "Software": program,
        **({} if date is None else {"Creation Time": date.isoformat()}),
    }


def _date() -> datetime | None:
    """Source: reproducible-builds.org, the environment variable `SOURCE_DATE_EPOCH`, seconds since 1970."""
    text = os.environ.get("SOURCE_DATE_EPOCH")
    if not text:
        return None
    try:
        return datetime.fromtimestamp(int(text), UTC)
    except (ValueError, OverflowError, OSError):
        raise DlgaugeError(
            f"SOURCE_DATE_EPOCH is {text!r}, not a whole number of seconds since 1970", hint="unset SOURCE_DATE_EPOCH"
        ) from None


def numbers_csv(name: str, marks: Sequence[Mark]) -> str:
    """Every drawn number, unrounded, in the unit of the record, with the trials behind it (docs/figures.md)."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, CSV_FIELDS, lineterminator="\n")
    writer.writeheader()
    for mark in marks:
        writer.writerow(
            {
                "figure": name,
                "panel": mark.panel,
                "series": mark.series,
                "x_name": mark.x_name,
                "x_unit": mark.x_unit,
                "x": mark.x if isinstance(mark.x, str) else repr(mark.x),
                "quantity": mark.quantity,
                "unit": mark.unit,
                **{key: _number(getattr(mark, key)) for key in ("value", "low_95", "high_95")},
                "n": mark.n,
                "disturbed_trials": mark.disturbed,
                "by_seed": json.dumps({str(seed): value for seed, value in mark.by_seed.items()})
                if mark.by_seed
                else "",
                "trials": " ".join(mark.trials),
                "reason": mark.reason,
            }
        )
    return buffer.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None else repr(float(value))
