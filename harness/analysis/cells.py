"""Cells: records that differ in the seed alone, or in what cannot change a result, belong together."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.analysis.host import describe_host, host_identity
from harness.schedules import PolicyError, plain_values
from harness.study.matrix import short_value
from harness.study.roles import ROLE_KEYS

if TYPE_CHECKING:
    from harness.records import Record

NOT_PART_OF_A_CELL = ("seed", "time_limit_s", *ROLE_KEYS)
"""Keys of a specification that may differ inside one cell: a time limit decides whether a trial ends, and the two arms
of an A/A pair are the same cell."""

NOT_PART_OF_ITS_PROFILE = ("price_per_hour",)
"""Keys of a specification's profile that may differ inside one cell: what a machine costs changes no measurement."""


CELL_PARTS = ("specification", "varied", "overrides", "framework", "host")
"""Keys of a manifest that decide which cell a record belongs to."""

STRING_FORM = "lrPolicy_"
"""How a learning-rate policy in LRBench's string form begins."""


@dataclass(frozen=True)
class Conditions:
    """What must be equal before two numbers may stand side by side: the data and the machine.

    Attributes:
        dataset: name of the dataset.
        content_sha256: hash of the dataset's content; empty where it was not recorded.
        host: identity of the machine (`host_identity`).
        machine: the machine in words.
    """

    dataset: str
    content_sha256: str
    host: str
    machine: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What decides equality: two machines with the same words may still be two machines."""
        return (self.dataset, self.content_sha256, self.host)


@dataclass(frozen=True)
class CellKey:
    """What the records of one cell share.

    Attributes:
        framework, version, workload, setting, profile: names for people.
        varied: hyper-parameters that the study varies, with this cell's values as text.
        conditions: data and machine.
        specification: canonical JSON of the specification without the seed and what cannot change a result: two
            settings of the same name but different content are two cells.
        environment: kind of environment, `venv` or `container`.
        overrides: what the study set in place of setting and profile, as text. Equal specifications are equal
            whoever set their values, so this decides nothing. None where the record does not tell.
        functions: of what the study varies, the name of each policy, optimizer or filler alone.
    """

    framework: str
    version: str
    workload: str
    setting: str
    profile: str
    varied: tuple[tuple[str, str], ...]
    conditions: tuple[str, str, str]
    specification: str
    environment: str
    overrides: tuple[tuple[str, str], ...] | None = field(default=(), compare=False)
    functions: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    @property
    def label(self) -> tuple[str, ...]:
        """What a table shows of the cell; unequal cells with equal labels need a note."""
        names = (self.framework, self.version, self.workload, self.setting, self.profile)
        return (*names, *(f"{key}={value}" for key, value in self.varied))

    @property
    def pairing(self) -> tuple[Any, ...]:
        """What two cells of different frameworks must share to be compared seed by seed."""
        shared = {key: value for key, value in json.loads(self.specification).items() if key != "framework"}
        return (json.dumps(shared, sort_keys=True), self.conditions)


def row_names(keys: Iterable[CellKey]) -> dict[CellKey, str]:
    """A name for each row of one comparison, as short as tells it from the others.

    The framework, what the study varies, and of workload, setting and profile those in which rows differ; rows that
    are equal even so are told apart by the values of the specification in which they differ.
    """
    listed = list(dict.fromkeys(keys))
    functions: dict[str, dict[str, str]] = {}
    for key in listed:
        texts = dict(key.varied)
        for name, function in key.functions:
            functions.setdefault(name, {})[texts[name]] = function
    short = {name: _short_names(values) for name, values in functions.items()}
    parts = [part for part in ("workload", "setting", "profile") if len({getattr(key, part) for key in listed}) > 1]
    names = {
        key: " · ".join(
            (
                key.framework,
                *(getattr(key, part) for part in parts),
                *(short.get(name, {}).get(value, f"{name}={value}") for name, value in key.varied),
            )
        )
        for key in listed
    }
    for name, count in Counter(names.values()).items():
        if count > 1:
            alike = [key for key in listed if names[key] == name]
            paths = differing_keys([key.specification for key in alike])[:3]
            for key in alike:
                told = (f"{path}={plain_value(_at(json.loads(key.specification), path))}" for path in paths)
                names[key] = " · ".join((name, *told))
    return names


def _at(value: Any, path: str) -> Any:
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def conditions_of(record: Record) -> Conditions:
    """The data and the machine of a record."""
    dataset = _mapping(_mapping(record.specification.get("workload")).get("dataset"))
    host = _mapping(record.manifest.get("host"))
    return Conditions(
        dataset=str(dataset.get("name", "")),
        content_sha256=str(dataset.get("content_sha256", "")),
        host=host_identity(host),
        machine=describe_host(host),
    )


def cell_key(record: Record) -> CellKey:
    """The cell that a record belongs to."""
    specification = record.specification
    framework = _mapping(specification.get("framework"))
    described = _mapping(record.manifest.get("framework"))
    return CellKey(
        framework=str(framework.get("name", "unknown")),
        version=str(described.get("version") or framework.get("version") or "unknown"),
        workload=_name(specification, "workload"),
        setting=_name(specification, "setting"),
        profile=_name(specification, "profile"),
        varied=tuple(sorted(_as_text(record.varied))),
        conditions=conditions_of(record).key,
        specification=json.dumps(_shared(specification), sort_keys=True),
        environment=str(framework.get("environment", "")),
        overrides=None if record.overrides is None else _as_text(record.overrides),
        functions=tuple((str(key), name) for key, value in record.varied.items() if (name := function_name(value))),
    )


def _as_text(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((str(key), plain_value(value)) for key, value in values.items())


def group_into_cells(records: Iterable[Record]) -> dict[CellKey, list[Record]]:
    """Records by cell, cells in the order of their labels, in each the latest record of every seed in their order.

    A seed can have several records in one cell: trials whose specifications differ in a time limit are two trials.
    Second arms of A/A pairs and canaries are passed over (`harness.analysis.beside`).
    """
    records = [record for record in records if record.role is None]
    cells: dict[CellKey, list[Record]] = {}
    known: dict[Hashable, CellKey] = {}
    for record in records:
        token = record.sharing(*CELL_PARTS)
        key = known.get(token) if token is not None else None
        if key is None:
            key = cell_key(record)
            if token is not None:
                known[token] = key
        cells.setdefault(key, []).append(record)
    ordered = sorted(cells, key=lambda key: (key.workload, key.setting, key.profile, _natural(key), key.conditions))
    return {key: _latest_of_each_seed(cells[key]) for key in ordered}


def _latest_of_each_seed(records: Iterable[Record]) -> list[Record]:
    latest: dict[int, Record] = {}
    for record in sorted(records, key=lambda record: record.started_at):
        latest[seed_of(record)] = record
    return [latest[seed] for seed in sorted(latest)]


def seed_of(record: Record) -> int:
    """The seed of a record's trial."""
    return record.seed


