"""The synthesised store of `scripts/benchmarks/store_scale.py`: real records, with the effects that it says it has."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from harness.analysis.observations import observations
from harness.records import Store, compact, load
from harness.records.compact_index import CompactManifest

BENCHMARKS = Path(__file__).resolve().parents[2] / "scripts" / "benchmarks"
RECORDS = 260


@pytest.fixture(scope="module")
def synthetic_store() -> ModuleType:
    sys.path.insert(0, str(BENCHMARKS))
    import synthetic_store

    return synthetic_store


@pytest.fixture(scope="module")
def store(synthetic_store: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scale") / "store"
    size = synthetic_store.Size(RECORDS, 10 * RECORDS)
    maker = synthetic_store.Maker(folder, size)
    maker.grow_to(100)
    maker.grow_to(RECORDS)
    assert len(maker.publish(1)) == 1
    assert not synthetic_store.is_made(folder, size)
    maker.finish()
    assert synthetic_store.is_made(folder, size)
    return folder


def test_every_record_is_whole_by_its_own_checksums(store: Path) -> None:
    records = Store(store).records(verify=True)
    assert len(records) == RECORDS
    assert len({(record.study, record.id) for record in records}) == RECORDS
    assert {record.table("samples").num_rows for record in records} == {10}
    assert set(Store(store).studies()) == {"scale-small", "scale-large", "scale-000"}


def test_speed_saturates_in_the_batch_size_as_planted(store: Path) -> None:
    frame = load(store)
    speed = frame.groupby(["framework", "batch_size"])["samples_per_s"].mean()
    for framework, half in (("torch", 40.0), ("tensorflow", 90.0)):
        planted = {size: size / (size + half) for size in (16, 512)}
        ratio = speed[framework, 512] / speed[framework, 16]
        assert ratio == pytest.approx(planted[512] / planted[16], rel=0.06)
    np.testing.assert_allclose(frame["training_time_s"], 200 * frame["batch_size"] / frame["samples_per_s"])


def test_observations_see_the_factors(store: Path) -> None:
    compact(store)
    seen = observations(store)
    assert seen.varied == ("framework", "batch_size")
    assert len(seen.frame) == RECORDS
    assert set(seen.frame["parameters"]) == {431_080}
    assert all(isinstance(record.manifest, CompactManifest) for record in Store(store).records())
