"""How many blocks a study needs to tell a stated difference, from a pilot.

Two cells are compared block by block: the difference of one block is the logarithm of the ratio of their throughputs
there, in which everything that the block's trials share (seed, mini-batches, state of the machine that day)
cancels. With `s` the sample standard deviation of these logarithms in the pilot, N blocks give the mean log-ratio a
95 % t interval of half width

    h(N) = t[0.975, N - 1] * s / sqrt(N)

and the answer is the smallest N, from 2 on, with h(N) <= ln(1 + difference): then the interval of the ratio reaches no
further than the difference from the ratio found. It is the interval of a mean of paired differences, solved for N by
trying (t depends on N). The two steps, a pilot for `s` and then all blocks at once, are Stein's (Annals of Mathematical
Statistics 16(3), 1945). His own rule keeps the pilot's t quantile in place of t[0.975, N - 1], which holds for certain
whatever `s` was by chance, and asks for more blocks; here `s` is taken as the true one. So the number is an
estimate: the true spread is 0.52 to 6.3 times the `s` of three blocks (95 %, by the chi-squared distribution). That is
why the half widths that were reached are told at the end. Of many pairs the one that varies most decides, by chance
too: with more pairs a longer pilot is worth its time.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.analysis.cells import CellKey, group_into_cells, row_names, seed_of
from harness.analysis.statistics import CONFIDENCE, seeds_for_precision, t_quantile

if TYPE_CHECKING:
    from harness.records import Record

COMPLETED = "completed"
OUTCOME = "samples_per_s"
FEWEST_BLOCKS = 2


@dataclass(frozen=True)
class PairSpread:
    """How much the ratio of two cells varies from block to block.

    Attributes:
        first, second: names of the cells; `second` is empty where a study has one cell, whose own throughput is judged.
        blocks: blocks that both have.
        log_sd: sample standard deviation of the logarithm of the ratio.
        needed: blocks for the difference asked for; None where more than 1,000 would be.
        trials: ids of the records behind it.
    """

    first: str
    second: str
    blocks: int
    log_sd: float
    needed: int | None
    trials: tuple[str, ...]

    @property
    def name(self) -> str:
        """The pair for people."""
        return f"{self.first} against {self.second}" if self.second else self.first

    def half_width(self, blocks: int) -> float:
        """Half width of the 95 % interval of the ratio with so many blocks, as a share of it: `exp(h) - 1`."""
        return math.expm1(t_quantile((1 + CONFIDENCE) / 2, blocks - 1) * self.log_sd / math.sqrt(blocks))


@dataclass(frozen=True)
class Resolution:
    """What some blocks say of the number of blocks.

    Attributes:
        difference: the smallest difference to be told, as a share.
        pairs: those that could be judged, the one that varies most first.
        not_judged: trials that did not complete, and the other pairs, each with the reason.
    """

    difference: float
    pairs: tuple[PairSpread, ...]
    not_judged: tuple[str, ...]

    @property
    def needed(self) -> int | None:
        """Blocks that resolve the difference in every pair; None for more than 1,000, or where nothing is judged."""
        found = [pair.needed for pair in self.pairs]
        return None if not found or None in found else max(need for need in found if need is not None)

    @property
    def widest(self) -> PairSpread | None:
        """The pair that decides."""
        return self.pairs[0] if self.pairs else None


def resolution(records: Iterable[Record], difference: float) -> Resolution:
    """How many blocks the pairs of a study's cells need.

    Pairs are the frameworks of one cell: all else equal. Where no two frameworks can be paired, all cells of one
    framework, data and machine are, and a single cell is judged by its own throughput.

    Args:
        records: of one study, one a trial; only completed ones count.
        difference: as a share, such as 0.03.
    """
    every = [record for record in records if record.role is None]
    cells = group_into_cells(record for record in every if record.termination == COMPLETED)
    names = row_names(cells)
    judged: list[PairSpread] = []
    not_judged = [
        f"{record.label} ({record.id}): {record.termination}" for record in every if record.termination != COMPLETED
    ]
    for first, second in _pairs(list(cells)):
        members = [cells[first], cells[second]] if second else [cells[first]]
        own = [_by_block(cell) for cell in members]
        shared = sorted(set.intersection(*(set(values) for values in own)))
        name = f"{names[first]} against {names[second]}" if second else names[first]
        if len(shared) < FEWEST_BLOCKS:
            plural = "block" if len(shared) == 1 else "blocks"
            not_judged.append(f"{name}: {len(shared)} completed {plural} with samples/s of all its cells")
            continue
        logs = [_log_ratio(block, *own) for block in shared]
        spread = statistics.stdev(logs)
        needed = seeds_for_precision(spread, math.log1p(difference))
        trials = tuple(record.id for member in members for record in member if seed_of(record) in shared)
        judged.append(PairSpread(names[first], names[second] if second else "", len(shared), spread, needed, trials))
    judged.sort(key=lambda pair: -pair.log_sd)
    return Resolution(difference, tuple(judged), tuple(not_judged))


def _pairs(keys: Sequence[CellKey]) -> Iterator[tuple[CellKey, CellKey | None]]:
    groups: dict[object, list[CellKey]] = {}
    for key in keys:
        groups.setdefault(key.pairing, []).append(key)
    pairs = [pair for members in groups.values() for pair in itertools.combinations(members, 2)]
    if not pairs:
        pairs = [
            (first, second)
            for first, second in itertools.combinations(keys, 2)
            if first.conditions == second.conditions and first.framework == second.framework
        ]
    yield from pairs
    if not pairs:
        yield from ((key, None) for key in keys)


def _log_ratio(block: int, first: Mapping[int, float], second: Mapping[int, float] | None = None) -> float:
    return math.log(first[block]) - (math.log(second[block]) if second else 0.0)


def _by_block(records: Iterable[Record]) -> Mapping[int, float]:
    found = {}
    for record in records:
        value = record.summary.get(OUTCOME)
        if isinstance(value, int | float) and value > 0:
            found[seed_of(record)] = float(value)
    return found
