"""Read the index of a compacted store: columns when they are wanted, parsed values shared by the records they fit."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.records.compact_columns import (
    HOST,
    JSON_KEYS,
    KEPT,
    MACHINE,
    NOT_KEPT,
    NUMBER_KEYS,
    OTHER,
    SEED,
    SPECIFICATION,
    SUMMARY_NAMES,
    SUMMARY_OTHER,
    TEXT_KEYS,
    TRAIN_ENERGY,
    float_column,
    integer_column,
)
from harness.records.manifest import read_manifest
from harness.records.summary_keys import SUMMARY_KEYS

if TYPE_CHECKING:
    import pyarrow as pa

    from harness.records.compact_generation import Generation

ABSENT = object()
"""In place of a value that the manifest does not have."""

_KEYS = list(SUMMARY_KEYS)

MOST_KEPT_PARSED = 4096
"""A column with more different values than this is parsed at each use: keeping them would take more than they save."""


class SharedColumn:
    """A dictionary-encoded column of JSON text.

    Attributes:
        codes: for each row the number of its value, -1 for null. Rows with the same code have the same value.
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        merged = column.unify_dictionaries().combine_chunks()
        self._texts = merged.dictionary
        self.codes: list[int] = merged.indices.fill_null(-1).to_numpy(zero_copy_only=False).tolist()
        self._parsed: dict[int, Any] | None = {} if len(self._texts) <= MOST_KEPT_PARSED else None

    def value(self, row: int) -> Any:
        """The parsed value of a row; `ABSENT` where it is null. It is shared: never change it."""
        code = self.codes[row]
        if code < 0:
            return ABSENT
        if self._parsed is None:
            return json.loads(self._texts[code].as_py())
        if code not in self._parsed:
            self._parsed[code] = json.loads(self._texts[code].as_py())
        return self._parsed[code]


class Index:
    """The rows of one generation's index.

    Args:
        path: the Parquet file.

    Attributes:
        rows: how many there are.
        readers: key of a manifest -> what gives its value for a row; `ABSENT` where the manifest has no such key.

    Raises:
        OSError, pyarrow.ArrowException: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as parquet

        self._file = parquet.ParquetFile(path)
        self.rows = int(self._file.metadata.num_rows)
        self._plain: dict[str, list[Any]] = {}
        self._shared: dict[str, SharedColumn] = {}
        self._empty: set[str] = set()
        self._numbers: dict[str, list[Any]] = {}
        self._tuples: list[tuple[Any, ...]] | None = None
        self._named_in_full: dict[int, bool] = {}
        self.readers: dict[str, Callable[[int], Any]] = {key: self._reader_of(key) for key in KEPT}

    def plain(self, name: str) -> list[Any]:
        """A column of numbers or text as a list, None for null."""
        if name not in self._plain:
            column = self._file.read(columns=[name]).column(0)
            if column.null_count == len(column):
                self._empty.add(name)
            self._plain[name] = _as_list(column)
        return self._plain[name]

    def shared(self, name: str) -> SharedColumn:
        """A column of JSON text."""
        if name not in self._shared:
            self._shared[name] = SharedColumn(self._file.read(columns=[name]).column(0))
        return self._shared[name]

    def token(self, row: int, keys: tuple[str, ...]) -> Hashable:
        """Equal for rows whose manifests are equal in these keys (the seed of a specification left out).

        `host` stands for its machine alone, where it has one.
        """
        codes = [self.shared(MACHINE if key == HOST else key).codes[row] for key in keys]
        if HOST in keys and codes[keys.index(HOST)] < 0:  # its machine is not told apart: all of it counts
            codes.append(self.shared(HOST).codes[row])
        return (id(self), *codes)

    def numbers(self, key: str) -> list[Any]:
        """The values of a key of the summary, None for null: whole numbers as such. They are shared: never change them.

        They are all of it only for rows that are `in_columns`.
        """
        if key not in self._numbers:
            reals, wholes = self.plain(float_column(key)), self.plain(integer_column(key))
            if integer_column(key) in self._empty:
                self._numbers[key] = reals
            elif float_column(key) in self._empty:
                self._numbers[key] = wholes
            else:
                pairs = zip(reals, wholes, strict=True)
                self._numbers[key] = [real if whole is None else whole for real, whole in pairs]
        return self._numbers[key]

    def in_columns(self, row: int) -> bool:
        """Whether a row's summary has the keys `SUMMARY_KEYS` and nothing but numbers: `numbers` tells all of it."""
        return self._has_all_names(row) and self.shared(SUMMARY_OTHER).codes[row] < 0

    def _has_all_names(self, row: int) -> bool:
        names = self.shared(SUMMARY_NAMES)
        code = names.codes[row]
        if code not in self._named_in_full:
            self._named_in_full[code] = names.value(row) == _KEYS
        return self._named_in_full[code]

    def other(self, row: int, key: str) -> Any:
        """The value of a key that has no column of its own; `ABSENT` where the manifest has no such key."""
        return self.shared(OTHER).value(row).get(key, ABSENT)

    def _reader_of(self, key: str) -> Callable[[int], Any]:
        if key in TEXT_KEYS or key in NUMBER_KEYS:
            return lambda row: self.plain(key)[row]
        if key in JSON_KEYS:
            return lambda row: self.shared(key).value(row)
        return {SPECIFICATION: self._specification, HOST: self._host, "summary": self._summary_of}[key]

    def _specification(self, row: int) -> dict[str, Any]:
        return {**self.shared(SPECIFICATION).value(row), "seed": self.plain(SEED)[row]}

    def _host(self, row: int) -> Any:
        rest, machine = self.shared(HOST).value(row), self.shared(MACHINE).value(row)
        return rest if machine is ABSENT else {"machine": machine, **rest}

    def _summary_of(self, row: int) -> dict[str, Any]:
        if self._tuples is None:
            self._tuples = list(zip(*(self.numbers(key) for key in SUMMARY_KEYS), strict=True))
        values: dict[str, Any] = dict(zip(SUMMARY_KEYS, self._tuples[row], strict=True))
        other = self.shared(SUMMARY_OTHER).value(row)
        if other is not ABSENT:
            values.update(other)
        if self._has_all_names(row):
            return values
        return {key: values[key] for key in self.shared(SUMMARY_NAMES).value(row)}


