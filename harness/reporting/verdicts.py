"""What a comparison decides, in lines: a verdict a pair, whether the table is stable, what would decide the rest."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.analysis import Comparison
from harness.analysis.columns import column_for
from harness.analysis.inference import Family, Judgement, Pair
from harness.analysis.inference.pairs import DIFFERENT, EQUIVALENT, NOT_COMPARED
from harness.analysis.inference.pareto import Front, FrontRow
from harness.analysis.inference.planning import LEVEL
from harness.analysis.stability import WANTED_HALF_WIDTH

MOST_VERDICTS = 24
"""Verdicts that stand below a table; `--statistics` has all."""

FEW_BLOCKS = 5
"""Fewer blocks have too few different resamples for a share of them to mean much."""

MOST_ASKED = 50
"""More blocks than these are asked for only where fewer would decide nothing."""

TIME = "training_time_s"
CANNOT = "can not reach"
TOO_FEW = "too few blocks"
WORDS = {
    TIME: "training time",
    "samples_per_s": "samples/s",
    "cpu_seconds": "CPU time",
    "peak_resident_bytes": "peak resident memory",
    "top1_percent": "top-1 accuracy",
}
"""Outcomes in words, where the heading of their column is none."""

HEADING_UNITS = (" s", " MiB", " ms", " J", " %")


def outcome_words(key: str) -> str:
    """An outcome in a sentence: without the unit of its heading."""
    title = column_for(key).title
    return WORDS.get(key) or next((title.removesuffix(unit) for unit in HEADING_UNITS if title.endswith(unit)), title)


def significant(value: float) -> str:
    """A ratio with four significant digits."""
    return f"{value:#.4g}".rstrip(".")


def main_outcome(comparison: Comparison) -> str:
    """The outcome whose verdicts stand below a table: training time, where that is shown, else the first column."""
    shown = [column.key for column in comparison.columns]
    return shown[0] if shown and TIME not in shown else TIME


def verdict_lines(judgement: Judgement, outcome: str = TIME) -> list[str]:
    """A line for every pair with its reference, then the rankings, and how they were decided."""
    families = [family for family in judgement.families if family.outcome == outcome]
    pairs = [pair for family in families for pair in family.with_reference]
    reasons = {pair.reason for pair in pairs}
    once = len(pairs) > 1 and len(reasons) == 1 and CANNOT in next(iter(reasons))
    lines = [verdict(pair, with_reason=not once) for pair in pairs[:MOST_VERDICTS]]
    if len(pairs) > MOST_VERDICTS:
        lines.append(f"and {len(pairs) - MOST_VERDICTS} more pairs: --statistics has them")
    lines += [f"{TOO_FEW}: {reason}" for reason in reasons if once]
    rankings = [ranking_line(family) for family in families if len(family.rows) > 2]
    if len(families) <= 2:
        lines += rankings
    elif rankings:
        lines.append(f"rankings of {len(rankings)} sets of rows: --statistics has them")
    return [*lines, *(how_decided(families) if pairs else ()), *judgement.problems]


def verdict(pair: Pair, *, with_reason: bool = True) -> str:
    """One pair, such as `caffe: 2.4 × the training time of torch (8 blocks, 95 % interval 2.3 to 2.5 (t)): slower`.

    `with_reason`: whether it says what too few blocks can not do; where that is the same for all, it is said once.
    """
    of = f"{outcome_words(pair.outcome)} of {pair.reference}"
    mark = f"; DISTURBED: {' and '.join(pair.disturbed)}" if pair.disturbed else ""
    if pair.ratio is None:
        return f"{pair.row}: not compared with the {of}: {pair.reason}{mark}"
    decision = _decision(pair) if with_reason else f"undecided, {TOO_FEW}"
    left_out = "".join(f"; {why}: block {_listed(seeds)}" for why, seeds in pair.left_out.items())
    return f"{pair.row}: {significant(pair.ratio)} × the {of} ({_certainty(pair)}): {decision}{left_out}{mark}"


def _certainty(pair: Pair) -> str:
    blocks = f"{pair.n} block{'' if pair.n == 1 else 's'}"
    bounds = pair.shown
    if bounds.low is None or bounds.high is None:
        return f"{blocks}, no interval"
    return f"{blocks}, 95 % interval {significant(bounds.low)} to {significant(bounds.high)} ({bounds.method})"


def _decision(pair: Pair) -> str:
    p = f"p = {_p(pair.p_holm)}"
    if pair.verdict == DIFFERENT:
        return f"{direction(pair)}, {p}"
    if pair.verdict == EQUIVALENT and pair.equivalence:
        return (
            f"equivalent within {100 * pair.equivalence.margin:g} %, p = {_p(pair.equivalence.p_holm)}: {pair.reason}"
        )
    if pair.verdict == NOT_COMPARED:
        return pair.reason
    return f"undecided: {pair.reason}" if CANNOT in pair.reason else f"undecided, {p}"


def direction(pair: Pair) -> str:
    """`faster`, `slower`, `better`, `worse`, or `more`, `less` of what has no better direction."""
    more = pair.ratio is not None and pair.ratio > 1
    better = column_for(pair.outcome).better
    if better is None:
        return "more" if more else "less"
    good = more == (better == "higher")
    if pair.outcome in (TIME, "samples_per_s"):
        return "faster" if good else "slower"
    return "better" if good else "worse"


def ranking_line(family: Family) -> str:
    """Rows by mean rank with the groups that are not distinguishable, or why there are none."""
    found = family.ranking
    what = f"ranking by {outcome_words(family.outcome)}"
    if found.reason:
        return f"{what}: no groups: {found.reason}"
    order = ", ".join(f"{name} {mean:.2f}" for name, mean in zip(found.rows, found.mean_ranks, strict=True))
    groups = "; ".join(f"{{{', '.join(group)}}}" for group in found.groups) or "none"
    blocks = (
        f"{len(found.seeds)} blocks, Friedman p = {_p(found.p)}, critical difference {found.critical_difference:.2f}"
    )
    left_out = f"; incomplete blocks left out: {_listed(sorted(found.left_out))}" if found.left_out else ""
    return f"{what}: mean rank {order} ({blocks}); not distinguishable: {groups}{left_out}"


def families_words(families: Sequence[Family]) -> str:
    """What Holm's method corrects for, in words."""
    sizes = sorted({family.comparisons for family in families})
    listed = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    count = "one family" if len(families) == 1 else f"{len(families)} families"
    comparisons = f"{listed} comparison{'' if sizes[-1] == 1 else 's'}"
    return f"{count} of {comparisons} for Holm (all pairs of rows that ran the same work)"


