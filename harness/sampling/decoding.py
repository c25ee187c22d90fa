"""Decoders of the sampler's files, in any version of them: NumPy arrays by column, for whoever reads a trial folder."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from harness.sampling.schema import (
    GPU_COLUMNS,
    GPU_RECORD,
    GPUS_MAGIC,
    HEADER,
    MISSING,
    PROCESS_COLUMNS,
    PROCESS_RECORD,
    PROCESSES_MAGIC,
    ROLES,
    SAMPLE_COLUMNS,
    SAMPLE_INDEX,
    SAMPLE_RECORD,
    SAMPLES_MAGIC,
    TRIGGERS,
    VERSION,
)

if TYPE_CHECKING:
    from pathlib import Path

    import numpy

_TABLES = {SAMPLES_MAGIC: SAMPLE_COLUMNS, GPUS_MAGIC: GPU_COLUMNS, PROCESSES_MAGIC: PROCESS_COLUMNS}

_NAMES_OF_VERSION_1 = {
    SAMPLES_MAGIC: (
        *(column.name for column in SAMPLE_COLUMNS[: SAMPLE_INDEX["host_swap_out_pages"] + 1]),
        *("sampler_cpu_ns", "sampler_resident_bytes", "errors"),
    ),
    GPUS_MAGIC: (
        *("seq", "gpu", "t_ns", "energy_mj", "power_mw", "power_average_mw", "kernel_resident_pct"),
        *("memory_used_bytes", "memory_reserved_bytes", "temperature_c", "sm_clock_mhz", "processes_memory_bytes"),
    ),
}


def record_bytes(path: Path) -> int | None:
    """How long a record of this file is, by its header; None for a file without one."""
    with path.open("rb") as stream:
        start = stream.read(HEADER.size)
    return HEADER.unpack(start)[2] if len(start) == HEADER.size else None


def _open(path: Path, magic: bytes, record: struct.Struct) -> tuple[bytes, int]:
    """The whole records of a file, without its header, and its version.

    Raises:
        ValueError: it is a file of another kind, or of a version that this one does not read.
    """
    content = path.read_bytes()
    if len(content) < HEADER.size:
        return b"", VERSION
    found_magic, version, size = HEADER.unpack_from(content)
    sizes = {VERSION: record.size}
    if magic == PROCESSES_MAGIC:
        sizes[1] = record.size
    elif magic in _NAMES_OF_VERSION_1:
        sizes[1] = 8 * len(_NAMES_OF_VERSION_1[magic])
    if found_magic != magic or sizes.get(version) != size:
        known = ", ".join(f"version {number} with {bytes_} bytes" for number, bytes_ in sorted(sizes.items()))
        raise ValueError(
            f"{path}: {found_magic!r}, version {version}, {size} bytes a record: not a file of {magic!r} that this "
            f"version reads ({known}); another version of the sampler wrote it"
        )
    whole = (len(content) - HEADER.size) // size * size
    return content[HEADER.size : HEADER.size + whole], version


def _integers(path: Path, magic: bytes, record: struct.Struct) -> dict[str, Any]:
    import numpy

    content, version = _open(path, magic, record)
    names = tuple(column.name for column in _TABLES[magic])
    stored = names if version == VERSION else _NAMES_OF_VERSION_1[magic]
    table = numpy.frombuffer(content, dtype="<i8").reshape(-1, len(stored))
    missing = numpy.full(len(table), MISSING, dtype="i8")
    places = {name: index for index, name in enumerate(stored)}
    return {name: _masked(table[:, places[name]] if name in places else missing) for name in names}


def _masked(values: numpy.ndarray[Any, Any]) -> numpy.ma.MaskedArray[Any, Any]:
    import numpy

    return numpy.ma.MaskedArray(values.astype("i8"), mask=values == MISSING)


def read_samples(path: Path) -> dict[str, Any]:
    """Decode `samples.bin`: column name -> masked int64 array, `trigger` -> list of names."""
    columns = _integers(path, SAMPLES_MAGIC, SAMPLE_RECORD)
    columns["trigger"] = [TRIGGERS[int(code)] for code in columns["trigger"]]
    return columns


def largest_sampled(path: Path, column: str) -> int | None:
    """The largest value of a column of `samples.bin`; None where there is none, or no such file."""
    try:
        values = read_samples(path)[column]
    except (OSError, ValueError):
        return None
    return int(values.max()) if values.count() else None


def read_gpus(path: Path) -> dict[str, Any]:
    """Decode `gpus.bin`: column name -> masked int64 array. `gpu` indexes the list `gpus` of the sampler's report."""
    return _integers(path, GPUS_MAGIC, GPU_RECORD)


def read_processes(path: Path) -> dict[str, Any]:
    """Decode `processes.bin`: one row a process, `name` and `role` as lists, the rest masked int64 arrays.

    The sampler appends a process's state again and again; the last record of each (pid, start time) counts.
    """
    import numpy

    latest: dict[tuple[int, int], tuple[Any, ...]] = {}
    for row in PROCESS_RECORD.iter_unpack(_open(path, PROCESSES_MAGIC, PROCESS_RECORD)[0]):
        latest[row[0], row[1]] = row
    rows = sorted(latest.values(), key=lambda row: (row[5], row[0]))
    columns: dict[str, Any] = {}
    for index, column in enumerate(PROCESS_COLUMNS):
        values = [row[index] for row in rows]
        if column.name == "name":
            columns["name"] = [value.rstrip(b"\0").decode("utf-8", "backslashreplace") for value in values]
        elif column.name == "role":
            columns["role"] = [ROLES[value] for value in values]
        else:
            columns[column.name] = _masked(numpy.array(values, dtype="i8"))
    return columns
