"""What keeps records from speaking to a claim, and what a reader must know where they may."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.analysis.claims.cells import CellRecords, text_of
from harness.analysis.claims.model import Claim, Difference
from harness.analysis.claims.selection import Group, Selection
from harness.analysis.host import describe_host, machine_facts
from harness.errors import DlgaugeError
from harness.records import Record
from harness.records.summary_keys import CONFIDENCE_KEYS
from harness.validation import nearest
from harness.workloads.datasets.description import VARIANT_SIGN

if TYPE_CHECKING:
    from harness.analysis.comparison import Excluded
    from harness.analysis.observations import Observations

DIFFERENCE_WORDS: Mapping[Difference, str] = {
    "hardware": "other hardware",
    "framework_version": "other framework versions",
    "dataset_variant": "a variant of the dataset",
    "length": "shortened training",
}
SAME_ON_EVERY_MACHINE = frozenset(
    (
        *("top1_percent", "top5_percent", "test_loss", "final_training_loss", *CONFIDENCE_KEYS),
        *("best_validation_step", "best_validation_top1_percent", "top1_at_best_validation_percent", "steps_done"),
    )
)
"""Outcomes that other programs on the machine do not change."""

NO_SCOPE = "the claim's scope does not carry over to that"


@dataclass(frozen=True)
class Findings:
    """Reasons against comparing at all, and notes beside a verdict."""

    reasons: tuple[str, ...]
    notes: tuple[str, ...]


def held_against_source(claim: Claim, group: Group, observations: Observations) -> Findings:
    """The conditions of records against the source's: what the scope carries over is noted, all else is a reason."""
    reasons, notes = [*_device(claim, group), *group.problems], []
    found = [*_hardware(claim, group), *_versions(claim, group), *_variant(group), *_length(group)]
    for kind, text in found:
        if kind in claim.entry.scope.transfers:
            notes.append(f"{DIFFERENCE_WORDS[kind]}: {text}")
        else:
            reasons.append(f"{DIFFERENCE_WORDS[kind]}: {text}; {NO_SCOPE}")
    if (uneven := _uneven(group)) is not None:
        reasons.append(uneven)
    notes += [*_record_notes(claim, group), *_failed(group, observations)]
    return Findings(tuple(reasons), tuple(notes))


def why_no_group(claim: Claim, selection: Selection, observations: Observations) -> tuple[str, ...]:
    """Why there are no conditions under which every cell has records."""
    reasons = ["the claim is about a GPU"] if claim.published.device == "gpu" else []
    if selection.problems:
        return (*reasons, *selection.problems)
    empty = [name for name, rows in selection.cells.items() if not len(rows)]
    for name in empty:
        reasons.append(f"cell {name!r} has no completed record{_why_empty(selection.wanted[name], observations)}")
    if claim.entry.levels is not None and not selection.cells:
        reasons.append(f"no completed record of its selection{_why_empty(claim.entry.levels.select, observations)}")
    if not empty and selection.cells:
        reasons.append(_scattered(selection))
    return tuple(reasons)


def _hardware(claim: Claim, group: Group) -> Iterable[tuple[Difference, str]]:
    if claim.published.hardware is None:
        return
    machine, model = _machine(group)
    if claim.published.cpu_model is None or claim.published.cpu_model not in model:
        yield "hardware", f"published on {claim.published.hardware}; these records are of {machine}"


def _machine(group: Group) -> tuple[str, str]:
    """The machine of a group in words, and its CPU model."""
    record = _first_record(group.cells)
    host = record.manifest.get("host") if record is not None else None
    if isinstance(host, Mapping):
        return describe_host(host), str(machine_facts(host).get("cpu_model") or "")
    return f"the machine {group.conditions.get('host') or 'not recorded'}", ""


def _device(claim: Claim, group: Group) -> Iterable[str]:
    """Cells that were not trained on the claim's device. No scope carries a CPU over to a GPU."""
    wanted = claim.published.device
    if wanted is None:
        return
    others: dict[str, list[str]] = {}
    for one in group.cells:
        record = _first_record([one])
        profile = record.specification.get("profile") if record is not None else None
        gpus = profile.get("gpus") if isinstance(profile, Mapping) else None
        if bool(gpus) != (wanted == "gpu"):
            found = "CPUs" if not gpus else f"{gpus} GPU{'s' if gpus != 1 else ''}"
            others.setdefault(found, []).append(one.name)
    for found, names in others.items():
        yield f"the claim is about a {wanted.upper()}; trained on {found}: {', '.join(names)}"


