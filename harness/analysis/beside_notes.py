"""A/A pairs and canaries as sentences for the reader of a comparison."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.analysis.beside import ArmPair, Drift
from harness.analysis.cells import row_names
from harness.analysis.statistics import PairedRatio

MOST_PAIRS_LISTED = 4
"""Of more A/A pairs than this only a count and the extremes are told."""
WORDS = {
    "training_time_s": "training time",
    "samples_per_s": "samples/s",
    "cpu_seconds": "CPU time",
    "peak_resident_bytes": "peak resident memory",
}


def beside_notes(pairs: Sequence[ArmPair], drifts: Sequence[Drift]) -> Iterable[str]:
    """All sentences, those on drift first."""
    for drift in drifts:
        yield from _drift_notes(drift)
    judged = [pair for pair in pairs if any(ratio.n for ratio in pair.ratios.values())]
    names = row_names(pair.key for pair in pairs)
    for pair in pairs:
        if pair not in judged:
            yield f"A/A pair of {names[pair.key]}: no block has a completed trial of both arms, so it says nothing."
    if len(judged) <= MOST_PAIRS_LISTED:
        for pair in judged:
            yield _pair_note(names[pair.key], pair)
    else:
        yield _summary(judged)


def _pair_note(name: str, pair: ArmPair) -> str:
    told = "; ".join(f"{WORDS[key]} {_ratio_words(ratio)}" for key, ratio in pair.ratios.items())
    blocks = max(ratio.n for ratio in pair.ratios.values())
    missed = [WORDS[key] for key, ratio in pair.ratios.items() if _holds_one(ratio) is False]
    verdict = (
        f" The interval of {' and '.join(missed)} does not hold 1, the true ratio: take no difference of that size "
        "between cells for real."
        if missed
        else ""
    )
    return f"A/A pair of {name}, second arm ÷ first arm over {blocks} block{'s' * (blocks != 1)}: {told}.{verdict}"


def _ratio_words(ratio: PairedRatio) -> str:
    if ratio.low is None or ratio.high is None:
        return f"{ratio.ratio:.4g} (one block: no interval)"
    return f"{ratio.ratio:.4g} (95 % interval {ratio.low:.4g} to {ratio.high:.4g})"


def _holds_one(ratio: PairedRatio) -> bool | None:
    """Whether the interval holds 1, the true ratio; None without an interval."""
    return None if ratio.low is None or ratio.high is None else ratio.low <= 1 <= ratio.high


def _summary(pairs: Sequence[ArmPair]) -> str:
    """Many pairs in one sentence: how many intervals hold 1, of each quantity, and the extreme ratios."""
    parts = []
    for key, words in WORDS.items():
        ratios = [pair.ratios[key] for pair in pairs if key in pair.ratios]
        judged = [held for ratio in ratios if (held := _holds_one(ratio)) is not None]
        if not ratios:
            continue
        extremes = f"ratios {min(one.ratio for one in ratios):.4g} to {max(one.ratio for one in ratios):.4g}"
        told = f"the interval holds 1 in {sum(judged)} of {len(judged)}" if judged else "one block: no interval"
        parts.append(f"{words}: {extremes}, {told}")
    return f"A/A pairs of {len(pairs)} cells, second arm ÷ first arm (the true ratio is 1): {'; '.join(parts)}."


def _drift_notes(drift: Drift) -> Iterable[str]:
    runs, name = drift.completed, _canary_name(drift)
    failed = [f"{run.place} ({run.trial}): {run.termination}" for run in drift.runs if run not in runs]
    if failed:
        yield f"{name}: not completed: {', '.join(failed)}."
    if drift.change is None:
        yield f"{name}: {len(runs)} of {len(drift.runs)} completed, so a drift of the machine cannot be told."
        return
    first, last = runs[0], runs[-1]
    speeds = [run.samples_per_s for run in runs if run.samples_per_s is not None]
    between = f"; all {len(runs)} lie between {min(speeds):.0f} and {max(speeds):.0f}" if len(runs) > 2 else ""
    apart = "; two in a row, with nothing between them, differ by up to {}"
    noise = "" if drift.apart is None else apart.format(_percent(drift.apart))
    yield (
        f"Drift of the machine: {name[0].lower()}{name[1:]} trained at {first.samples_per_s:.0f} samples/s "
        f"{first.place} ({first.trial}) and at {last.samples_per_s:.0f} {last.place} "
        f"({last.trial}): {100 * drift.change:+.1f} %{between}{noise}."
    )


def _canary_name(drift: Drift) -> str:
    key = drift.key
    return f"The canary trial ({key.framework}, {drift.steps} steps of {key.workload}, profile {key.profile})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
