"""A study with `repeats`: a pilot, the number of blocks that follows from it, and the rest of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.analysis.resolution import Resolution
    from harness.execution import StudyResult, StudyRunner
    from harness.study import Plan, Study
    from harness.study.repeats import Repeats

MOST_LISTED = 5
"""Most pairs of cells that are listed one by one."""


@dataclass(frozen=True)
class Decision:
    """What the pilot says of the number of blocks.

    Attributes:
        blocks: of the whole study, the pilot's among them; None where nothing can be said.
        lines: the reason, for people.
    """

    blocks: int | None
    lines: tuple[str, ...]


def run_with_pilot(study: Study, pilot: Plan, runner: StudyRunner, store: Path) -> StudyResult:
    """Run the pilot, tell how many blocks follow from it and why, and run those that are still to run.

    The number follows from the records of the pilot's trials alone, so a study that was stopped goes on to the same
    number.

    Args:
        study: one with `repeats`.
        pilot: its plan.

    Raises: as `StudyRunner.run`.
    """
    from harness.study import make_plan

    repeats = study.repeats
    assert repeats is not None
    result = runner.run(pilot)
    if result.cancelled:
        return result
    decision = decide(resolution_of(store, pilot, repeats), repeats)
    for line in decision.lines:
        print(line, flush=True)
    if decision.blocks is None or decision.blocks <= repeats.pilot:
        return result
    whole = make_plan(replace(study, seeds=repeats.seeds(decision.blocks)))
    known = {trial.id for trial in pilot.trials}
    rest = whole.model_copy(update={"trials": tuple(trial for trial in whole.trials if trial.id not in known)})
    try:
        result = _joined(result, runner.run(rest))
    except KeyboardInterrupt:  # before the first of them: the pilot is there
        return replace(result, cancelled=True)
    if not result.cancelled:
        for line in reached(resolution_of(store, whole, repeats), repeats):
            print(line, flush=True)
    return result


def resolution_of(store: Path, plan: Plan, repeats: Repeats) -> Resolution:
    """What the records of a plan's trials say of the blocks needed."""
    from harness.analysis.resolution import resolution
    from harness.records import Store

    wanted = {trial.id for trial in plan.trials}
    records = [record for record in Store(store).records(plan.study) if record.id in wanted]
    return resolution(records, repeats.resolve)


def decide(found: Resolution, repeats: Repeats) -> Decision:
    """The number of blocks, and the reason in words."""
    lines = [f"pilot: not judged: {line}" for line in found.not_judged]
    widest = found.widest
    if widest is None:
        lines.append(f"pilot: no two cells have {repeats.pilot} blocks to compare, so no number of blocks follows")
        return Decision(None, tuple(lines))
    lines.append(
        f"pilot: of {_count(len(found.pairs), 'ratio')} of samples/s that of {widest.name} varies most, by "
        f"{100 * widest.log_sd:.2g} % from block to block (sd of its logarithm, n = {widest.blocks} blocks)"
    )
    if found.needed is None or found.needed > repeats.at_most:
        needed = "more than 1,000" if found.needed is None else str(found.needed)
        wide = sum(pair.needed is None or pair.needed > repeats.at_most for pair in found.pairs)
        lines.append(
            f"pilot: to bring its 95 % interval to ± {repeats.words} takes {needed} blocks; at_most allows "
            f"{repeats.at_most}, which bring it to ± {_percent(widest.half_width(repeats.at_most))} "
            f"({wide} of {_count(len(found.pairs), 'ratio')} would stay wider than ± {repeats.words})"
        )
        return Decision(repeats.at_most, tuple(lines))
    blocks = max(found.needed, repeats.pilot)
    more = blocks - repeats.pilot
    lines.append(
        f"pilot: {_count(blocks, 'block')} bring every 95 % interval to ± {repeats.words} or less (its to "
        f"± {_percent(widest.half_width(blocks))}): {'no more to run' if not more else f'{more} more to run'}"
    )
    return Decision(blocks, tuple(lines))


def reached(found: Resolution, repeats: Repeats) -> list[str]:
    """Whether the difference can be told with all blocks, which vary as they do and not as the pilot said."""
    wide = [pair for pair in found.pairs if pair.half_width(pair.blocks) > repeats.resolve]
    if not wide:
        return [f"resolved: the 95 % interval of every ratio of samples/s is ± {repeats.words} or narrower"]
    lines = [
        f"not resolved: the 95 % interval of {len(wide)} of {_count(len(found.pairs), 'ratio')} of samples/s is wider "
        f"than ± {repeats.words}: the blocks vary more than those of the pilot did, or at_most was too few"
    ]
    for pair in wide[:MOST_LISTED]:
        takes = "more than 1,000" if pair.needed is None else f"about {pair.needed}"
        width = _percent(pair.half_width(pair.blocks))
        lines.append(f"  {pair.name}: ± {width} with {pair.blocks} blocks; {takes} blocks would do")
    if len(wide) > MOST_LISTED:
        lines.append(f"  and {len(wide) - MOST_LISTED} more")
    lines.append("  a longer `pilot` (its blocks have records already) or a larger `at_most` goes on from here")
    return lines


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def _joined(first: StudyResult, second: StudyResult) -> StudyResult:
    """Both runs as one."""
    return replace(
        first,
        ran=[*first.ran, *second.ran],
        skipped=first.skipped + second.skipped,
        skipped_failures=first.skipped_failures + second.skipped_failures,
        left_out={**first.left_out, **second.left_out},
        cancelled=second.cancelled,
    )