def _first_record(cells: Iterable[CellRecords]) -> Record | None:
    return next((record for one in cells for record in _readable(one)), None)


def _versions(claim: Claim, group: Group) -> Iterable[tuple[Difference, str]]:
    told = []
    rows = [(str(row["framework"]), str(row["framework_version"])) for one in group.cells for row in _dicts(one)]
    for framework, version in dict.fromkeys(rows):
        if framework not in claim.published.frameworks:
            continue
        published = claim.published.frameworks[framework]
        if published != version:
            told.append(f"{framework} {version} for {published or 'a version that the source does not tell'}")
    if told:
        yield "framework_version", ", ".join(told)


def _variant(group: Group) -> Iterable[tuple[Difference, str]]:
    dataset = str(group.conditions.get("dataset"))
    wanted = {
        str(value) for one in group.cells for key, value in one.cell.select.items() if key in ("dataset", "workload")
    }
    if VARIANT_SIGN in dataset and not any(VARIANT_SIGN in one for one in wanted):
        yield "dataset_variant", f"{dataset} for {dataset.split(VARIANT_SIGN)[0]}"


def _length(group: Group) -> Iterable[tuple[Difference, str]]:
    shares = {one.share for one in group.cells if one.share is not None}
    if shares and shares != {1.0}:
        low, high = 100 * min(shares), 100 * max(shares)
        share = f"{low:.3g} %" if f"{low:.3g}" == f"{high:.3g}" else f"{low:.3g} to {high:.3g} %"
        steps = {one.name: f"{one.steps[0]} of {one.cell.steps} steps" for one in group.cells if one.share is not None}
        told = ", ".join(f"{name} {text}" for name, text in steps.items())
        if len(set(steps.values())) == 1 and len(steps) > 1:
            told = f"{next(iter(steps.values()))} in every cell"
        yield "length", f"{share} of the source's ({told})"


def _uneven(group: Group) -> str | None:
    """Cells that were shortened by different shares: no relation between them survives that."""
    shares = {f"{one.share:.3g}" for one in group.cells if one.share is not None}
    if len(shares) <= 1:
        return None
    listed = ", ".join(f"{one.name} {100 * one.share:.3g} %" for one in group.cells if one.share is not None)
    return f"the cells were trained for different shares of the source's steps: {listed}"


def _record_notes(claim: Claim, group: Group) -> Iterable[str]:
    for one in group.cells:
        if one.left_out:
            plural = "s" if len(one.left_out) > 1 else ""
            left_out = f"earlier record{plural} of the same block{plural} left out: {', '.join(one.left_out)}"
            yield f"cell {one.name!r}: {left_out}"
        if one.other_lengths:
            others, own = (", ".join(map(str, steps)) for steps in (one.other_lengths, one.steps))
            yield f"cell {one.name!r}: records of {others} steps are left for those of {own}"
    yield from _certificates(group)
    by_cell = {one.name: " and ".join(sorted({str(row["study"]) for row in _dicts(one)})) for one in group.cells}
    if len(set(by_cell.values())) > 1:
        listed = ", ".join(f"{name}: {studies}" for name, studies in by_cell.items())
        yield f"the cells are of different studies, so that a block shares its seed but not its time ({listed})"
    if set(claim.outcomes) - SAME_ON_EVERY_MACHINE:
        yield from _disturbed(group)


def _failed(group: Group, observations: Observations) -> Iterable[str]:
    """Trials of a cell that did not complete: its numbers are those of the others."""
    for one in group.cells:
        failed = [trial for trial in observations.excluded if _was_meant(one.cell.select, trial)]
        if failed:
            yield f"cell {one.name!r}: its numbers are without {_how_ended(failed)}"


def _how_ended(failed: Sequence[Excluded]) -> str:
    kinds = Counter(one.termination for one in failed)
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return f"{len(failed)} trial{'s' if len(failed) != 1 else ''} that did not complete ({listed})"


def _disturbed(group: Group) -> Iterable[str]:
    """Records in which a signal of a disturbance was beyond its limit."""
    signals: Counter[str] = Counter()
    records = [record for one in group.cells for record in _readable(one)]
    for record in records:
        told = record.manifest.get("disturbances") or ()
        signals.update({str(one.get("signal")) for one in told if isinstance(one, Mapping)})
    count = sum(bool(record.manifest.get("disturbances")) for record in records)
    if count:
        listed = ", ".join(f"{signal} in {times}" for signal, times in sorted(signals.items()))
        yield f"{count} of {len(records)} records were disturbed ({listed}): times are those of a disturbed machine"