class CompactManifest(Mapping[str, Any]):
    """The manifest of a compacted record: from the index, but for the keys `NOT_KEPT`: those are in manifest.json.

    Raises:
        StoreError: at the use of one of `NOT_KEPT`, where manifest.json cannot be read.
    """

    __slots__ = ("_folder", "_generation", "_index", "_row", "_summary", "_whole")

    def __init__(self, generation: Generation, row: int, folder: Path) -> None:
        self._generation = generation
        self._index = generation.index
        self._row = row
        self._folder = folder
        self._summary: dict[str, Any] | None = None
        self._whole: dict[str, Any] | None = None

    def __getitem__(self, key: str) -> Any:
        if key == "summary" and self._summary is not None:
            return self._summary
        if self._whole is None and key not in NOT_KEPT:
            reader = self._index.readers.get(key)
            value = reader(self._row) if reader else self._index.other(self._row, key)
            if value is ABSENT:
                raise KeyError(key)
            if key == "summary":
                self._summary = value  # every number of a comparison is asked for by itself
            return value
        return self._read()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __eq__(self, other: object) -> bool:
        return self._read() == (other._read() if isinstance(other, CompactManifest) else other)

    __hash__ = None  # type: ignore[assignment]

    def token(self, keys: tuple[str, ...]) -> Hashable:
        """Equal for compacted records whose manifests are equal in these keys (`Index.token`)."""
        return self._index.token(self._row, keys)

    def train_energy(self) -> list[dict[str, Any]]:
        """Of each `train` phase the energies (`compact_columns.train_energy`)."""
        found: list[dict[str, Any]] = self._index.shared(TRAIN_ENERGY).value(self._row)
        return found

    @property
    def shared_specification(self) -> Mapping[str, Any]:
        """The specification but for its seed, shared by all records that it fits: never change it."""
        found: Mapping[str, Any] = self._index.shared(SPECIFICATION).value(self._row)
        return found

    @property
    def summary_place(self) -> tuple[Index, int] | None:
        """The index whose columns have all of the summary, and the row; None where only the summary itself has it."""
        return (self._index, self._row) if self._index.in_columns(self._row) else None

    @property
    def seed(self) -> int:
        """The seed of the specification."""
        return int(self._index.plain(SEED)[self._row])

    @property
    def place(self) -> tuple[Generation, int]:
        """The generation that has the record, and its row in the index."""
        return self._generation, self._row

    def _read(self) -> dict[str, Any]:
        if self._whole is None:
            self._whole = read_manifest(self._folder)
        return self._whole


def _as_list(column: pa.ChunkedArray) -> list[Any]:
    """The values, None for null: of numbers by way of NumPy, which is many times as fast as one by one."""
    import pyarrow as pa

    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return list(column.to_pylist())
    if column.null_count == len(column):
        return [None] * len(column)
    values: list[Any] = column.fill_null(0).to_numpy().tolist()
    if column.null_count:
        for row in column.is_null().to_numpy().nonzero()[0].tolist():
            values[row] = None
    return values
