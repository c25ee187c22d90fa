"""What a correlation says, as plain sentences: each names the rows of numbers that it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.analysis.correlation.analysis import Correlation
from harness.analysis.correlation.effects import NO_SPREAD, Effect
from harness.analysis.correlation.factors import Factor
from harness.analysis.correlation.knees import Knee
from harness.analysis.correlation.lags import Lag
from harness.analysis.correlation.mixed import Model, Slope
from harness.analysis.correlation.outcomes import outcome_unit, outcome_words, shown_scale
from harness.analysis.correlation.scopes import POOLED
from harness.reporting.correlation_numbers import percent, rounded_together, show_p, significant, with_interval

ADDITIVE_UNITS = ("MiB", "%")
"""Outcomes of these units change by an amount in a sentence; all others by a percentage, where they have a ratio."""
SMALL_SHARE = 0.01
"""Shares below this are not in a sentence of the page; the table has them."""


@dataclass(frozen=True)
class Sentence:
    """A statement.

    Attributes:
        text: in words.
        rows: ids of the rows behind it.
        scope: whose trials it is of.
    """

    text: str
    rows: tuple[str, ...]
    scope: str


def sentences(found: Correlation) -> list[tuple[str, list[Sentence]]]:
    """Heading and sentences, in the order of the page; headings without a sentence are left out."""
    factors = {factor.name: factor for factor in found.factors}
    parts = [
        ("How much each factor changes an outcome", [*_effects(found, factors)]),
        ("What does not follow a factor, as far as these trials tell", [*_nothing_found(found, factors)]),
        ("Where frameworks differ in that", [*_interactions(found, factors)]),
        ("Which factor explains how much", [*_shares(found, factors)]),
        ("Thresholds and saturation", [*_knees(found, factors)]),
        ("Inside a run", [_lag(one) for one in found.lags if one.at_zero is not None]),
    ]
    return [(title, lines) for title, lines in parts if lines]


def where(scope: str) -> str:
    """Beginning of a sentence."""
    return "Over all frameworks" if scope == POOLED else f"On {scope}"


def name_of(factor: str, factors: Mapping[str, Factor]) -> str:
    """A factor in a sentence, without unit."""
    return factor.replace("varied.", "").removesuffix("_bytes").replace("_", " ") if factor in factors else factor


def _effects(found: Correlation, factors: Mapping[str, Factor]) -> Iterable[Sentence]:
    for one in found.effects:
        if one.found and one.difference is not None:
            yield Sentence(effect_words(one, factors), (one.id,), one.scope)


def effect_words(one: Effect, factors: Mapping[str, Factor]) -> str:
    """Such as `On caffe, doubling batch size raises peak memory by 12.3 MiB (95 % 11.9 to 12.7; 40 trials)`."""
    rises, amount = _amount(one)
    verb = "raises" if rises else "lowers"
    number = f"{one.trials} trials in {one.blocks} blocks"
    amount = f"{amount[:-1]}; {number})" if amount.endswith(")") else f"{amount} ({number})"
    change = _change(one.factor, one.change, factors)
    return f"{where(one.scope)}, {change} {verb} {outcome_words(one.outcome)} by {amount}."


def _amount(one: Effect) -> tuple[bool, str]:
    unit, scale = outcome_unit(one.outcome), shown_scale(one.outcome)
    clear = None not in (one.difference_low, one.difference_high) and (
        (one.difference_low or 0) > 0 or (one.difference_high or 0) < 0
    )
    if one.ratio is None or (unit in ADDITIVE_UNITS and clear):
        value, ends = one.difference or 0.0, (one.difference_low, one.difference_high)
        unit = "percentage points" if unit == "%" else unit
    else:
        value = 100 * (one.ratio - 1)
        ends = (_percent_more(one.ratio_low), _percent_more(one.ratio_high))
        unit, scale = "%", 1.0
    low, high = ends
    if value < 0:
        value, low, high = -value, None if high is None else -high, None if low is None else -low
        return False, with_interval(value, low, high, unit, scale)
    return True, with_interval(value, low, high, unit, scale)


def _percent_more(ratio: float | None) -> float | None:
    return None if ratio is None else 100 * (ratio - 1)


def _change(factor: str, change: str, factors: Mapping[str, Factor]) -> str:
    name = name_of(factor, factors)
    if change == "doubling":
        return f"doubling {name}"
    if " against " in change:
        level, reference = change.split(" against ", 1)
        return f"{name} {level} instead of {reference}"
    low, high = change.split(" to ", 1)
    return f"raising {name} from {low} to {high}"


def _nothing_found(found: Correlation, factors: Mapping[str, Factor]) -> Iterable[Sentence]:
    by_change: dict[tuple[str, str, str], list[Effect]] = {}
    for one in found.effects:
        if one.difference is not None and not one.found:
            by_change.setdefault((one.scope, one.factor, one.change), []).append(one)
    # Changes of one factor that say the same of the same outcomes stand in one sentence.
    alike: dict[tuple[str, str, str], list[tuple[str, list[Effect]]]] = {}
    for (scope, factor, change), own in by_change.items():
        for words, some in _why_not_found(own):
            alike.setdefault((scope, factor, words), []).append((change, some))
    for (scope, factor, words), members in alike.items():
        changes = _changes(factor, [change for change, _ in members], factors)
        ids = tuple(one.id for _, some in members for one in some)
        yield Sentence(f"{where(scope)}, {changes}{words}", ids, scope)


def _why_not_found(own: Sequence[Effect]) -> Iterable[tuple[str, list[Effect]]]:
    """Of effects of one change the tested and the untested ones, each with the end of a sentence."""
    tested, untested = [one for one in own if one.q is not None], [one for one in own if one.q is None]
    if tested:
        yield f" is not distinguishable from no change in {_named(tested)}.", tested
    if untested:
        reasons = dict.fromkeys(one.reason or NO_SPREAD for one in untested)
        yield f": no test for {_named(untested)}: {'; '.join(reasons)}.", untested


def _named(effects: Sequence[Effect]) -> str:
    return ", ".join(outcome_words(one.outcome) for one in effects)


def _changes(factor: str, changes: Sequence[str], factors: Mapping[str, Factor]) -> str:
    """One change in words, or several from one reference."""
    if len(changes) == 1 or not all(" against " in change for change in changes):
        return " or ".join(_change(factor, change, factors) for change in changes)
    levels = [change.split(" against ", 1)[0] for change in changes]
    reference = changes[0].split(" against ", 1)[1]
    return f"{name_of(factor, factors)} {', '.join(levels[:-1])} or {levels[-1]} instead of {reference}"


def _interactions(found: Correlation, factors: Mapping[str, Factor]) -> Iterable[Sentence]:
    for model in found.models:
        for one in model.interactions:
            slopes = [s for s in model.slopes if s.factor == one.factor and s.value is not None]
            name, outcome = name_of(one.factor, factors), outcome_words(model.outcome)
            test = f"F = {significant(one.f)} on {one.degrees[0]} and {one.degrees[1]}, q = {show_p(one.q)}"
            ids = (one.id, *(slope.id for slope in slopes))
            if not one.found:
                who = _and(one.frameworks)
                text = f"That {name} changes {outcome} alike on {who} cannot be ruled out ({test})."
            else:
                each = "; ".join(_slope(slope, model) for slope in slopes)
                text = f"{name.capitalize()} changes {outcome} differently by framework ({test}): {each}."
            yield Sentence(text, ids, POOLED)


def _slope(slope: Slope, model: Model) -> str:
    value, low, high = (slope.value or 0.0), (slope.low or 0.0), (slope.high or 0.0)
    change = "" if slope.change == "doubling" else f"{slope.change} "
    if not model.logarithmic:
        scale, unit = shown_scale(model.outcome), outcome_unit(model.outcome)
        return f"{slope.framework} {change}{with_interval(value, low, high, unit, scale)}"
    middle, below, above = rounded_together(*(_percent_change(one) for one in (value, low, high)))
    return f"{slope.framework} {change}{middle} % ({below} to {above})"


def _percent_change(logarithm: float) -> float:
    from math import expm1

    return 100 * expm1(min(logarithm, 700.0))


def _shares(found: Correlation, factors: Mapping[str, Factor]) -> Iterable[Sentence]:
    scopes = list(dict.fromkeys(one.scope for one in found.shares))
    for outcome in dict.fromkeys(one.outcome for one in found.shares):
        for scope in [POOLED] if POOLED in scopes else scopes:
            own = [s for s in found.shares if (s.scope, s.outcome) == (scope, outcome) and s.value is not None]
            terms = sorted((s for s in own if s.term != "residual"), key=lambda s: -(s.value or 0))
            told = [s for s in terms if (s.value or 0) >= SMALL_SHARE]
            rest = next((s for s in own if s.term == "residual"), None)
            if rest is None:
                continue
            # "batch size explains 92 % (87 to 99), framework 3 % (1 to 6)"
            named = [(_term(s.term, factors), _share(s.value, s.low, s.high)) for s in told]
            each = [f"{name} {'explains ' if i == 0 else ''}{share}" for i, (name, share) in enumerate(named)]
            start = "Of" if scope == POOLED else f"{where(scope)}, of"
            explained = ", ".join(each) or "no factor explains a hundredth"
            text = (
                f"{start} the variance of {outcome_words(outcome)} inside blocks, {explained}; "
                f"{percent(min(rest.value or 0.0, 1.0))} is left over: chance, and what these terms do not hold."
            )
            yield Sentence(text, tuple(s.id for s in (*told, rest)), scope)


def _term(term: str, factors: Mapping[str, Factor]) -> str:
    return " × ".join(name_of(part, factors) for part in term.split(" × "))


def _share(value: float | None, low: float | None, high: float | None) -> str:
    if value is None or low is None or high is None:
        return percent(value)
    middle, below, above = rounded_together(100 * value, 100 * low, 100 * high)
    return f"{middle} % ({below} to {above})"


def _knees(found: Correlation, factors: Mapping[str, Factor]) -> Iterable[Sentence]:
    """One sentence a bend that was looked for; one for all of a framework and factor that could not be."""
    unseen: dict[tuple[str, str, str], list[Knee]] = {}
    for one in found.knees:
        if one.curvature is None:
            unseen.setdefault((one.scope, one.factor, one.verdict), []).append(one)
        else:
            yield _knee(one, factors)
    for (scope, factor, why), own in unseen.items():
        outcomes = ", ".join(outcome_words(one.outcome) for one in own)
        text = f"{where(scope)}, no knee could be looked for over {name_of(factor, factors)} in {outcomes}: {why}."
        yield Sentence(text, tuple(one.id for one in own), scope)


def _knee(one: Knee, factors: Mapping[str, Factor]) -> Sentence:
    outcome, factor = outcome_words(one.outcome), name_of(one.factor, factors)
    span = f"{one.levels[0]:g} to {one.levels[-1]:g}"
    number = f"{one.trials} trials in {one.blocks} blocks"
    if one.supported and one.knee is not None:
        text = (
            f"{where(one.scope)}, {outcome} bends at {factor} "
            f"{with_interval(one.knee, one.knee_low, one.knee_high)}: before it grows "
            f"as the power {significant(one.slope_before, 2)} of {factor}, after it as "
            f"{significant(one.slope_after, 2)} ({number})."
        )
    else:
        text = f"{where(one.scope)}, {outcome} over {factor} {span}: {one.verdict} ({number})."
    if one.saturation is not None:
        beyond = f"; an extrapolation, measured are {span}" if one.extrapolated else ""
        plateau = significant((one.plateau or 0.0) / shown_scale(one.outcome))
        text += (
            f" 90 % of a plateau of {plateau} {outcome_unit(one.outcome) or outcome} would be reached at {factor} "
            f"{with_interval(one.saturation, one.saturation_low, one.saturation_high)}{beyond}."
        )
    return Sentence(text, (one.id,), one.scope)


def _lag(one: Lag) -> Sentence:
    follows = "samples trained on per second" if one.activity == "samples/s" else f"being in a phase `{one.activity}`"
    lag = with_interval(one.lag_s, one.lag_low_s, one.lag_high_s, "s")
    text = (
        f"{where(one.framework)}, {one.use} goes with {follows} with correlation "
        f"{with_interval(one.at_zero, one.at_zero_low, one.at_zero_high)} at no lag; the correlation is largest "
        f"at a lag of {lag}, "
        f"not known better than {one.resolution_s:g} s ({one.trials} trials in {one.blocks} blocks)."
    )
    return Sentence(text, (one.id,), one.framework)


def _and(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:-1]) + f" and {listed[-1]}" if len(listed) > 1 else "".join(listed)
