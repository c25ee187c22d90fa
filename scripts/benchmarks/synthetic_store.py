"""A large store in the real format, made from a few records of the program's own writer (`store_scale.py`).

One template for each framework and batch size: its trial is made up by the tests' factory, its record by
`harness.records.publish`. All other records of that cell have the template's manifest with their own seed, trial id,
label, start and summary numbers, one of a pool of tables of samples, and the template's other files as hard links (so
their `trial.json` and logs are the template's). Every checksum in a manifest is that of the file beside it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from scale_questions import SMALL_STUDY

from harness.paths import PROJECT_ROOT

sys.path.insert(0, str(PROJECT_ROOT))

from harness.records import Record, publish  # noqa: E402
from harness.records.manifest import MANIFEST_FILE, to_json  # noqa: E402
from harness.study.trial import Trial  # noqa: E402
from harness.workloads import load_network, training_flops  # noqa: E402
from tests import factories  # noqa: E402

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAMEWORKS = ("torch", "tensorflow", "caffe", "theano")
BATCH_SIZES = (16, 64, 128, 256, 512)
CELLS = tuple((framework, batch_size) for framework in FRAMEWORKS for batch_size in BATCH_SIZES)
SMALL_RECORDS = 60
LARGE_STUDY = "scale-large"
"""Has half of all other records."""
RECORDS_OF_A_STUDY = 2_000
"""Of each of the studies that have the rest."""

HOME = ".synthetic"
SIZE_FILE = "size.json"
POOL = 16
"""Different tables of samples of each framework."""
MOST_LINKS = 30_000
"""Names of one file; ext4 allows 65,000."""
SAMPLES_FILE = "samples.parquet"
NS = 1_000_000_000
MACHINE = {
    "hostname": "synthetic",
    "cpu_model": "Synthetic CPU",
    "logical_cpus": 2,
    "physical_cores": 2,
    "memory_bytes": 24 * (1 << 30),
    "architecture": "x86_64",
    "kernel": "6.1.0",
    "operating_system": "Synthetic Linux",
}
FIRST_START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Size:
    """How much a store has: records, and samples of all of them together."""

    records: int
    samples: int

    @property
    def samples_per_record(self) -> int:
        """Rows of each record's table of samples."""
        return max(2, self.samples // self.records)


@dataclass(frozen=True)
class _Place:
    """A record to be made: its study, its cell's number in `CELLS`, its seed."""

    study: str
    cell: int
    seed: int


def place_of(number: int) -> _Place:
    """Where the record of that number goes: blocks fill up one after the other, so a store of any size is balanced."""
    if number < SMALL_RECORDS:
        return _Place(SMALL_STUDY, number % len(CELLS), number // len(CELLS) + 1)
    half, odd = divmod(number - SMALL_RECORDS, 2)
    study, inside = (LARGE_STUDY, half) if not odd else (f"scale-{half // RECORDS_OF_A_STUDY:03d}", half)
    inside = inside % RECORDS_OF_A_STUDY if odd else inside
    return _Place(study, inside % len(CELLS), inside // len(CELLS) + 1)


def is_made(store: Path, size: Size) -> bool:
    """Whether this is a whole store of this size."""
    try:
        return bool(json.loads((store / HOME / SIZE_FILE).read_bytes()) == asdict(size))
    except (OSError, ValueError):
        return False


def remove(store: Path) -> None:
    """Remove a store that was made here; any other folder stays."""
    if (store / HOME).is_dir():
        shutil.rmtree(store)


class Maker:
    """Makes a store, a number of records at a time."""

    def __init__(self, store: Path, size: Size) -> None:
        self._store = store
        self._size = size
        self._made = 0
        self._published = 0
        self._home = store / HOME
        self._home.mkdir(parents=True)
        self._templates = [
            _Template(self._home / f"{framework}-{batch_size}", framework, batch_size)
            for framework, batch_size in CELLS
        ]
        tables = {name: self._templates[CELLS.index((name, 64))].samples for name in FRAMEWORKS}
        self._pool = {name: _pool(table, size.samples_per_record) for name, table in tables.items()}

    @property
    def largest_study(self) -> int:
        """Records of the largest study."""
        return sum(place_of(number).study == LARGE_STUDY for number in range(self._made))

    def grow_to(self, records: int) -> None:
        """Make records until there are that many."""
        places = [place_of(number) for number in range(self._made, records)]
        numbers = _numbers(places, self._made)
        for index, place in enumerate(places):
            self._make(place, self._made + index, {name: values[index] for name, values in numbers.items()})
        self._made = max(self._made, records)

    def _make(self, place: _Place, number: int, summary: Mapping[str, float | int]) -> None:
        template = self._templates[place.cell]
        pool = self._pool[template.framework]
        content, sha256 = pool[number % len(pool)]
        values = {
            **template.identity(place),
            **summary,
            "started_at": (FIRST_START + timedelta(seconds=37 * number)).isoformat(timespec="milliseconds"),
            "samples_sha256": sha256,
            "samples_bytes": len(content),
        }
        folder = f"{self._store}/{place.study}/{values['trial']}"
        os.makedirs(folder)  # noqa: PTH103
        _write(f"{folder}/{SAMPLES_FILE}", content)
        for master in template.masters:
            master.link(folder)
        _write(f"{folder}/{MANIFEST_FILE}", template.text(values))

    def publish(self, count: int) -> list[float]:
        """Publish so many records, one at a time, into the largest study, and remove them; returns the times in s."""
        times_s = []
        for _ in range(count + 1):  # the first pays for the imports of the writer
            self._published += 1
            trial = factories.make_trial("torch", 1_000_000 + self._published, study=LARGE_STUDY)
            outcome = factories.ended_trial(self._store, trial)
            begin_s = time.monotonic()
            record = publish(outcome, self._store)
            times_s.append(time.monotonic() - begin_s)
            shutil.rmtree(record.path)
        return times_s[1:]

    def finish(self) -> None:
        """Say that the store is whole."""
        (self._home / SIZE_FILE).write_text(json.dumps(asdict(self._size)))


class _Template:
    """A record of one cell, and the text of its manifest with gaps for what differs."""

    def __init__(self, home: Path, framework: str, batch_size: int) -> None:
        self.framework = framework
        self._batch_size = batch_size
        with tempfile.TemporaryDirectory() as folder:
            record = _published(Path(folder), framework, batch_size)
            self.samples = record.table("samples")
            names = sorted(path.name for path in record.path.iterdir())
            home.mkdir()
            for name in names:
                shutil.copyfile(record.path / name, home / name)
                (home / name).chmod(0o444)
            manifest = _realistic(json.loads((record.path / MANIFEST_FILE).read_bytes()))
        self.masters = [_Master(home / name) for name in names if name not in (MANIFEST_FILE, SAMPLES_FILE)]
        self._specification = manifest["specification"]
        self._parts = _with_gaps(manifest)

    def identity(self, place: _Place) -> dict[str, Any]:
        """What of a manifest says which trial it is."""
        trial = Trial(study=place.study, label="", specification={**self._specification, "seed": place.seed})
        label = f"{self.framework} · caffe-mnist · batch_size={self._batch_size} · seed {place.seed}"
        return {"trial": trial.id, "study": place.study, "label": label, "seed": place.seed}

    def text(self, values: Mapping[str, Any]) -> bytes:
        """The manifest with these values in its gaps."""
        filled = [json.dumps(values[part], ensure_ascii=False) if gap else part for gap, part in self._parts]
        return "".join(filled).encode()


class _Master:
    """A file that many records have, by hard links; a new copy where it has as many names as a file may have."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._links = 0
        self._copies = 0

    def link(self, folder: str) -> None:
        if self._links == MOST_LINKS:
            self._copies += 1
            copy = self._path.with_name(f"{self._path.name}.{self._copies}")
            shutil.copyfile(self._path, copy)
            copy.chmod(0o444)
            self._links = 0
        source = f"{self._path}.{self._copies}" if self._copies else str(self._path)
        os.link(source, f"{folder}/{self._path.name}")
        self._links += 1


def _published(folder: Path, framework: str, batch_size: int) -> Record:
    varied = {"batch_size": batch_size}
    return factories.publish_trial(folder, framework, 1, batch_size=batch_size, varied=varied)


def _realistic(manifest: dict[str, Any]) -> dict[str, Any]:
    """The template's manifest with a whole network, a described machine and a certificate, as real ones have."""
    manifest["specification"]["workload"]["network"] = load_network("lenet").model_dump(mode="json")
    manifest["host"] = {"machine": MACHINE, "load_average_1min": 0.5, "memory_available_bytes": 20 * (1 << 30)}
    manifest["environment"]["code_sha256"] = "c0de" * 16
    manifest["parity"] = {"certificate": "ce27" * 16}
    return manifest


GAPS = {
    "trial": ("trial",),
    "study": ("study",),
    "label": ("label",),
    "started_at": ("started_at",),
    "seed": ("specification", "seed"),
    "samples_sha256": ("files", SAMPLES_FILE, "sha256"),
    "samples_bytes": ("files", SAMPLES_FILE, "bytes"),
    "load_average": ("host", "load_average_1min"),
    "lateness_p50_ns": ("sampling", "lateness_p50_ns"),
    "sampler_cores": ("sampling", "sampler_cores"),
    **{
        key: ("summary", key)
        for key in (
            "training_time_s",
            "samples_per_s",
            "achieved_flops_per_s",
            "step_time_median_s",
            "step_time_p95_s",
            "cpu_seconds",
            "training_cpu_seconds",
            "cores_used_mean",
            "peak_memory_bytes",
            "peak_resident_bytes",
            "top1_percent",
            "test_loss",
            "final_training_loss",
            "overhead_s",
            "lateness_p50_s",
        )
    },
}
"""Value of a record -> where it stands in a manifest."""


def _with_gaps(manifest: dict[str, Any]) -> list[tuple[bool, str]]:
    """The text of a manifest in parts: (True, name of a value) for a gap, (False, text) for what stays."""
    for name, path in GAPS.items():
        place: Any = manifest
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = f"@gap:{name}@"
    parts = re.split(r'"@gap:([a-z0-9_]+)@"', to_json(manifest).decode())
    return [(index % 2 == 1, part) for index, part in enumerate(parts)]


def _numbers(places: list[_Place], first: int) -> dict[str, list[Any]]:
    """The numbers of the manifests: effects of framework, batch size, framework x batch size and block, and noise.

    Samples/s saturate in the batch size b as b / (b + h), h differs between the frameworks; a block moves all its
    trials by 2 % (standard deviation), noise each by 3 %. Memory grows by 30 kB a sample of the batch.
    """
    noise = np.random.default_rng([2026, first]).standard_normal((4, len(places)))
    block = 0.02 * np.random.default_rng(7).standard_normal(max((one.seed for one in places), default=0) + 1)
    cell = np.array([one.cell for one in places], dtype=int)
    seed = np.array([one.seed for one in places], dtype=int)
    framework, batch = cell // len(BATCH_SIZES), np.array(BATCH_SIZES)[cell % len(BATCH_SIZES)]
    top, half = np.array([6000.0, 8000.0, 3500.0, 3000.0])[framework], np.array([40.0, 90.0, 20.0, 25.0])[framework]
    speed = top * batch / (batch + half) * np.exp(block[seed] + 0.03 * noise[0])
    training_s = 200 * batch / speed
    cores = np.clip(1.9 - 5.0 / batch + 0.02 * noise[1], 0.1, 2.0)
    base = np.array([400, 700, 150, 250])[framework] * (1 << 20)
    memory = (base + 30_000 * batch) * np.exp(0.01 * noise[2])
    top1 = 98.5 - 0.4 * np.log2(batch / 16) + 0.15 * noise[3]
    loss = 0.05 + 0.02 * np.log2(batch / 16) + 0.002 * np.abs(noise[3])
    flops = training_flops(load_network("lenet"))
    late_ns = (200_000 * np.exp(0.2 * noise[1])).astype(np.int64)
    columns: dict[str, NDArray[Any]] = {
        "training_time_s": training_s,
        "samples_per_s": speed,
        "achieved_flops_per_s": flops * speed,
        "step_time_median_s": batch / speed,
        "step_time_p95_s": 1.2 * batch / speed,
        "cpu_seconds": cores * training_s + 2.0,
        "training_cpu_seconds": cores * training_s,
        "cores_used_mean": cores,
        "peak_memory_bytes": memory.astype(np.int64),
        "peak_resident_bytes": (0.9 * memory).astype(np.int64),
        "top1_percent": top1,
        "test_loss": loss,
        "final_training_loss": 0.8 * loss,
        "load_average": 0.3 + 0.1 * np.abs(noise[2]),
        "lateness_p50_ns": late_ns,
        "lateness_p50_s": late_ns / 1e9,
        "sampler_cores": 0.004 + 0.0005 * noise[0],
        "overhead_s": 0.5 + 0.05 * np.abs(noise[1]),
    }
    return {name: values.tolist() for name, values in columns.items()}


def _pool(table: pa.Table, rows: int) -> list[tuple[bytes, str]]:
    """Tables of so many samples, stretched from a template's: the file's content and its SHA-256."""
    return [_file_of(stretched) for stretched in _stretched(table, rows)]


def _stretched(table: pa.Table, rows: int) -> Iterator[pa.Table]:
    chance = np.random.default_rng(rows)
    taken = table.take(np.linspace(0, table.num_rows - 1, rows).round().astype(int))
    first_ns = int(table["t_start_ns"][0].as_py())
    planned = first_ns + np.arange(rows) * (NS // 10)
    for _ in range(POOL):
        start = planned + chance.integers(50_000, 400_000, rows)
        memory = taken["tree_resident_bytes"].to_numpy(zero_copy_only=False) * chance.normal(1.0, 0.02, rows)
        columns = {
            "seq": np.arange(rows),
            "t_planned_ns": planned,
            "t_start_ns": start,
            "t_end_ns": start + 400_000,
            "tree_resident_bytes": memory.astype(np.int64),
        }
        one = taken
        for name, values in columns.items():
            at = one.schema.get_field_index(name)
            one = one.set_column(at, one.schema.field(name), pa.array(values, pa.int64()))
        yield one


def _file_of(table: pa.Table) -> tuple[bytes, str]:
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink, compression="zstd")
    content = sink.getvalue().to_pybytes()
    return content, hashlib.sha256(content).hexdigest()


def _write(path: str, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)
