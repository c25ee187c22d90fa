"""How an outcome goes with a factor: Spearman, Kendall and partial rank correlation, with intervals over blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.correlation.factors import Factor, indicator_columns
from harness.analysis.correlation.jackknife import FEWEST_BLOCKS, Spread, jackknife
from harness.analysis.correlation.kendall import tau, too_large
from harness.analysis.correlation.permutation import permutation_p
from harness.analysis.correlation.ranks import RankCorrelations, rank_correlations
from harness.analysis.correlation.scopes import POOLED, Scope, aligned_outcomes

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPEARMAN, KENDALL, PARTIAL = "spearman", "kendall", "partial"
KINDS = (SPEARMAN, KENDALL, PARTIAL)
FALSE_DISCOVERY_RATE = 0.05
SAME_EVERYWHERE = "the same without each block: there is no spread to make an interval of"
PERMUTED = "; p by permutations inside blocks"
ROUNDING = 1e-9
"""Widths of intervals below this come from rounding."""
NOT_WITHOUT = "no interval: without one of the blocks the coefficient does not exist"
NO_ORDER = "its levels have no order: see effects and shares"
ONE_VALUE = "outcome or factor has one value, apart from the blocks"
ONLY_BETWEEN = "one level within each framework: cannot be told apart from the framework"
EXPLAINED = "the other factors determine its level: it cannot be told apart from them"


@dataclass(frozen=True)
class Association:
    """One coefficient.

    Attributes:
        id: names the row, such as `association-3`.
        scope: a framework, or `pooled`.
        outcome, factor: summary key and factor.
        kind: `spearman`, `kendall` (tau-b) or `partial` (of the ranks, the other factors held constant).
        value: the coefficient over trials, blocks taken out; None where it does not exist.
        low, high: its 95 % interval over blocks; None where there is none.
        p: two-sided p-value of no association; None where there is none.
        q: the same by Benjamini and Hochberg, over all rows of this kind; None where `p` is.
        trials, blocks: how many it is of.
        reason: why something is None.
    """

    id: str
    scope: str
    outcome: str
    factor: str
    kind: str
    value: float | None
    low: float | None
    high: float | None
    p: float | None
    q: float | None
    trials: int
    blocks: int
    reason: str | None = None

    @property
    def found(self) -> bool:
        """Whether it is distinguishable from no association at the false discovery rate held."""
        return self.q is not None and self.q <= FALSE_DISCOVERY_RATE


def associations(scopes: Sequence[Scope], outcomes: Sequence[str]) -> tuple[Association, ...]:
    """All coefficients of all scopes, with the correction for their number."""
    rows = [row for scope in scopes for row in _of_scope(scope, outcomes)]
    numbered = [replace(row, id=f"association-{number}") for number, row in enumerate(rows, 1)]
    return tuple(corrected(numbered))


def corrected(rows: Sequence[Association]) -> list[Association]:
    """The rows with `q`: Benjamini and Hochberg (J. R. Statist. Soc. B 57 (1995)) over all rows of one kind.

    The procedure holds the rate under independence and under positive dependence (Benjamini and Yekutieli, 2001).
    """
    found = list(rows)
    for kind in KINDS:
        places = [index for index, row in enumerate(rows) if row.kind == kind and row.p is not None]
        adjusted = benjamini_hochberg([rows[index].p or 0.0 for index in places])
        for index, q in zip(places, adjusted, strict=True):
            found[index] = replace(rows[index], q=q)
    return found


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given."""
    values = np.asarray(p, dtype=float)
    order = np.argsort(values)
    scaled = values[order] * len(values) / np.arange(1, len(values) + 1)
    adjusted = np.minimum.accumulate(scaled[::-1])[::-1]
    found = np.empty(len(values))
    found[order] = np.minimum(adjusted, 1.0)
    return [float(q) for q in found]


def _of_scope(scope: Scope, outcomes: Sequence[str]) -> Iterable[Association]:
    for factor in scope.unordered:
        for outcome in outcomes:
            if np.isfinite(scope.frame[outcome].to_numpy(dtype=float)).any():
                for kind in KINDS:
                    yield _row(scope, outcome, factor, kind, NO_ORDER)
    ordered = scope.ordered
    if not ordered:
        return
    for keys, mask in scope.with_outcomes(outcomes):
        aligned = aligned_outcomes(scope, keys, mask)
        levels = np.stack([scope.frame[f.name].to_numpy(dtype=float)[mask] for f in ordered], axis=1)
        blocks = np.unique(scope.blocks[mask], return_inverse=True)[1]
        ranked = rank_correlations(levels, aligned, _controls(scope, mask), blocks)
        rows = [*_ranked_rows(scope, keys, ranked, mask, blocks)]
        for index, factor in enumerate(ordered):
            for place, key in enumerate(keys):
                rows.append(_kendall_row(scope, key, factor, levels[:, index], aligned[:, place], blocks, mask))
        alone = len(scope.factors) == 1
        strata = blocks * (int(scope.frameworks.max()) + 1) + scope.frameworks[mask]
        names = [factor.name for factor in ordered]
        for row in rows:
            if row.reason == SAME_EVERYWHERE and (alone or row.kind != PARTIAL):
                pair = levels[:, names.index(row.factor)], aligned[:, keys.index(row.outcome)]
                row = replace(row, p=permutation_p(*pair, strata), reason=SAME_EVERYWHERE + PERMUTED)
            yield row


