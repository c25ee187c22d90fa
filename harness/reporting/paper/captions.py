"""What a caption says of a figure: n, intervals, machine, date, data, disturbances, and what was left out and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import harness
from harness.analysis import Comparison
from harness.reporting.paper.model import Mark
from harness.reporting.paper.source import Source
from harness.reporting.remarks import override_words, period

INTERVAL = "95 % interval of the mean (Student's t over trials; the trial, not its samples, is the unit)"
SAID_OTHERWISE = ("Rows of different conditions", "Left out, because")
"""Beginnings of notes of a comparison that a caption has in its own words."""


def facts_of(source: Source, marks: Sequence[Mark], *, memory: bool = False, means: bool = True) -> tuple[str, ...]:
    """The sentences of a caption that hold of every form of these numbers, a table too.

    Args:
        source: what is drawn from.
        marks: what is drawn.
        memory: whether peak memory is drawn, so that notes on it belong to the figure.
        means: whether means over trials are drawn.
    """
    comparison = source.comparison
    sentences = [
        numbers_sentence(marks) if means else "",
        _grain(marks),
        _work(comparison),
        *(_policies(comparison) if means else ()),
        *_conditions(source),
        _date(comparison),
        _disturbed(source),
    ]
    sentences += [*_left_out(source), *_missing(marks), *_notes(comparison, memory)]
    trials = len({trial for mark in marks for trial in mark.trials})
    sentences.append(
        f"Study {source.study}, {trials} trial{'' if trials == 1 else 's'}, dlgauge {harness.__version__}."
    )
    return tuple(sentence for sentence in sentences if sentence)


def numbers_sentence(marks: Sequence[Mark]) -> str:
    """`n = 3 trials each.`, with a word on those of one trial."""
    counts = sorted({mark.n for mark in marks if mark.value is not None})
    if not counts:
        return ""
    single = sum(mark.n == 1 for mark in marks if mark.value is not None)
    text = f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]}"
    text += f" trial{'' if counts == [1] else 's'} (seeds) for each mean"
    if counts == [1]:
        return f"{text}: no interval can be drawn from one trial."
    return f"{text}; {single} of one trial have no interval." if single else f"{text}."


def _work(comparison: Comparison) -> str:
    """What all cells share: workload, setting, profile, and what the study set in their place."""
    told = []
    for title, names in (
        ("workload", {cell.key.workload for cell in comparison.cells}),
        ("setting", {cell.key.setting for cell in comparison.cells}),
        ("profile", {cell.key.profile for cell in comparison.cells}),
    ):
        if len(names) == 1:
            told.append(f"{title} {next(iter(names))}")
    words = override_words(comparison)
    text = ", ".join(told) + (f", with {words}" if words else "")
    return f"{text[0].upper()}{text[1:]}." if told else (f"All with {words}." if words else "")


def _grain(marks: Sequence[Mark]) -> str:
    if not any(mark.quantity.startswith(("top1", "top5", "best_validation_top1")) and mark.n > 1 for mark in marks):
        return ""
    return "The interval of an accuracy is no narrower than its grain, one image of those evaluated, leaves."


def _policies(comparison: Comparison) -> Iterable[str]:
    """The parameters of policies and optimizers that a figure names by their function alone."""
    texts: dict[str, dict[str, str]] = {}
    for cell in comparison.cells:
        functions = dict(cell.key.functions)
        for name, text in cell.key.varied:
            if name in functions:
                texts.setdefault(name, {})[text] = functions[name]
    for name, found in texts.items():
        if len(set(found.values())) == len(found):
            yield f"{name.replace('_', ' ').capitalize()}: {'; '.join(found)}."


def _conditions(source: Source) -> Iterable[str]:
    conditions = source.comparison.conditions
    if len(conditions) == 1:
        (one,) = conditions.values()
        yield f"Machine: {one.machine}. Data: {_data(one.dataset, one.content_sha256)}."
        return
    hosts = {one.host: one.machine for one in conditions.values()}
    if len(hosts) == 1:
        yield f"Machine: {next(iter(hosts.values()))}."
    listed = "; ".join(
        f"{letter}: {_data(one.dataset, one.content_sha256)}" + (f" on {one.machine}" if len(hosts) > 1 else "")
        for letter, one in conditions.items()
    )
    yield f"Conditions {listed}. Numbers of different conditions stand in different panels and are not comparable."


def _data(dataset: str, content: str) -> str:
    return f"{dataset or 'not recorded'}, content SHA-256 {content[:12] or 'not recorded'}"


def _date(comparison: Comparison) -> str:
    return f"Trials {period(comparison)}."


def _disturbed(source: Source) -> str:
    disturbed = [path for path in source.records if source.disturbed(path)]
    if not disturbed:
        return "No trial was disturbed beyond the limits that a record holds it to."
    signals: Counter[str] = Counter()
    for cell in source.cells:
        for one in cell.disturbances:
            signals[one.words.partition(" (")[0]] += one.trials
    listed = "; ".join(f"{words} ({count})" for words, count in signals.most_common())
    return (
        f"Disturbed: {len(disturbed)} of {len(source.records)} trials; their times are those of a disturbed machine "
        f"(trials by signal: {listed})."
    )


def _left_out(source: Source) -> Iterable[str]:
    comparison = source.comparison
    if source.where:
        yield f"Only trials with {' and '.join(source.where)}; {source.hidden} others of the study are not drawn."
    kinds: dict[tuple[str, str], list[str]] = {}
    for one in comparison.excluded:
        kinds.setdefault((one.termination, one.reason), []).append(one.trial.id)
    if kinds:
        listed = "; ".join(
            f"{len(ids)} {termination} ({reason}: {', '.join(ids[:3])}{', …' if len(ids) > 3 else ''})"
            for (termination, reason), ids in kinds.items()
        )
        yield f"Left out, not completed: {listed}."
    if superseded := comparison.superseded:
        yield f"Left out, a later trial of the same cell and seed counts: {', '.join(one.id for one in superseded)}."


def _missing(marks: Sequence[Mark]) -> Iterable[str]:
    missing: dict[tuple[str, str], dict[str, None]] = {}
    for mark in marks:
        if mark.value is None:
            missing.setdefault((mark.quantity, mark.reason), {})[mark.series] = None
    for (quantity, reason), series in missing.items():
        yield f"Not measured: {quantity} of {', '.join(series)}: {reason}."


def _notes(comparison: Comparison, memory: bool) -> Iterable[str]:
    for note in comparison.notes:
        if note.startswith(SAID_OTHERWISE) or ": disturbed: " in note:
            continue
        if memory or not note.startswith("Peak memory"):
            yield without_commands(note)


def without_commands(note: str) -> str:
    """A note without what it tells a user to type: that belongs beside a table, not into a paper."""
    note = re.sub(r" \(`[^`]*`\)", "", note)
    sentences = re.split(r"(?<=\.) (?=[A-Z`])", note)
    kept = [one for one in sentences if "`--" not in one and not one.startswith("To prove it:")]
    return " ".join(one if one.endswith(".") else f"{one}." for one in kept)
