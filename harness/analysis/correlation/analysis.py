"""The whole of `dlgauge correlate` for one study: from observations to what tables, figures and page show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.analysis.correlation.associations import Association, associations
from harness.analysis.correlation.conditions import (
    Problem,
    failed,
    missing_outcomes,
    mixed_conditions,
    of_design,
    split_by_conditions,
)
from harness.analysis.correlation.dependence import MOST_LEVELS, Dependence, dependences
from harness.analysis.correlation.effects import Effect, effects
from harness.analysis.correlation.factors import Factor, candidates_of, find_factors, told_apart
from harness.analysis.correlation.knees import FEWEST_LEVELS, Knee, can_bend, knees
from harness.analysis.correlation.lags import Lag, lags
from harness.analysis.correlation.mixed import Model, models
from harness.analysis.correlation.outcomes import select_outcomes, with_derived
from harness.analysis.correlation.scopes import Scope, make_scopes
from harness.analysis.correlation.shares import Share, shares
from harness.errors import DlgaugeError

if TYPE_CHECKING:
    import pandas as pd

    from harness.analysis.observations import Observations
    from harness.records import Record


@dataclass(frozen=True)
class ScopeTrials:
    """The trials behind a scope's numbers.

    Attributes:
        name: framework, or `pooled`.
        blocks: seeds of its blocks.
        trials: ids.
        records: folders of their records, in the order of `trials`.
    """

    name: str
    blocks: tuple[int, ...]
    trials: tuple[str, ...]
    records: tuple[str, ...]


@dataclass(frozen=True)
class Correlation:
    """All that is said of one study under one set of conditions.

    Attributes:
        study: name of the study.
        conditions: what these trials share and others of the study do not; empty where there is nothing.
        factors: with more than one level.
        outcomes: those that at least one trial has, in the order asked for.
        scopes: the trials of each framework and of all.
        associations, effects, models, shares, knees, dependences, lags: see there.
        problems: what limits the numbers.
    """

    study: str
    conditions: str
    factors: tuple[Factor, ...]
    outcomes: tuple[str, ...]
    scopes: tuple[ScopeTrials, ...]
    associations: tuple[Association, ...]
    effects: tuple[Effect, ...]
    models: tuple[Model, ...]
    shares: tuple[Share, ...]
    knees: tuple[Knee, ...]
    dependences: tuple[Dependence, ...]
    lags: tuple[Lag, ...]
    problems: tuple[Problem, ...]

    @property
    def trial_count(self) -> int:
        """Number of trials behind it."""
        return len(self.scopes[-1].trials) if self.scopes else 0

    @property
    def block_count(self) -> int:
        """Number of blocks."""
        return len(self.scopes[-1].blocks) if self.scopes else 0


def correlate(
    observed: Observations,
    study: str,
    outcomes: Sequence[str] | None = None,
    factors: Sequence[str] | None = None,
    read: Callable[[Path], Record] | None = None,
) -> list[Correlation]:
    """Correlate outcomes with factors of one study, apart for every set of conditions.

    Args:
        observed: observations of this study alone.
        study: its name.
        outcomes: summary keys and derived outcomes; None for `DEFAULT_OUTCOMES`.
        factors: columns; None for all that vary.
        read: reads a record's folder, for the time lags inside runs; None to leave them out.

    Raises:
        DlgaugeError: an unknown outcome or factor, or no completed trial.
    """
    if observed.frame.empty:
        ends = sorted({f"{one.termination}: {one.reason}" for one in observed.excluded})
        raise DlgaugeError(
            f"study {study!r} has no completed trial to correlate" + (f" ({'; '.join(ends)})" if ends else ""),
            hint=f"see why each trial ended: dlgauge report --study {study}",
        )
    chosen = select_outcomes(observed.frame, outcomes)
    frame, extra, left_out = with_derived(observed.frame, chosen, outcomes is not None)
    candidates = list(factors) if factors is not None else candidates_of(frame, observed.varied)
    if factors is not None and "framework" not in candidates:
        candidates.insert(0, "framework")
    find_factors(frame, candidates)  # names an unknown one before anything is computed
    common = failed(observed.excluded, frame)
    if left_out:
        common.append(Problem("not_read", left_out))
    if observed.superseded:
        what = f"{len(observed.superseded)} trials left out: another of the same cell and seed is later"
        common.append(Problem("superseded", what, tuple(one.id for one in observed.superseded)))
    parts, mixed = split_by_conditions(frame)
    reasons = {**observed.not_measured, **extra}
    return [_of_part(study, name, own, candidates, chosen, [*mixed, *common], reasons, read) for name, own in parts]


def _of_part(
    study: str,
    conditions: str,
    frame: pd.DataFrame,
    candidates: Sequence[str],
    chosen: Sequence[str],
    common: Sequence[Problem],
    reasons: Mapping[str, Mapping[str, int]],
    read: Callable[[Path], Record] | None,
) -> Correlation:
    every, single = find_factors(frame, candidates)
    found, left_out = told_apart(frame, every)
    scopes = make_scopes(frame, [factor.name for factor in found])
    outcomes = tuple(key for key in chosen if frame[key].notna().any())
    problems = [
        *common,
        *mixed_conditions(frame),
        *(Problem("together", sentence) for sentence in left_out),
        *of_design(scopes, found, single),
        *missing_outcomes(frame, chosen, reasons),
    ]
    flat = [factor.name for factor in found if factor.ordered and not can_bend(factor)]
    if flat:
        needed = f"{FEWEST_LEVELS} to {MOST_LEVELS} positive levels over a factor of 2"
        what = f"no knee is looked for over {', '.join(flat)}: that takes {needed}"
        problems.append(Problem("one_level", what))
    measured, notes = lags(frame, read) if read is not None else ((), ())
    problems += [Problem("not_read", note) for note in notes]
    of_frame = analyse(scopes, found, outcomes)
    return Correlation(
        study=study,
        conditions=conditions,
        factors=found,
        outcomes=outcomes,
        scopes=tuple(_trials(scope) for scope in scopes),
        associations=of_frame.associations,
        effects=of_frame.effects,
        models=of_frame.models,
        shares=of_frame.shares,
        knees=of_frame.knees,
        dependences=dependences(scopes, outcomes),
        lags=measured,
        problems=tuple(problems),
    )


@dataclass(frozen=True)
class Numbers:
    """The part of a `Correlation` that follows from the table of observations alone."""

    associations: tuple[Association, ...]
    effects: tuple[Effect, ...]
    models: tuple[Model, ...]
    shares: tuple[Share, ...]
    knees: tuple[Knee, ...]


def analyse(scopes: Sequence[Scope], factors: Sequence[Factor], outcomes: Sequence[str]) -> Numbers:
    """All statistics over trials.

    Args:
        scopes: of `make_scopes`; the last one holds all trials.
        factors: of `find_factors`, of all trials.
        outcomes: columns that at least one trial has.
    """
    framework = next((factor for factor in factors if factor.name == "framework"), None)
    names = sorted(str(one) for one in scopes[-1].frame["framework"].unique())
    return Numbers(
        associations=associations(scopes, outcomes),
        effects=effects(scopes, outcomes),
        models=models(scopes[-1], names, outcomes),
        shares=shares(scopes, framework, outcomes),
        knees=knees(scopes, outcomes),
    )


def _trials(scope: Scope) -> ScopeTrials:
    frame = scope.frame
    return ScopeTrials(
        name=scope.name,
        blocks=tuple(sorted({int(one) for one in frame["block"]})),
        trials=tuple(str(one) for one in frame["trial"]),
        records=tuple(str(one) for one in frame["path"]),
    )