def how_decided(families: Sequence[Family]) -> Iterable[str]:
    """Test, correction and family, in one line."""
    if any(family.comparisons for family in families):
        words = families_words(families)
        yield f"p: two-sided sign flips over blocks (a block is a seed), {words}; different where p < {LEVEL:g}"


def stable_line(judgement: Judgement, outcome: str = TIME) -> str | None:
    """Whether the ratios are known to 5 % and the trials undisturbed; None where nothing is compared."""
    families = [family for family in judgement.families if family.outcome == outcome]
    if not any(family.comparisons for family in families):
        return None
    target = f"ratios of {outcome_words(outcome)} known to {100 * WANTED_HALF_WIDTH:.0f} %, trials undisturbed"
    rows: dict[str, list[str]] = {}
    for family in families:
        for name, why in family.unstable.items():
            rows.setdefault(why, []).append(name)
    if not rows:
        return f"stable: yes ({target})"
    shown = [f"{_short(names)}: {why}" for why, names in list(rows.items())[:MOST_LISTED]]
    left = sum(len(names) for names in list(rows.values())[MOST_LISTED:])
    return f"stable: no ({target}): {'; '.join(shown)}{f'; and {left} more rows' if left else ''}"


MOST_LISTED = 6


def deciding_lines(
    judgement: Judgement, comparison: Comparison, store: Path | str, outcome: str = TIME
) -> list[tuple[str, str]]:
    """The command that would decide open pairs, with what it gives; none where nothing is open."""
    families = [family for family in judgement.families if family.outcome == outcome and family.undecided]
    if not families:
        return []
    undecided = [pair for family in families for pair in family.undecided]
    least = max(0, *(family.fewest_blocks - min(pair.n for pair in family.undecided) for family in families))
    needed = sorted(pair.more_blocks for pair in undecided if pair.more_blocks is not None)
    reachable = [more for more in needed if more <= MOST_ASKED] or needed[:1]
    more = max((least, *reachable[-1:]))
    if not more:
        return _or_equivalent(judgement, comparison, store, len(undecided))
    seeds = seed_text({seed for family in families for seed in family.seeds}, more)
    file, told_of = _study_file(comparison.study)
    command = f"dlgauge run {file} --store {_quoted(store)} --seeds {seeds}"
    lines = [(command, _gives(more, least, needed, len(undecided)) + told_of)]
    return lines + (_or_equivalent(judgement, comparison, store, len(undecided)) if more > MOST_ASKED else [])


