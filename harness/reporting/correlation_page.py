"""The page of a correlation: plain sentences, each with links to the rows of numbers that it rests on."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import harness
from harness.analysis.correlation.analysis import Correlation
from harness.reporting.correlation_figures import dependence_figure, heat_map
from harness.reporting.correlation_sentences import sentences
from harness.reporting.correlation_tables import tables
from harness.reporting.correlation_text import header_lines
from harness.reporting.files import write_text
from harness.reporting.page import TEMPLATES


def write_correlation_page(found: Sequence[Correlation], store: Path | str, path: Path) -> None:
    """Write the page of all these correlations.

    Raises:
        DlgaugeError: the file cannot be written.
    """
    write_text(path, render(found, store))


def render(found: Sequence[Correlation], store: Path | str) -> str:
    """The page as text; it needs nothing else, not even a network or JavaScript."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("correlation.html").render(
        version=harness.__version__,
        store=str(store),
        parts=[_part(number, one) for number, one in enumerate(found, 1)],
        style=(TEMPLATES / "report.css").read_text(encoding="utf-8"),
    )


def _part(number: int, one: Correlation) -> dict[str, Any]:
    # Rows of two correlations have equal ids: on a page each stands behind the number of its correlation.
    prefix = f"c{number}-"
    shown = tables(one)
    anchors = {row_id for table in shown for row_id, _ in table.rows}
    # The three coefficients of an outcome and a factor stand in one row, named by the first of them.
    return {
        "prefix": prefix,
        "title": f"{one.study}, {one.conditions}" if one.conditions else one.study,
        "facts": header_lines(one),
        "problems": one.problems,
        "sentences": [
            (heading, [(line.text, [row for row in line.rows if row in anchors], line.scope) for line in lines])
            for heading, lines in sentences(one)
        ],
        "tables": shown,
        "scopes": one.scopes,
        "heat_map": _image(heat_map(one)),
        "dependence": _image(dependence_figure(one)),
    }


def _image(svg: bytes | None) -> str | None:
    return None if svg is None else "data:image/svg+xml;base64," + base64.b64encode(svg).decode()
