"""Knees and saturation of known curves; lags of series that were shifted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.analysis.correlation.dependence import dependences
from harness.analysis.correlation.factors import find_factors
from harness.analysis.correlation.knees import Knee, knees, saturation, segments
from harness.analysis.correlation.lags import CORES, effective_windows, lag_of, lags, lags_of_run
from harness.analysis.correlation.scopes import make_scopes
from harness.records import Record
from tests.synthetic import write_record, write_study

LEVELS = np.array([16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0])


def bend(curve: np.ndarray, noise: float = 0.01, blocks: int = 5) -> Knee:
    """What is said of a framework whose throughput follows this curve."""
    chance = np.random.default_rng(0)
    rows = [
        {
            "trial": f"{block}-{i}",
            "block": block,
            "framework": "a",
            "batch_size": LEVELS[i],
            "samples_per_s": value * np.exp(chance.normal(0, noise) + 0.05 * block),
        }
        for block in range(1, blocks + 1)
        for i, value in enumerate(curve)
    ]
    frame = pd.DataFrame(rows)
    factors, _ = find_factors(frame, ["framework", "batch_size"])
    (found,) = knees(make_scopes(frame, [one.name for one in factors]), ["samples_per_s"])
    return found


def test_a_curve_by_level_holds_the_others_at_their_mean_in_incomplete_blocks() -> None:
    """Three of six blocks lost most trials with 2 CPUs, which are three times as fast: the curve is not theirs."""
    chance = np.random.default_rng(0)
    rows = [
        {
            "trial": f"{block}-{batch:g}-{cpus}",
            "block": block,
            "framework": "a",
            "batch_size": batch,
            "cpus": float(cpus),
            "samples_per_s": 100 * batch**0.5 * (3 if cpus == 2 else 1) * np.exp(chance.normal(0, 0.01)),
        }
        for block in range(1, 7)
        for batch in LEVELS[:4]
        for cpus in (1, 2)
        if block > 3 or cpus == 1 or batch == LEVELS[0]
    ]
    frame = pd.DataFrame(rows)
    factors, _ = find_factors(frame, ["framework", "batch_size", "cpus"])
    scopes = make_scopes(frame, [one.name for one in factors])
    curve = next(one for one in dependences(scopes, ["samples_per_s"]) if one.factor == "batch_size")
    share = float((frame["cpus"] == 2).mean())
    assert curve.means == pytest.approx(100 * LEVELS[:4] ** 0.5 * 3**share, rel=0.01)
    assert curve.blocks == 6
    assert all(high / low < 1.05 for low, high in zip(curve.lows, curve.highs, strict=True))


def test_a_saturating_curve_is_found_with_its_point_of_90_percent() -> None:
    found = bend(5000 * LEVELS / (LEVELS + 40))
    assert found.supported
    assert found.saturation_low < 9 * 40 < found.saturation_high
    assert found.saturation == pytest.approx(360, rel=0.1)
    assert found.plateau == pytest.approx(5000 * np.exp(0.15), rel=0.05)
    assert not found.extrapolated


def test_a_plateau_beyond_the_range_is_an_extrapolation() -> None:
    found = bend(5000 * LEVELS / (LEVELS + 400))
    assert found.extrapolated
    assert found.saturation == pytest.approx(3600, rel=0.2)


def test_a_power_law_has_no_knee() -> None:
    found = bend(100 * LEVELS**0.5)
    assert not found.supported
    assert found.verdict.startswith("no knee within the range")
    assert found.knee is None


def test_a_proportional_rise_has_no_plateau() -> None:
    found = bend(100 * LEVELS)
    assert not found.supported
    assert found.saturation is None or found.extrapolated


def test_two_lines_meet_where_they_were_made_to() -> None:
    places = np.log2(LEVELS)
    profile = np.log(2.0) * np.where(places < 7, 0.9 * places, 0.9 * 7 + 0.1 * (places - 7))
    found = segments(places, profile)
    assert (found.place, found.before, found.after) == pytest.approx((7.0, 0.9, 0.1))
    assert found.rms == pytest.approx(0.0, abs=1e-9)


def test_too_few_levels_or_blocks() -> None:
    with pytest.raises(ValueError, match="4 levels or more"):
        segments(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    assert "too few blocks" in bend(5000 * LEVELS / (LEVELS + 40), blocks=2).verdict


def test_saturation_of_an_exact_curve() -> None:
    places = np.log2(LEVELS)
    half, height, inside = saturation(places, np.log(200 * LEVELS / (LEVELS + 100)))
    assert inside
    assert half == pytest.approx(np.log2(100), abs=1e-3)
    assert height == pytest.approx(np.log(200), abs=1e-3)


def square_wave(shift: int, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(1)
    signal = ((np.arange(n) // 25) % 2).astype(float)
    return signal, np.roll(signal, shift) * 1.5 + 0.05 * chance.normal(size=n)


@pytest.mark.parametrize("shift", [0, 3, -4])
def test_the_lag_of_a_shifted_series(shift: int) -> None:
    signal, use = square_wave(shift)
    found = lag_of(signal, use, 0.1, None, "train", CORES)
    assert found.lag_s == pytest.approx(0.1 * shift)
    assert found.at_lag > 0.95
    assert found.windows == 400
    assert found.effective < 100, "windows of a square wave are far from independent"
    assert found.low is not None
    assert found.low < found.at_zero < found.high


def test_independent_windows_count_fully_and_correlated_ones_less() -> None:
    chance = np.random.default_rng(2)
    white = chance.normal(size=(2, 4000))
    assert effective_windows(*white) == pytest.approx(4000, rel=0.1)
    slow = np.zeros((2, 4000))
    for i in range(1, 4000):
        slow[:, i] = 0.8 * slow[:, i - 1] + white[:, i]
    # Of two AR(1) series with 0.8: n (1 - 0.64) / (1 + 0.64).
    assert effective_windows(*slow) == pytest.approx(4000 * 0.36 / 1.64, rel=0.25)


def test_the_lags_of_records(tmp_path: Path) -> None:
    write_study(tmp_path, ("torch",), seeds=3)
    frame = pd.DataFrame(
        {"trial": path.name, "path": str(path), "framework": "torch", "block": seed}
        for seed, path in enumerate(sorted((tmp_path / "demo").iterdir()), 1)
    )
    found, notes = lags(frame, Record.read)
    assert notes == ()
    pairs = {(one.activity, one.use): one for one in found}
    train = pairs["train", CORES]
    assert (train.trials, train.blocks, train.resolution_s) == (3, 3, 0.1)
    assert train.at_zero > 0.5, "1.8 cores in training, fewer elsewhere"
    assert abs(train.lag_s) <= 0.1 + 1e-9
    assert ("samples/s", CORES) in pairs


def test_a_record_without_samples_is_named(tmp_path: Path) -> None:
    record = write_record(tmp_path, samples=False)
    assert lags_of_run(record) == ([], "it has no samples or no phases")
    frame = pd.DataFrame([{"trial": record.id, "path": str(record.path), "framework": "torch", "block": 1}])
    found, notes = lags(frame, Record.read)
    assert found == ()
    assert record.id in notes[0]
    assert "no samples" in notes[0]
