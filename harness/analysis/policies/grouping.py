"""Which trials may be ranked together: the same work in everything but policy and seed, on one framework.

Two policies are comparable where dataset content, preprocessing, network, loss, the whole setting but its policy, and
the profile's precision and device (processor or GPU) are equal; costs in time, processor time and energy also need the
same machine and the whole profile. Results of several
frameworks are pooled only as means over the same seeds on all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

RESULTS = ("completed", "diverged")
"""Terminations that say something about a policy."""

USUAL = ("float32", "cpu", "unknown")
"""Precision and device that a title does not name."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Group:
    """Comparable trials.

    Attributes:
        rows: those with a result, one for each framework, policy and seed: the latest.
        without_result: the others: crashed, timed out, ….
        scaled: trials that ran a policy at another base rate to see how robust it is.
    """

    rows: tuple[Row, ...]
    without_result: tuple[Row, ...] = ()
    scaled: tuple[Row, ...] = ()

    @property
    def first(self) -> Row:
        """A row to read from what all of them share."""
        return next(iter((*self.rows, *self.scaled, *self.without_result)))

    @property
    def frameworks(self) -> tuple[str, ...]:
        """Names with versions, sorted."""
        return tuple(sorted({framework_of(row) for row in (*self.rows, *self.scaled)}))

    @property
    def pooled(self) -> bool:
        """Whether this is several frameworks together."""
        return len(self.frameworks) > 1

    @cached_property
    def policies(self) -> dict[str, tuple[Row, ...]]:
        """Rows by policy (`policy_json`), in the order in which the policies first ran."""
        return _by_policy(self.rows)

    @cached_property
    def scaled_policies(self) -> dict[str, tuple[Row, ...]]:
        """The same of every trial, those at other base rates included."""
        known = {(framework_of(row), row["policy_json"], row["seed"]) for row in self.rows}
        more = [row for row in self.scaled if (framework_of(row), row["policy_json"], row["seed"]) not in known]
        return _by_policy([*self.rows, *more])

    @property
    def title(self) -> str:
        """One line: dataset, network, frameworks, length and batch size; precision and device where unusual."""
        row = self.first
        where = " + ".join(self.frameworks)
        on = "".join(f" · {one}" for one in (precision_of(row), device_of(row)) if one not in USUAL)
        return f"{row['dataset']} · {row['network']} · {where} · {row['steps']} steps of {row['batch_size']}{on}"

    @property
    def certificates(self) -> dict[str, tuple[str, ...]]:
        """Parity certificates of each framework, `none` where a trial has none."""
        found: dict[str, set[str]] = {}
        for row in (*self.rows, *self.scaled):
            found.setdefault(framework_of(row), set()).add(row["certificate"] or "none")
        return {name: tuple(sorted(values)) for name, values in sorted(found.items())}


@dataclass
class _Open:
    rows: dict[tuple[Any, ...], Row] = field(default_factory=dict)
    scaled: dict[tuple[Any, ...], Row] = field(default_factory=dict)
    without: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        if row["termination"] not in RESULTS:
            self.without.append(row)
            return
        held = self.rows if row["base_rate_scale"] == 1 else self.scaled
        key = (framework_of(row), row["policy_json"], row["seed"])
        if key not in held or held[key]["started_at"] <= row["started_at"]:
            held[key] = row

    def closed(self) -> Group:
        return Group(tuple(self.rows.values()), tuple(self.without), tuple(self.scaled.values()))


def group_rows(rows: Iterable[Row], *, by_machine: bool = False, pooled: bool = False) -> list[Group]:
    """Comparable groups, those with the most trials first; a group without any result is left out.

    Args:
        rows: of the database.
        by_machine: the same machine and profile too, as costs in time need it.
        pooled: all frameworks together; only groups of two frameworks or more are returned.
    """
    opened: dict[tuple[Any, ...], _Open] = {}
    for row in rows:
        key: tuple[Any, ...] = conditions_of(row)
        if by_machine:
            key = (*key, row["host"], row["profile_json"])
        if not pooled:
            key = (*key, framework_of(row))
        opened.setdefault(key, _Open()).add(row)
    groups = [one.closed() for one in opened.values()]
    kept = [group for group in groups if group.rows and (not pooled or group.pooled)]
    return sorted(kept, key=lambda group: (-len(group.rows), group.title))


def framework_of(row: Row) -> str:
    """Name and version: another version is another instrument."""
    return f"{row['framework']} {row['framework_version'] or ''}".strip()


