"""How much of an outcome's variance inside blocks each factor and each pair of factors explains.

The outcome (its logarithm, where positive) and the columns of all factors are taken as differences from their block's
mean. A factor's sum of squares is what it adds to a least-squares fit, averaged over all orders of the factors (the
Shapley value; R. H. Lindeman, P. F. Merenda, R. Z. Gold, 1980); a pair's is what their interaction adds after all
factors, averaged over the orders of the pairs. In complete blocks the order does not matter. The share is omega
squared,

    (sum of squares - degrees × mean residual square) / (total inside blocks + mean residual square)

(S. Olejnik and J. Algina, Psychological Methods 8 (2003)): without the part that chance adds, so it may be a little
below 0.
Intervals: jackknife over blocks. Those of shares that are truly 0 are wider than they need to be.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.correlation.alignment import ROUNDING, group_means
from harness.analysis.correlation.associations import too_few_blocks
from harness.analysis.correlation.factors import Factor, cells_of, indicator_columns
from harness.analysis.correlation.jackknife import FEWEST_BLOCKS, groups_of, jackknife
from harness.analysis.correlation.mixed import NO_DEGREES
from harness.analysis.correlation.scopes import POOLED, Scope, logarithm_if_positive

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_LEVELS = 16
"""Levels up to which a factor of numbers is taken level by level; with more it is a line and a parabola."""
PARABOLA_LEVELS = 3
"""The same where the trials have few of all combinations of levels."""
MOST_TERMS = 7
"""Terms whose orders are all averaged over; of more, `DRAWN_ORDERS` drawn ones."""
DRAWN_ORDERS = 200
MOST_COLUMNS = 400
BEYOND_CHANCE = 1.5
"""Of the least share that chance can make, so that the scale of intervals holds without a block as well."""
NEGLIGIBLE = 1e-8
RESIDUAL = "residual"


@dataclass(frozen=True)
class Share:
    """The part of an outcome's variance inside blocks that a term explains.

    Attributes:
        id: names the row, such as `share-3`.
        scope, outcome: as in `Association`.
        term: a factor, two factors joined by ` × `, or `residual`.
        value: omega squared, 1 for all of the variance; of the residual what all terms leave.
        low, high: 95 % interval over blocks.
        degrees: of freedom of the term.
        trials, blocks: how many it is of.
        reason: why something is None.
    """

    id: str
    scope: str
    outcome: str
    term: str
    value: float | None
    low: float | None
    high: float | None
    degrees: float
    trials: int
    blocks: int
    reason: str | None = None


@dataclass(frozen=True)
class Term:
    """A factor or a pair, with where its columns stand."""

    name: str
    columns: slice


def shares(scopes: Sequence[Scope], framework: Factor | None, outcomes: Sequence[str]) -> tuple[Share, ...]:
    """The shares of all outcomes in all scopes; in the pooled one the framework is a factor as well."""
    rows: list[Share] = []
    for scope in scopes:
        factors = scope.factors
        if scope.name == POOLED and framework is not None:
            factors = (framework, *factors)
        for keys, mask in scope.with_outcomes(outcomes) if factors else []:
            rows.extend(_of_outcomes(scope, factors, keys, mask))
    return tuple(replace(row, id=f"share-{number}") for number, row in enumerate(rows, 1))


def _of_outcomes(scope: Scope, factors: Sequence[Factor], keys: Sequence[str], mask: NDArray[np.bool_]) -> list[Share]:
    blocks = np.unique(scope.blocks[mask], return_inverse=True)[1]
    count, trials = int(blocks.max()) + 1, int(mask.sum())
    mains, pairs, columns, dropped = _terms(scope, factors, mask)
    values = np.stack([logarithm_if_positive(scope.frame[key].to_numpy(dtype=float)[mask])[0] for key in keys], axis=1)
    table = np.concatenate([columns, values], axis=1)
    inner = table - group_means(table, blocks, count)[blocks]
    # What is left of a column that the blocks alone determine is rounding.
    inner *= (inner**2).sum(axis=0) > (ROUNDING * np.abs(table).max(axis=0)) ** 2 * trials
    groups, group_count = groups_of(blocks, count)
    products = np.stack([inner[groups == group].T @ inner[groups == group] for group in range(group_count)])
    sizes = np.array([int((groups == g).sum()) - len(np.unique(blocks[groups == g])) for g in range(group_count)])
    whole, degrees, residual = decompose(products.sum(axis=0), int(sizes.sum()), mains, pairs, len(keys))
    names = [*(term.name for term in (*mains, *pairs)), RESIDUAL]
    if residual < 1:
        return [
            Share("", scope.name, key, name, None, None, None, 0.0, trials, count, NO_DEGREES)
            for key in keys
            for name in names
        ]
    reason = None
    low = high = np.full_like(whole, np.nan)
    if count >= FEWEST_BLOCKS:
        total, all_sizes = products.sum(axis=0), int(sizes.sum())
        parts = [
            decompose(total - products[g], all_sizes - int(sizes[g]), mains, pairs, len(keys))[0]
            for g in range(group_count)
        ]
        low, high = _interval(whole, np.array(parts), degrees, residual)
    else:
        reason = too_few_blocks(count)
    rows = []
    for place, key in enumerate(keys):
        for index, name in enumerate(names):
            value, below, above = (_number(table[index, place]) for table in (whole, low, high))
            why = reason
            if value is None:
                why = "the outcome has one value inside the blocks"
            elif below is None and why is None:
                why = "no interval: without one of the blocks no degrees of freedom are left"
            # Pairs that were not taken in are in what is left.
            why = "; ".join(one for one in (why, dropped if name == RESIDUAL else None) if one) or None
            own = float(degrees[index])
            rows.append(Share("", scope.name, key, name, value, below, above, own, trials, count, why))
    return rows


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _interval(
    whole: NDArray[np.float64], without: NDArray[np.float64], degrees: NDArray[np.float64], residual: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of the intervals, made on the scale log((share + chance) / (1 - share)), on which a share spreads evenly.

    `chance` is what keeps the numerator positive: a share is never below minus its degrees over those of the residual.
    A true share lies between 0 and 1, and so do the ends.
    """
    # Of the residual the part that all terms explain together is taken, which has the same scale.
    sign = np.ones(len(whole))[:, None]
    sign[-1] = -1.0
    own = np.append(degrees[:-1], degrees[:-1].sum())[:, None]
    chance = BEYOND_CHANCE * own / residual

    def turned(shares: NDArray[np.float64]) -> NDArray[np.float64]:
        explained = np.where(sign > 0, shares, 1 - shares)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.log((explained + chance) / (1 - explained)))

    spread = jackknife(turned(whole), turned(without))
    with np.errstate(over="ignore"):
        ends = [(np.exp(end) - chance) / (1 + np.exp(end)) for end in (spread.low, spread.high)]
    low, high = np.where(sign > 0, ends[0], 1 - ends[1]), np.where(sign > 0, ends[1], 1 - ends[0])
    return np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)


