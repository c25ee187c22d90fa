"""The tables of a correlation, the one form that text, Markdown, LaTeX and the page share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from harness.analysis.correlation.analysis import Correlation
from harness.analysis.correlation.associations import KENDALL, PARTIAL, SPEARMAN, Association
from harness.analysis.correlation.mixed import Model
from harness.analysis.correlation.outcomes import outcome_title, outcome_unit, shown_scale
from harness.reporting.correlation_numbers import percent, short_interval, show_p, significant
from harness.reporting.grid import Grid, GridCell
from harness.reporting.numbers import NOT_AVAILABLE

MARK = "*"
KIND_TITLES = {SPEARMAN: "Spearman", KENDALL: "Kendall tau-b", PARTIAL: "partial"}


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        name: short, for anchors.
        title: heading.
        note: what a reader must know of its numbers.
        headers: one a column.
        rows: (id of the row of numbers, texts).
        numeric: whether a column holds numbers.
    """

    name: str
    title: str
    note: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    numeric: tuple[bool, ...]

    @property
    def grid(self) -> Grid:
        """As the tables of a comparison are held."""
        cells = tuple(tuple(GridCell(text, text) for text in texts) for _, texts in self.rows)
        return Grid(self.headers, ((),) * len(self.headers), cells, self.numeric)


def tables(found: Correlation) -> list[Table]:
    """All tables that have a row."""
    makers: tuple[Callable[[Correlation], Table], ...] = (
        association_table,
        effect_table,
        slope_table,
        interaction_table,
        share_table,
        knee_table,
        lag_table,
    )
    return [table for table in (maker(found) for maker in makers) if table.rows]


def association_table(found: Correlation) -> Table:
    """One row a scope, outcome and factor: the three coefficients side by side."""
    grouped: dict[tuple[str, str, str], dict[str, Association]] = {}
    for one in found.associations:
        grouped.setdefault((one.scope, one.outcome, one.factor), {})[one.kind] = one
    rows = []
    for (scope, outcome, factor), kinds in grouped.items():
        first = kinds[SPEARMAN]
        texts = [
            _marked(short_interval(kinds[k].value, kinds[k].low, kinds[k].high), kinds[k].found) for k in KIND_TITLES
        ]
        reasons = dict.fromkeys(one.reason for one in kinds.values() if one.reason)
        q = show_p(first.q)
        rows.append(
            (
                first.id,
                (
                    scope,
                    outcome_title(outcome),
                    factor,
                    *texts,
                    q,
                    str(first.trials),
                    str(first.blocks),
                    "; ".join(reasons),
                ),
            )
        )
    headers = ("scope", "outcome", "factor", *KIND_TITLES.values(), "q of Spearman", "trials", "blocks", "remark")
    note = (
        "Rank correlation of outcome and factor, blocks taken out; brackets: 95 % interval, jackknife over "
        "blocks. Partial: all "
        f"other factors held constant. q: Benjamini and Hochberg over all rows of a kind; {MARK}: q at most 0.05."
    )
    return Table("associations", "Correlations", note, headers, tuple(rows), _numeric(headers, 3, 9))


def effect_table(found: Correlation) -> Table:
    """One row an effect."""
    rows = []
    for one in found.effects:
        scale = shown_scale(one.outcome)
        difference = short_interval(one.difference, one.difference_low, one.difference_high, scale)
        ratio = short_interval(one.ratio, one.ratio_low, one.ratio_high)
        rows.append(
            (
                one.id,
                (
                    *(
                        one.scope,
                        outcome_title(one.outcome),
                        one.factor,
                        one.change,
                        difference,
                        _marked(ratio, one.found),
                    ),
                    *(show_p(one.q), str(one.trials), str(one.blocks), one.reason or ""),
                ),
            )
        )
    headers = ("scope", "outcome", "factor", "change", "difference", "ratio", "q", "trials", "blocks", "remark")
    note = (
        "Change of the outcome with one change of the factor, all other factors held constant: mean over blocks, "
        "each for itself, "
        f"with its 95 % t interval; the ratio is a geometric mean. {MARK}: q at most 0.05 (Benjamini and Hochberg "
        "over all rows)."
    )
    return Table("effects", "Effects", note, headers, tuple(rows), _numeric(headers, 4, 9))


def slope_table(found: Correlation) -> Table:
    """One row a slope of a model."""
    rows = []
    for model in found.models:
        for one in model.slopes:
            value = short_interval(*_shown_slope(model, one.value, one.low, one.high))
            what = "log" if model.logarithmic else (outcome_unit(model.outcome) or "1")
            rows.append(
                (
                    one.id,
                    (
                        *(outcome_title(model.outcome), one.framework, one.factor, one.change, value, what),
                        *(show_p(one.p), model.fallback or model.method or "", one.reason or ""),
                    ),
                )
            )
        if not model.slopes:
            rows.append((model.id, (outcome_title(model.outcome), *("",) * 6, "no model", model.reason or "")))
    headers = ("outcome", "framework", "factor", "change", "slope", "of", "p", "fit", "remark")
    note = (
        "Mixed-effects model: each framework its own intercept and slopes, a random intercept of the block. A "
        "slope of log is a "
        "natural logarithm: 0.1 is a factor of exp(0.1). Column fit: the mixed model, or why fixed effects of "
        "the blocks stand for it."
    )
    return Table("slopes", "Mixed-effects model", note, headers, tuple(rows), _numeric(headers, 4, 7, not_in=("of",)))


