"""Simulated trials whose effects are known: what intervals, discoveries and interactions are held against.

The design is that of a study: frameworks × batch sizes × CPUs × momentum, every cell once in each block. Outcomes are
made on
the logarithmic scale: what the framework, the batch size and the CPUs do, an effect of the block that all its trials
share, and noise. Momentum does nothing at all, and to one outcome nothing does anything.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from harness.analysis.correlation.analysis import Numbers, analyse
from harness.analysis.correlation.associations import KINDS
from harness.analysis.correlation.factors import find_factors
from harness.analysis.correlation.scopes import POOLED, make_scopes

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

FRAMEWORKS = ("anvil", "bellows", "crucible")
BATCHES = (16, 32, 64, 128, 256)
CPUS = (1, 2)
MOMENTA = (0.0, 0.9)
FACTORS = ("framework", "batch_size", "cpus", "momentum")
BLOCK_SD, NOISE_SD = 0.2, 0.3
HALVES = (24.0, 48.0, 96.0)
"""Of each framework: the batch size at which throughput is half of its plateau."""
MANY_BLOCKS = 800
"""Blocks of the simulation that stands for infinitely many."""

Key = TypeVar("Key", str, tuple[str, str])


@dataclass(frozen=True)
class Planted:
    """What makes an outcome, on the scale of natural logarithms.

    Attributes:
        framework: of each framework, what it adds.
        doubling: of each framework, what a doubling of the batch size adds.
        cpus: of each framework, what the second CPU adds.
        saturating: whether `x / (x + half)` of the batch size is a factor of the outcome.
        heavy: whether the noise has heavy tails (Student's t with 5 degrees of freedom, scaled to the same SD).
    """

    framework: tuple[float, ...] = (0.0, 0.0, 0.0)
    doubling: tuple[float, ...] = (0.0, 0.0, 0.0)
    cpus: tuple[float, ...] = (0.0, 0.0, 0.0)
    saturating: bool = False
    heavy: bool = False

    def acts(self, factor: str, framework: int | None) -> bool:
        """Whether a factor does something on a framework, or (None) on any."""
        slopes = {"batch_size": self.doubling, "cpus": self.cpus}.get(factor, (0.0, 0.0, 0.0))
        chosen = slopes if framework is None else (slopes[framework],)
        return any(one != 0.0 for one in chosen) or (factor == "batch_size" and self.saturating)

    def interacts(self, factor: str) -> bool:
        """Whether a factor does different things on different frameworks."""
        slopes = {"batch_size": self.doubling, "cpus": self.cpus}.get(factor, (0.0,))
        return len(set(slopes)) > 1 or (factor == "batch_size" and self.saturating)


PLANTED = {
    "samples_per_s": Planted((0.0, 0.3, 0.6), cpus=(0.4, 0.4, 0.4), saturating=True),
    "cpu_seconds": Planted((0.0, 0.1, -0.1), doubling=(0.05, 0.2, 0.35), cpus=(0.1, 0.1, 0.1)),
    "peak_memory_bytes": Planted((0.0, 0.5, 1.0), doubling=(0.1, 0.1, 0.1)),
    "cores_used_mean": Planted((0.0, 0.0, 0.1), cpus=(0.1, 0.3, 0.5)),
    "first_step_s": Planted((0.2, 0.0, 0.0), doubling=(0.06, 0.06, 0.06), heavy=True),
    "test_loss": Planted(),
}


def simulated_frame(seed: int, blocks: int) -> pd.DataFrame:
    """Observations of one simulated study.

    Args:
        seed: of its chance.
        blocks: how many.
    """
    import pandas as pd

    chance = np.random.default_rng(seed)
    cells = list(itertools.product(range(len(FRAMEWORKS)), BATCHES, CPUS, MOMENTA))
    framework, batch, cpus, momentum = (np.tile(np.array(one), blocks) for one in zip(*cells, strict=True))
    block = np.repeat(np.arange(blocks), len(cells))
    columns: dict[str, object] = {
        "trial": [f"{number:06d}" for number in range(len(block))],
        "block": block + 1,
        "framework": np.array(FRAMEWORKS)[framework.astype(int)],
        "batch_size": batch.astype(float),
        "cpus": cpus.astype(float),
        "momentum": momentum,
    }
    for key, planted in PLANTED.items():
        noise = (
            chance.standard_t(5, len(block)) * np.sqrt(3 / 5) if planted.heavy else chance.standard_normal(len(block))
        )
        shared = chance.standard_normal(blocks)[block] * BLOCK_SD
        columns[key] = np.exp(expected_log(planted, framework.astype(int), batch, cpus) + shared + NOISE_SD * noise)
    return pd.DataFrame(columns)


def expected_log(
    planted: Planted, framework: NDArray[np.int64], batch: NDArray[np.int64], cpus: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(n,) mean of the log outcome of trials with these levels."""
    found = np.array(planted.framework)[framework] + np.array(planted.doubling)[framework] * np.log2(batch / BATCHES[0])
    found = found + np.array(planted.cpus)[framework] * (cpus - 1)
    return np.asarray(found - np.log1p(np.array(HALVES)[framework] / batch) if planted.saturating else found)


def analysed(frame: pd.DataFrame) -> Numbers:
    """What `dlgauge correlate` says of a simulated study."""
    factors, _ = find_factors(frame, FACTORS)
    return analyse(make_scopes(frame, [factor.name for factor in factors]), factors, tuple(PLANTED))


@dataclass
class Tally:
    """Counts over simulations.

    Attributes:
        covered: kind of interval -> [intervals that hold the truth, intervals].
        single: (kind, number) -> the same for one number.
        false_rates: kind of test -> share of false ones among the discoveries, one a simulation.
        discoveries: kind of test -> true effects found, true effects.
        interactions: [planted interactions found, planted].
        fallbacks: reason -> models that were not fitted as mixed ones.
        simulations: how many.
    """

    covered: dict[str, list[int]] = field(default_factory=dict)
    single: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    false_rates: dict[str, list[float]] = field(default_factory=dict)
    discoveries: dict[str, list[int]] = field(default_factory=dict)
    interactions: list[int] = field(default_factory=lambda: [0, 0])
    fallbacks: dict[str, int] = field(default_factory=dict)
    simulations: int = 0

    def add(self, numbers: Numbers, truths: dict[tuple[str, str], float]) -> None:
        """Count one simulation."""
        self.simulations += 1
        for kind, name, low, high in _intervals(numbers):
            truth = truths.get((kind, name))
            if truth is not None:
                inside = low <= truth <= high
                for counts in (self.covered.setdefault(kind, [0, 0]), self.single.setdefault((kind, name), [0, 0])):
                    counts[0] += inside
                    counts[1] += 1
        for kind, found, real in _tests(numbers):
            hits = self.discoveries.setdefault(kind, [0, 0])
            hits[0] += sum(f and r for f, r in zip(found, real, strict=True))
            hits[1] += sum(real)
            false = sum(f and not r for f, r in zip(found, real, strict=True))
            self.false_rates.setdefault(kind, []).append(false / max(1, sum(found)))
        for model in numbers.models:
            if model.fallback:
                self.fallbacks[model.fallback] = self.fallbacks.get(model.fallback, 0) + 1
            for one in model.interactions:
                if PLANTED[model.outcome].interacts(one.factor):
                    self.interactions[0] += one.found
                    self.interactions[1] += 1

    def merge(self, other: Tally) -> None:
        """Add the counts of another."""
        self.simulations += other.simulations
        self.interactions = [a + b for a, b in zip(self.interactions, other.interactions, strict=True)]
        _add_counts(self.covered, other.covered)
        _add_counts(self.single, other.single)
        _add_counts(self.discoveries, other.discoveries)
        for kind, rates in other.false_rates.items():
            self.false_rates.setdefault(kind, []).extend(rates)
        for why, count in other.fallbacks.items():
            self.fallbacks[why] = self.fallbacks.get(why, 0) + count


def _add_counts(own: dict[Key, list[int]], theirs: dict[Key, list[int]]) -> None:
    for key, counts in theirs.items():
        held = own.setdefault(key, [0, 0])
        held[0] += counts[0]
        held[1] += counts[1]


def simulate(seeds: range, blocks: int, truths: dict[tuple[str, str], float]) -> Tally:
    """Make and analyse a study for each seed, and count."""
    tally = Tally()
    for seed in seeds:
        tally.add(analysed(simulated_frame(seed, blocks)), truths)
    return tally


def true_values(seed: int = 10**9, blocks: int = MANY_BLOCKS) -> dict[tuple[str, str], float]:
    """(kind, number) -> its true value.

    Slopes, ratios and the point of saturation follow from what was planted; coefficients of rank correlation, shares
    and knees, which have no closed form, from a simulation of `blocks` blocks.
    """
    numbers = analysed(simulated_frame(seed, blocks))
    found: dict[tuple[str, str], float] = {}
    for row in numbers.associations:
        if row.value is not None:
            found[row.kind, f"{row.scope}/{row.outcome}/{row.factor}"] = row.value
    for share in numbers.shares:
        if share.value is not None and _has_share(share.scope, share.outcome, share.term):
            found["share", f"{share.scope}/{share.outcome}/{share.term}"] = share.value
    for knee in numbers.knees:
        if PLANTED[knee.outcome].saturating:
            half = HALVES[FRAMEWORKS.index(knee.scope)]
            found["90 % of the plateau", f"{knee.scope}/{knee.outcome}/{knee.factor}"] = 9 * half
    found.update(_planted_slopes())
    return found


def _planted_slopes() -> dict[tuple[str, str], float]:
    """Slopes of the mixed model and ratios of the effects: least squares on the expected log outcomes of one block."""
    cells = list(itertools.product(range(len(FRAMEWORKS)), BATCHES, CPUS, MOMENTA))
    framework, batch, cpus, momentum = (np.array(one) for one in zip(*cells, strict=True))
    framework = framework.astype(int)
    changes = {"batch_size": np.log2(batch / BATCHES[0]), "cpus": np.log2(cpus), "momentum": momentum / MOMENTA[-1]}
    found: dict[tuple[str, str], float] = {}
    for key, planted in PLANTED.items():
        expected = expected_log(planted, framework, batch, cpus)
        for scope in (*FRAMEWORKS, POOLED):
            rows = np.ones(len(cells), dtype=bool) if scope == POOLED else framework == FRAMEWORKS.index(scope)
            own = (framework[rows][:, None] == np.unique(framework[rows])[None, :]).astype(float)
            design = np.concatenate([own, np.stack([changes[name][rows] for name in changes], axis=1)], axis=1)
            slopes = np.linalg.lstsq(design, expected[rows], rcond=None)[0][-len(changes) :]
            for name, slope in zip(changes, slopes, strict=True):
                found["ratio", f"{scope}/{key}/{name}"] = float(np.exp(slope))
                if scope != POOLED:
                    found["slope", f"{scope}/{key}/{name}"] = float(slope)
    return found


def _intervals(numbers: Numbers) -> Iterator[tuple[str, str, float, float]]:
    """Every interval there is: kind, number, ends."""
    for row in numbers.associations:
        if row.low is not None and row.high is not None:
            yield row.kind, f"{row.scope}/{row.outcome}/{row.factor}", row.low, row.high
    for effect in numbers.effects:
        if effect.ratio_low is not None and effect.ratio_high is not None:
            yield "ratio", f"{effect.scope}/{effect.outcome}/{effect.factor}", effect.ratio_low, effect.ratio_high
    for model in numbers.models:
        for slope in model.slopes:
            if slope.low is not None and slope.high is not None:
                yield "slope", f"{slope.framework}/{model.outcome}/{slope.factor}", slope.low, slope.high
    for share in numbers.shares:
        if share.low is not None and share.high is not None:
            yield "share", f"{share.scope}/{share.outcome}/{share.term}", share.low, share.high
    for knee in numbers.knees:
        if knee.saturation_low is not None and knee.saturation_high is not None:
            name = f"{knee.scope}/{knee.outcome}/{knee.factor}"
            yield "90 % of the plateau", name, knee.saturation_low, knee.saturation_high


def _tests(numbers: Numbers) -> Iterator[tuple[str, list[bool], list[bool]]]:
    """Each family of tests: what was found, and what is real."""
    for kind in KINDS:
        rows = [row for row in numbers.associations if row.kind == kind]
        yield kind, [row.found for row in rows], [_acts(row.scope, row.outcome, row.factor) for row in rows]
    effects = numbers.effects
    yield "effect", [row.found for row in effects], [_acts(row.scope, row.outcome, row.factor) for row in effects]
    pairs = [(one, model.outcome) for model in numbers.models for one in model.interactions]
    real = [PLANTED[outcome].interacts(one.factor) for one, outcome in pairs]
    yield "interaction", [one.found for one, _ in pairs], real


def _acts(scope: str, outcome: str, factor: str) -> bool:
    return PLANTED[outcome].acts(factor, None if scope == POOLED else FRAMEWORKS.index(scope))


def _has_share(scope: str, outcome: str, term: str) -> bool:
    """Whether a term's share was planted: one that is truly 0 has an interval that is wider than it need be."""
    planted = PLANTED[outcome]
    parts = term.split(" × ")
    if "momentum" in parts:
        return False
    if term == "residual":  # 1 where nothing acts: the end of the scale
        return any(_acts(scope, outcome, factor) for factor in FACTORS if factor != "framework")
    if len(parts) == 1:
        return len(set(planted.framework)) > 1 if term == "framework" else _acts(scope, outcome, term)
    return "framework" in parts and planted.interacts(next(one for one in parts if one != "framework"))