def _gives(more: int, least: int, needed: Sequence[int], undecided: int) -> str:
    """What so many more blocks would give, and what is left open even then."""
    blocks = f"{more} more block{'' if more == 1 else 's'}"
    if more == least:
        blocks += f", the fewest with which p < {LEVEL:g} can be reached,"
    decided = sum(one <= more for one in needed)
    pairs = f"{decided} of {undecided} undecided pair{'' if undecided == 1 else 's'}"
    if not needed:
        return f"{blocks} would allow a verdict"
    text = f"about {blocks} would decide {pairs}{_sooner(more, least, needed)}"
    later = [one for one in needed if one > more]
    if later:
        text += f"; the next takes about {later[0]}"
    if len(needed) < undecided:
        alike = undecided - len(needed)
        text += f"; {alike} differ{'s' if alike == 1 else ''} too little for 1,000 more"
    return text


def _sooner(more: int, least: int, needed: Sequence[int]) -> str:
    """How many pairs the fewest useful blocks would decide, where these are fewer than `more`."""
    first = max(least, needed[0])
    count = sum(one <= first for one in needed)
    return f", {first} would decide {count}" if first < more else ""


def _or_equivalent(
    judgement: Judgement, comparison: Comparison, store: Path | str, undecided: int
) -> list[tuple[str, str]]:
    """Where no number of blocks would tell rows apart, the question is whether they are equivalent."""
    if judgement.margin is not None:
        return []
    pairs = f"{undecided} undecided pair{'' if undecided == 1 else 's'}"
    gives = f"{pairs} would take hundreds of blocks to tell apart: asks whether they are equivalent within a margin"
    of = f"{_quoted(store)} --study {_quoted(comparison.study)}"
    return [(f"dlgauge compare {of} --equivalence 3%", gives)]


def _study_file(study: str) -> tuple[str, str]:
    """How `dlgauge run` finds a study, and what a reader has to put there himself."""
    from harness.study.loading import study_names

    if study in study_names():
        return _quoted(study), ""
    return "STUDY.yaml", f"; STUDY.yaml: the file of study {study}"


def _quoted(text: Path | str) -> str:
    return shlex.quote(str(text))


def seed_text(seeds: Iterable[int], more: int) -> str:
    """Seeds and `more` that follow the largest, as `--seeds` takes them: `1-8`, or `1,3,7-9`."""
    known = sorted(seeds)
    runs: list[list[int]] = []
    for seed in [*known, *range(known[-1] + 1, known[-1] + 1 + more)]:
        if runs and seed == runs[-1][-1] + 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def front_lines(front: Front) -> list[str]:
    """A Pareto front in sentences."""
    title = f"top-1 accuracy against {outcome_words(front.cost)}"
    if 1 < len(front.seeds) < FEW_BLOCKS and not front.reason:
        title += ", shares of resamples coarse for want of blocks"
    if front.reason:
        return [f"{title}: no front: {front.reason}"]
    of = f"{len(front.seeds)} complete block{'' if len(front.seeds) == 1 else 's'}"
    lines = [f"{title} ({of}):"]
    lines += [f"  {_front_row(row, front)}" for row in front.rows]
    return [*lines, *(f"  {name}: not in it: {why}" for name, why in front.left_out.items())]


def _front_row(row: FrontRow, front: Front) -> str:
    column = column_for(front.cost)
    unit = "" if column.unit == "1" else f" {column.unit}"
    values = f"{row.accuracy_percent:.4g} % at {row.cost / column.scale:.4g}{unit}"
    share = "" if row.resamples_dominated is None else f", {100 * row.resamples_dominated:.3g} % of the resamples"
    how_often = f"dominated in {row.blocks_dominated} of {len(front.seeds)} blocks{share}"
    where = "on the front" if row.on_front else f"dominated by {_short(row.dominated_by)}"
    return f"{row.name}: {values}: {where} ({how_often})"


def _short(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


def _p(p: float | None) -> str:
    return "n/a" if p is None else f"{p:.2g}"


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))