def _terms(
    scope: Scope, factors: Sequence[Factor], mask: NDArray[np.bool_]
) -> tuple[list[Term], list[Term], NDArray[np.float64], str | None]:
    """The factors and their pairs with their columns; and which pairs were left out, as a sentence."""
    frame = scope.frame[mask]
    blocks: list[NDArray[np.float64]] = []
    # In a sample of combinations a number for every level would leave nothing to tell the factors apart.
    sampled = 2 * len(np.unique(cells_of(frame, factors))) < math.prod(len(f.levels) for f in factors)
    for factor in factors:
        if factor.ordered and len(factor.levels) > (PARABOLA_LEVELS if sampled else MOST_LEVELS):
            line = factor.scaled(frame[factor.name].to_numpy(dtype=float))
            line = line - line.mean()
            blocks.append(np.stack([line, line**2], axis=1))
        else:
            blocks.append(indicator_columns(factor.codes(frame[factor.name])))
    mains = _placed([factor.name for factor in factors], blocks, 0)
    width = sum(block.shape[1] for block in blocks)
    pair_names, pair_blocks, dropped = [], [], []
    for i, j in itertools.combinations(range(len(factors)), 2):
        product = (blocks[i][:, :, None] * blocks[j][:, None, :]).reshape(len(frame), -1)
        name = f"{factors[i].name} × {factors[j].name}"
        if width + product.shape[1] > min(MOST_COLUMNS, len(frame) // 2):
            dropped.append(name)
            continue
        width += product.shape[1]
        pair_names.append(name)
        pair_blocks.append(product)
    start = mains[-1].columns.stop if mains else 0
    pairs = _placed(pair_names, pair_blocks, start)
    why = f"not taken in, too many columns for {len(frame)} trials: {', '.join(dropped)}" if dropped else None
    return mains, pairs, np.concatenate([*blocks, *pair_blocks], axis=1), why


def _placed(names: Sequence[str], blocks: Sequence[NDArray[np.float64]], start: int) -> list[Term]:
    terms = []
    for name, block in zip(names, blocks, strict=True):
        terms.append(Term(name, slice(start, start + block.shape[1])))
        start += block.shape[1]
    return terms


def decompose(
    products: NDArray[np.float64], degrees: int, mains: Sequence[Term], pairs: Sequence[Term], outcomes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Omega squared of every term and the residual, (terms + 1, outcomes); degrees of each; degrees of the residual.

    Args:
        products: of all columns and, last, the outcomes, as differences from the block's mean.
        degrees: trials minus blocks.
        mains, pairs: the terms.
        outcomes: how many of the last columns are outcomes.
    """
    first = products.shape[0] - outcomes
    total = np.diag(products)[first:]
    main_squares, main_degrees, rest = _stage(products, mains, outcomes)
    pair_squares, pair_degrees, _ = _stage(rest, pairs, outcomes)
    squares = np.concatenate([main_squares, pair_squares])
    own = np.concatenate([main_degrees, pair_degrees])
    residual = int(round(degrees - own.sum()))
    if residual < 1:
        return np.full((len(own) + 1, outcomes), np.nan), np.append(own, 0.0), residual
    mean_square = np.maximum(total - squares.sum(axis=0), 0.0) / residual
    with np.errstate(divide="ignore", invalid="ignore"):
        omega = (squares - own[:, None] * mean_square) / (total + mean_square)
    omega = np.where(total > 0, omega, np.nan)
    return np.concatenate([omega, 1 - omega.sum(axis=0, keepdims=True)]), np.append(own, residual), residual


def _stage(
    products: NDArray[np.float64], terms: Sequence[Term], outcomes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Sums of squares and degrees of the terms, averaged over their orders, and the products without them."""
    first = products.shape[0] - outcomes
    if not terms:
        return np.zeros((0, outcomes)), np.zeros(0), products
    scale = np.sqrt(np.maximum(np.diag(products), 0.0))
    divisor = np.where(scale > 0, scale, 1.0)
    unit = products / divisor[:, None] / divisor[None, :]

    def explained(chosen: tuple[int, ...]) -> tuple[NDArray[np.float64], int]:
        places = np.concatenate([np.arange(terms[i].columns.start, terms[i].columns.stop) for i in chosen])
        inner, across = unit[np.ix_(places, places)], unit[places, first:]
        values, vectors = np.linalg.eigh(inner)
        kept = values > NEGLIGIBLE * max(float(values.max(initial=0.0)), NEGLIGIBLE)
        turned = vectors[:, kept].T @ across
        return (turned**2 / values[kept][:, None]).sum(axis=0) * scale[first:] ** 2, int(kept.sum())

    squares, degrees = _orthogonal(unit, terms, explained, outcomes) or average_over_orders(
        len(terms), explained, outcomes
    )
    places = np.arange(terms[0].columns.start, terms[-1].columns.stop)
    inverse = np.linalg.pinv(unit[np.ix_(places, places)], rcond=NEGLIGIBLE, hermitian=True)
    rest = unit - unit[:, places] @ inverse @ unit[places, :]
    gone = np.diag(rest) < NEGLIGIBLE  # what is left of such a column is rounding, which must not be scaled up
    gone[first:] = False
    rest[gone, :] = 0.0
    rest[:, gone] = 0.0
    return squares, degrees, rest * np.outer(scale, scale)


Explained = Callable[[tuple[int, ...]], tuple["NDArray[np.float64]", int]]


def _orthogonal(
    unit: NDArray[np.float64], terms: Sequence[Term], explained: Explained, outcomes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """The same without orders, where the terms are orthogonal as in complete blocks; None where they are not."""
    for one, other in itertools.combinations(terms, 2):
        if float(np.abs(unit[one.columns, other.columns]).max(initial=0.0)) > NEGLIGIBLE:
            return None
    found = [explained((index,)) for index in range(len(terms))]
    return np.array([square for square, _ in found]).reshape(-1, outcomes), np.array([float(d) for _, d in found])


def average_over_orders(
    count: int, explained: Explained, outcomes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What each of `count` terms adds, averaged over all orders, or over drawn ones where there are too many.

    Args:
        count: number of terms.
        explained: of some terms -> (outcomes,) sum of squares that they explain together, and their degrees.
        outcomes: number of outcomes.
    """
    known: dict[tuple[int, ...], tuple[NDArray[np.float64], int]] = {(): (np.zeros(outcomes), 0)}

    def of(chosen: tuple[int, ...]) -> tuple[NDArray[np.float64], int]:
        key = tuple(sorted(chosen))
        if key not in known:
            known[key] = explained(key)
        return known[key]

    if count <= MOST_TERMS:
        orders: list[tuple[int, ...]] = list(itertools.permutations(range(count)))
    else:
        chance = np.random.default_rng(0)  # the same orders every time
        orders = [tuple(int(one) for one in chance.permutation(count)) for _ in range(DRAWN_ORDERS)]
    squares, degrees = np.zeros((count, outcomes)), np.zeros(count)
    for order in orders:
        for place, term in enumerate(order):
            before, after = of(order[:place]), of(order[: place + 1])
            squares[term] += after[0] - before[0]
            degrees[term] += after[1] - before[1]
    return squares / len(orders), degrees / len(orders)
