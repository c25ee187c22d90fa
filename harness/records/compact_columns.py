"""The index of a compacted store: what comparison and queries need of every manifest, as columns of one Parquet file.

A column of JSON text is dictionary-encoded: what a thousand records share is stored, read and parsed once. What only
a single record is asked for (`phases`, `files`, `clock_anchors`, …) is not in the index; it is read from manifest.json.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.records.cost import ENERGY_KEYS
from harness.records.schema import TABLES
from harness.records.summary_keys import SUMMARY_KEYS

if TYPE_CHECKING:
    import pyarrow as pa

TEXT_KEYS = ("trial", "study", "label", "started_at")
"""Keys of the manifest that are columns of text."""

NUMBER_KEYS = ("repetition", "schema_version")
"""Keys of the manifest that are columns of whole numbers."""

JSON_KEYS = (
    "dlgauge_version",
    "t_begin_ns",
    "t_worker_ns",
    "t_end_ns",
    "varied",
    "overrides",
    "termination",
    "framework",
    "profile_in_force",
    "environment",
    "sources",
    "not_measured",
    "sampling",
    "disturbances",
    "notes",
    "parity",
    "canary",
)
"""Keys of the manifest that are columns of JSON text; null where the manifest has no such key."""

SPECIFICATION = "specification"
"""Column of the specification without its seed, which has a column of its own."""
SEED = "seed"
HOST = "host"
"""Column of the host without its machine, whose facts stay the same from trial to trial."""
MACHINE = "machine"
SUMMARY_NAMES = "summary_names"
"""Column of the keys of the summary, in their order, as JSON."""
SUMMARY_OTHER = "summary_other"
"""Column of the values of the summary that have no column, as JSON."""
TRAIN_ENERGY = "train_energy"
"""Column of the energies of the `train` phases (`train_energy`): all that comparisons ask of the phases, as JSON."""

OTHER = "other"
"""Column of all further keys of the manifest, as JSON."""
NOT_KEPT = ("phases", "unmarked", "phase_sums", "files", "not_kept", "clock_anchors")
"""Keys of the manifest that the index leaves to manifest.json: long, and wanted of single records alone."""

KEPT = (*TEXT_KEYS, *NUMBER_KEYS, *JSON_KEYS, SPECIFICATION, HOST, "summary")
"""Keys of a manifest that have a column, or several, of their own."""

_LARGEST = 2**63


class Irregular(ValueError):
    """A manifest whose values the index cannot give back exactly: the record is read from its folder."""


def float_column(key: str) -> str:
    """Column of a summary key's values that are floating-point numbers."""
    return f"summary:{key}"


def integer_column(key: str) -> str:
    """Column of a summary key's values that are whole numbers: they come back as whole numbers."""
    return f"whole:{key}"


def table_columns(table: str) -> tuple[str, str, str, str, str]:
    """Columns that say where a table's rows are: segment, first row, number of rows; and the file's time and size."""
    names = ("segment", "offset", "rows", "mtime_ns", "bytes")
    return tuple(f"{table}:{name}" for name in names)  # type: ignore[return-value]


def index_schema() -> pa.Schema:
    """Arrow schema of the index, one row a record.

    `record` is its number, unique among all generations that share segments; `folder` and `study_folder` are where it
    stands; `mtime_ns` and `bytes` are those of manifest.json when it was read.
    """
    import pyarrow as pa

    shared = pa.dictionary(pa.int32(), pa.string())
    fields = [("record", pa.int64()), ("study_folder", shared), ("folder", pa.string())]
    fields += [("mtime_ns", pa.int64()), ("bytes", pa.int64()), (SEED, pa.int64())]
    fields += [(key, shared if key == "study" else pa.string()) for key in TEXT_KEYS]
    fields += [(key, pa.int64()) for key in NUMBER_KEYS]
    fields += [
        (key, shared)
        for key in (*JSON_KEYS, SPECIFICATION, HOST, MACHINE, SUMMARY_NAMES, SUMMARY_OTHER, OTHER, TRAIN_ENERGY)
    ]
    for key in SUMMARY_KEYS:
        fields += [(float_column(key), pa.float64()), (integer_column(key), pa.int64())]
    fields += [(name, pa.int64()) for table in TABLES for name in table_columns(table)]
    return pa.schema(fields)


def train_energy(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Of each `train` phase of a manifest the energies, under the keys of `ENERGY_KEYS`; None where it has none."""
    phases = [one for one in manifest.get("phases") or [] if one.get("phase") == "train"]
    return [{key: one.get(key) for key in ENERGY_KEYS.values()} for one in phases]


def index_row(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that come from a manifest.

    Raises:
        Irregular: a value is not what a manifest of this version has at its place, or no index could hold it.
    """
    specification, host, summary = manifest["specification"], manifest.get("host"), manifest["summary"]
    seed = specification.get("seed")
    if not _is_whole(seed):
        raise Irregular(f"its seed {seed!r} is no whole number")
    row: dict[str, Any] = {key: manifest[key] for key in (*TEXT_KEYS, *NUMBER_KEYS)}
    row |= {key: _text(manifest[key]) for key in JSON_KEYS if key in manifest}
    row[SEED] = seed
    row[SPECIFICATION] = _text({key: value for key, value in specification.items() if key != "seed"})
    if isinstance(host, Mapping) and isinstance(host.get("machine"), Mapping):
        row[MACHINE] = _text(host["machine"])
        row[HOST] = _text({key: value for key, value in host.items() if key != "machine"})
    elif "host" in manifest:
        row[HOST] = _text(host)
    row |= _summary_columns(summary)
    row[OTHER] = _text({key: value for key, value in manifest.items() if key not in KEPT and key not in NOT_KEPT})
    row[TRAIN_ENERGY] = _text(train_energy(manifest))
    for key in TEXT_KEYS:
        _text(row[key])
    if not all(_is_whole(row[key]) for key in NUMBER_KEYS):
        raise Irregular("its repetition or schema version is beyond 64 bits")
    return row


def _summary_columns(summary: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {SUMMARY_NAMES: _text(list(summary))}
    other = {}
    for key, value in summary.items():
        if key in SUMMARY_KEYS and (value is None or isinstance(value, float)):
            row[float_column(key)] = value
        elif key in SUMMARY_KEYS and _is_whole(value):
            row[integer_column(key)] = value
        else:
            other[key] = value
    if other:
        row[SUMMARY_OTHER] = _text(other)
    return row


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -_LARGEST <= value < _LARGEST


def _text(value: Any) -> str:
    """Strict JSON that gives back the very same value."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode("utf-8")
    except ValueError as error:
        raise Irregular(f"a value cannot be kept as JSON: {error}") from error
    return text