def _controls(scope: Scope, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    frame = scope.frame[mask]
    parts = [indicator_columns(factor.codes(frame[factor.name])) for factor in scope.unordered]
    return np.concatenate([indicator_columns(scope.frameworks[mask]), *parts], axis=1)


def _ranked_rows(
    scope: Scope, keys: Sequence[str], ranked: RankCorrelations, mask: NDArray[np.bool_], blocks: NDArray[np.int64]
) -> Iterable[Association]:
    count, trials = int(blocks.max()) + 1, int(mask.sum())
    for kind, value, without in (
        (SPEARMAN, ranked.spearman, ranked.spearman_without),
        (PARTIAL, ranked.partial, ranked.partial_without),
    ):
        spread = jackknife(value, without, correlations=True, most=1 - 6 / trials**3)  # half a swap of neighbours
        for i, factor in enumerate(scope.ordered):
            varies = varies_within(scope, factor, mask)
            for j, key in enumerate(keys):
                if not varies:
                    yield _row(scope, key, factor, kind, ONLY_BETWEEN, trials, count)
                    continue
                at = (i, j)
                missing = ONE_VALUE if kind == SPEARMAN or np.isnan(ranked.spearman[at]) else EXPLAINED
                yield _filled(scope, key, factor, kind, float(value[at]), spread, at, trials, count, missing)


def _kendall_row(
    scope: Scope,
    key: str,
    factor: Factor,
    levels: NDArray[np.float64],
    outcome: NDArray[np.float64],
    blocks: NDArray[np.int64],
    mask: NDArray[np.bool_],
) -> Association:
    trials, count = int(mask.sum()), int(blocks.max()) + 1
    if not varies_within(scope, factor, mask):
        return _row(scope, key, factor, KENDALL, ONLY_BETWEEN, trials, count)
    distinct = len(np.unique(levels))
    if too_large(distinct, trials):
        why = f"too large for the exact count of pairs: {distinct} levels, {trials} trials"
        return _row(scope, key, factor, KENDALL, why, trials, count)
    value, without = tau(levels, outcome, blocks)
    spread = jackknife(np.array([value]), without[:, None], correlations=True, most=1 - 2 / trials**2)
    return _filled(scope, key, factor, KENDALL, value, spread, (0,), trials, count, ONE_VALUE)


def varies_within(scope: Scope, factor: Factor, mask: NDArray[np.bool_]) -> bool:
    """Whether the factor has more than one level inside some framework."""
    if scope.name != POOLED:
        return True
    codes = factor.codes(scope.frame[factor.name])[mask]
    frameworks = scope.frameworks[mask]
    return any(len(np.unique(codes[frameworks == one])) > 1 for one in np.unique(frameworks))


def _filled(
    scope: Scope,
    outcome: str,
    factor: Factor,
    kind: str,
    value: float,
    spread: Spread,
    at: tuple[int, ...],
    trials: int,
    blocks: int,
    missing: str,
) -> Association:
    if np.isnan(value):
        return _row(scope, outcome, factor, kind, missing, trials, blocks)
    low, high, p = (float(part[at]) for part in (spread.low, spread.high, spread.p))
    reason = None
    if blocks < FEWEST_BLOCKS:
        reason = too_few_blocks(blocks)
    elif abs(value) > 1 - ROUNDING or high - low < ROUNDING:
        reason = SAME_EVERYWHERE
    elif not np.isfinite(low) or not np.isfinite(high):
        reason = NOT_WITHOUT
    return Association(
        id="",
        scope=scope.name,
        outcome=outcome,
        factor=factor.name,
        kind=kind,
        value=value,
        low=low if reason is None else None,
        high=high if reason is None else None,
        p=p if reason is None and np.isfinite(p) else None,
        q=None,
        trials=trials,
        blocks=blocks,
        reason=reason,
    )


def too_few_blocks(blocks: int) -> str:
    """Why there is no interval."""
    return f"too few blocks for an interval: {blocks}, {FEWEST_BLOCKS} are needed"


def _row(
    scope: Scope,
    outcome: str,
    factor: Factor,
    kind: str,
    reason: str,
    trials: int | None = None,
    blocks: int | None = None,
) -> Association:
    mask = np.isfinite(scope.frame[outcome].to_numpy(dtype=float))
    trials = int(mask.sum()) if trials is None else trials
    blocks = len(np.unique(scope.blocks[mask])) if blocks is None else blocks
    return Association("", scope.name, outcome, factor.name, kind, None, None, None, None, None, trials, blocks, reason)