def differing_keys(specifications: Sequence[str]) -> list[str]:
    """Dotted paths at which canonical JSON specifications differ, sorted."""
    flat = [dict(_flatten(json.loads(text))) for text in specifications]
    paths = sorted({path for one in flat for path in one})
    return [path for path in paths if len({json.dumps(one.get(path)) for one in flat}) > 1]


def plain_value(value: Any) -> str:
    """A varied value as short text: numbers as they are written, a policy as `TRI k0=0.01 k1=0.06 l=250`."""
    if isinstance(value, Mapping) and ("policy" in value or "kind" in value):
        return short_value(value)
    return value if isinstance(value, str) else json.dumps(value)


def function_name(value: Any) -> str | None:
    """The name alone of a policy, as a mapping or in LRBench's string form, or of an optimizer or filler; else None."""
    if isinstance(value, str) and value.startswith(STRING_FORM):
        try:
            value = plain_values(value)
        except PolicyError:
            return None
    name = value.get("policy", value.get("kind")) if isinstance(value, Mapping) else None
    return name if isinstance(name, str) else None


def _short_names(functions: Mapping[str, str]) -> dict[str, str]:
    """Of texts with the name of a function: that name, where the names tell the texts apart, else the texts."""
    return dict(functions) if len(set(functions.values())) == len(functions) else {text: text for text in functions}


def _shared(specification: Mapping[str, Any]) -> dict[str, Any]:
    shared = {key: value for key, value in specification.items() if key not in NOT_PART_OF_A_CELL}
    profile = _mapping(shared.get("profile"))
    return {**shared, "profile": {key: profile[key] for key in profile if key not in NOT_PART_OF_ITS_PROFILE}}


def _natural(key: CellKey) -> tuple[Any, ...]:
    """Order by varied values as numbers where they are numbers, then by framework."""
    return (tuple((name, *_number_first(text)) for name, text in key.varied), key.framework, key.version)


def _number_first(text: str) -> tuple[int, float, str]:
    try:
        return (0, float(text), text)
    except ValueError:
        return (1, 0.0, text)


def _flatten(value: Any, prefix: str = "") -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _flatten(child, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def _name(specification: Mapping[str, Any], part: str) -> str:
    return str(_mapping(specification.get(part)).get("name", "unknown"))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