def interaction_table(found: Correlation) -> Table:
    """One row a factor and outcome."""
    rows = [
        (
            one.id,
            (
                *(outcome_title(model.outcome), f"framework × {one.factor}", ", ".join(one.frameworks)),
                *(
                    _marked(significant(one.f), one.found),
                    f"{one.degrees[0]}, {one.degrees[1]}",
                    show_p(one.p),
                    show_p(one.q),
                ),
                *(str(model.trials), str(model.blocks)),
            ),
        )
        for model in found.models
        for one in model.interactions
    ]
    headers = ("outcome", "interaction", "frameworks", "F", "degrees", "p", "q", "trials", "blocks")
    note = f"Are the mixed model's slopes equal on all frameworks? Wald F. {MARK}: q at most 0.05 over all of them."
    return Table(
        "interactions", "Interactions of framework and factor", note, headers, tuple(rows), _numeric(headers, 3, 9)
    )


def share_table(found: Correlation) -> Table:
    """One row a term."""
    rows = []
    for one in found.shares:
        value = percent(one.value)
        if one.value is not None and one.low is not None and one.high is not None:
            value = short_interval(100 * one.value, 100 * one.low, 100 * one.high)
        elif one.value is not None:
            value = significant(100 * one.value)
        rows.append(
            (
                one.id,
                (
                    one.scope,
                    outcome_title(one.outcome),
                    one.term,
                    value,
                    f"{one.degrees:g}",
                    str(one.trials),
                    str(one.blocks),
                    one.reason or "",
                ),
            )
        )
    headers = ("scope", "outcome", "term", "share %", "degrees", "trials", "blocks", "remark")
    note = (
        "Share of the variance of the (log) outcome inside blocks that a factor or an interaction explains: "
        "omega squared, which is "
        "a little below 0 where a term does nothing; brackets: 95 % interval, jackknife over blocks."
    )
    return Table("shares", "Shares of variance", note, headers, tuple(rows), _numeric(headers, 3, 7))


def knee_table(found: Correlation) -> Table:
    """One row a framework, outcome and factor."""
    rows = []
    for one in found.knees:
        knee = short_interval(one.knee, one.knee_low, one.knee_high)
        plateau = NOT_AVAILABLE if one.plateau is None else significant(one.plateau / shown_scale(one.outcome))
        saturation = short_interval(one.saturation, one.saturation_low, one.saturation_high)
        if one.extrapolated:
            saturation += " extrapolation"
        slopes = f"{significant(one.slope_before, 2)}, {significant(one.slope_after, 2)}"
        rows.append(
            (
                one.id,
                (
                    *(one.scope, outcome_title(one.outcome), one.factor, knee, slopes, plateau, saturation),
                    *(str(one.trials), str(one.blocks), one.reason or ""),
                ),
            )
        )
    headers = (
        "scope",
        "outcome",
        "factor",
        "knee",
        "power before, after",
        "plateau",
        "90 % of it at",
        "trials",
        "blocks",
        "remark",
    )
    note = (
        "Knee: where two straight lines on logarithmic scales meet, where the profile bends at all. Plateau: of "
        "y = plateau × x / (x + half). "
        "Brackets: 95 % interval, jackknife over blocks. An extrapolation lies outside the levels measured."
    )
    return Table("knees", "Thresholds and saturation", note, headers, tuple(rows), _numeric(headers, 3, 9))


def lag_table(found: Correlation) -> Table:
    """One row a framework, activity and use."""
    rows = [
        (
            one.id,
            (
                *(one.framework, one.activity, one.use, short_interval(one.at_zero, one.at_zero_low, one.at_zero_high)),
                *(short_interval(one.lag_s, one.lag_low_s, one.lag_high_s), f"{one.resolution_s:g}"),
                *(str(one.trials), str(one.blocks), one.reason or ""),
            ),
        )
        for one in found.lags
    ]
    headers = (
        "framework",
        "activity",
        "use",
        "correlation at no lag",
        "lag s",
        "resolution s",
        "trials",
        "blocks",
        "remark",
    )
    note = (
        "Inside runs, window by window of the sampler's period. A positive lag: use follows activity. A phase "
        "counts as the share of a "
        "window in it. Brackets: 95 % t interval over blocks; a lag is not known better than the resolution. "
        "Single trials: JSON."
    )
    return Table("lags", "Time lags inside a run", note, headers, tuple(rows), _numeric(headers, 3, 8))


def _shown_slope(
    model: Model, value: float | None, low: float | None, high: float | None
) -> tuple[float | None, float | None, float | None, float]:
    return value, low, high, 1.0 if model.logarithmic else shown_scale(model.outcome)


def _marked(text: str, found: bool) -> str:
    return text + MARK if found else text


def _numeric(headers: Iterable[str], first: int, end: int, not_in: tuple[str, ...] = ()) -> tuple[bool, ...]:
    return tuple(first <= index < end and header not in not_in for index, header in enumerate(headers))