def _readable(one: CellRecords) -> Iterable[Record]:
    for path in one.rows["path"].tolist():
        with contextlib.suppress(DlgaugeError):
            yield Record.read(Path(str(path)))


def _certificates(group: Group) -> Iterable[str]:
    rows = [row for one in group.cells for row in _dicts(one)]
    bare = [row for row in rows if not isinstance(row["certificate"], str)]
    if bare:
        names = ", ".join(sorted({str(row["framework"]) for row in bare}))
        yield f"{len(bare)} of {len(rows)} records are covered by no parity certificate ({names})"
    by_subject: dict[tuple[Any, ...], Counter[str]] = {}
    for row in rows:
        if isinstance(row["certificate"], str):
            subject = (row["workload"], row["setting"])
            by_subject.setdefault(subject, Counter())[row["certificate"]] += 1
    for (workload, setting), counts in by_subject.items():
        if len(counts) > 1:
            listed = ", ".join(f"{certificate[:12]} ({count})" for certificate, count in sorted(counts.items()))
            yield f"mixed parity certificates on {workload} with {setting}: {listed}"


def _why_empty(select: Mapping[str, Any], observations: Observations) -> str:
    """What there is in place of a selection: trials that failed, or near values of its columns."""
    failed = [one for one in observations.excluded if _was_meant(select, one)]
    if failed:
        first = failed[0]
        return f", only {_how_ended(failed)}; {first.trial.id}: {first.reason}"
    for column, value in select.items():
        there = sorted({text_of(one) for one in observations.frame[column].dropna().tolist()})
        values = value if isinstance(value, tuple) else (value,)
        lacking = [text_of(one) for one in values if not any(_begins(one, other) for other in there)]
        if len(lacking) == len(values):
            near = nearest(lacking[0], there) if there else "; the store has no completed record"
            return f": none has {column} {' or '.join(lacking)}{near}"
    wanted = ", ".join(f"{column} {value}" for column, value in select.items())
    return f" with all of {wanted}"


def _begins(wanted: Any, there: str) -> bool:
    return text_of(wanted) in (there, there.split(VARIANT_SIGN)[0])


def _was_meant(select: Mapping[str, Any], excluded: Excluded) -> bool:
    """Whether a trial that did not complete would have been of a selection."""
    if "framework" in select and excluded.framework not in _values(select["framework"]):
        return False
    specification = _specification(excluded.trial.path)
    if specification is None:
        return "framework" in select
    for part in ("workload", "setting", "profile"):
        named = specification.get(part)
        name = str(named.get("name")) if isinstance(named, Mapping) else ""
        if part in select and not any(_begins(one, name) for one in _values(select[part])):
            return False
    rate = specification.get("setting", {}).get("learning_rate", {})
    return "policy" not in select or rate.get("policy") in _values(select["policy"])


@lru_cache(maxsize=10_000)
def _specification(path: str) -> dict[str, Any] | None:
    """Of a record, which never changes; None where it cannot be read."""
    try:
        return Record.read(Path(path)).specification
    except DlgaugeError:
        return None


def _values(value: Any) -> Sequence[Any]:
    return value if isinstance(value, tuple) else (value,)


def _scattered(selection: Selection) -> str:
    """Every cell has records, but under no common conditions: which columns keep them apart."""
    columns = sorted({name for one in selection.incomplete for name in one})
    apart = []
    for column in columns:
        by_cell = {name: {str(value) for value in rows[column].tolist()} for name, rows in selection.cells.items()}
        if not set.intersection(*by_cell.values()):
            told = "; ".join(f"{name}: {', '.join(sorted(map(_short, found)))}" for name, found in by_cell.items())
            apart.append(f"{COLUMN_WORDS.get(column, column)} ({told})")
    if apart:
        return f"the cells have no records under common conditions: they differ in {', in '.join(apart)}"
    return "the cells have no records under common conditions of dataset, machine and profile"


COLUMN_WORDS = {"content_sha256": "the content of the dataset", "host": "the machine"}


def _short(text: str) -> str:
    return text if len(text) <= 16 else text[:12]


def _dicts(one: CellRecords) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in one.rows.to_dict("records")]