def conditions_of(row: Row) -> tuple[str, ...]:
    """What two policies must share to be compared: they change what is computed, not only how fast."""
    return str(row["workload_sha256"]), str(row["setting_json"]), precision_of(row), device_of(row)


def precision_of(row: Row) -> str:
    """Of the hardware profile; `unknown` where the row does not say."""
    return str(_profile(row).get("precision") or "unknown")


def device_of(row: Row) -> str:
    """`gpu` where the hardware profile has any, else `cpu`; `unknown` where the row does not say."""
    gpus = _profile(row).get("gpus")
    return "unknown" if gpus is None else "gpu" if gpus else "cpu"


def profile_note(group: Group) -> str | None:
    """That trials of several hardware profiles are ranked together, where they are."""
    names: dict[str, int] = {}
    for row in group.rows:
        names[str(row["profile"])] = names.get(str(row["profile"]), 0) + 1
    if len({row["profile_json"] for row in group.rows}) < 2:
        return None
    said = ", ".join(f"{name} {count}" for name, count in sorted(names.items()))
    return (
        f"ranked together from trials of different hardware profiles of one precision and device ({said}); of each "
        "framework, policy and seed the latest trial counts"
    )


def _profile(row: Row) -> Mapping[str, Any]:
    value = json.loads(row["profile_json"] or "{}")
    return value if isinstance(value, Mapping) else {}


def notes_on(groups: Sequence[Group], rows: Iterable[Row]) -> list[str]:
    """What a reader must know before he puts the groups side by side."""
    listed = list(rows)
    notes = []
    contents: dict[str, set[str]] = {}
    for row in listed:
        contents.setdefault(str(row["dataset"]), set()).add(str(row["dataset_content_sha256"] or "unknown"))
    for dataset, found in contents.items():
        if len(found) > 1:
            hashes = ", ".join(sorted(one[:12] for one in found))
            notes.append(f"dataset {dataset} stands here with {len(found)} different contents ({hashes}): ranked apart")
    notes += _setting_notes(groups)
    if imported := [row for row in listed if row["origin"]]:
        origins = sorted({str(row["origin"]) for row in imported})
        notes.append(f"{len(imported)} of {len(listed)} trials are imported: {'; '.join(origins)}")
    return notes


def certificate_note(group: Group) -> str | None:
    """Whether it is proven that the trials of a group compute the same thing."""
    found = group.certificates
    distinct = {value for values in found.values() for value in values}
    if len(distinct) == 1 and "none" not in distinct:
        return None
    said = "; ".join(f"{name}: {', '.join(value[:12] for value in values)}" for name, values in found.items())
    if distinct == {"none"}:
        return f"no parity certificate covers these trials ({said}); `dlgauge parity` makes one"
    what = "pooled over" if group.pooled else "ranked together from"
    return f"{what} trials of different parity certificates ({said})"


def _setting_notes(groups: Sequence[Group]) -> list[str]:
    """In what groups of the same dataset, network and frameworks differ."""
    alike: dict[tuple[Any, ...], list[Group]] = {}
    for group in groups:
        key = (group.first["dataset"], group.first["network"], group.frameworks)
        alike.setdefault(key, []).append(group)
    notes = []
    for (dataset, network, frameworks), found in alike.items():
        flat = [_flat({"setting": json.loads(group.first["setting_json"])}) for group in found]
        flat = [{**one, **_beside(group.first)} for one, group in zip(flat, found, strict=True)]
        paths = sorted({path for one in flat for path in one})
        differing = [path for path in paths if len({json.dumps(one.get(path)) for one in flat}) > 1]
        if differing:
            names = ", ".join(path.removeprefix("setting.") for path in differing)
            where = f"{dataset} · {network} · {' + '.join(frameworks)}"
            notes.append(f"{where}: {len(found)} rankings, for trials that differ in {names} are not ranked together")
    return notes


def _beside(row: Row) -> dict[str, Any]:
    """The conditions that stand in no setting."""
    return {"workload": row["workload_sha256"], "precision": precision_of(row), "device": device_of(row)}


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix: value}
    found: dict[str, Any] = {}
    for key, inner in value.items():
        found.update(_flat(inner, f"{prefix}.{key}" if prefix else str(key)))
    return found


def _by_policy(rows: Iterable[Row]) -> dict[str, tuple[Row, ...]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["policy_json"], []).append(row)
    return {policy: tuple(of_one) for policy, of_one in found.items()}
