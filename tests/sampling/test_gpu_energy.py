"""The energy counter against integrated power, and the counter kept from falling."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sampling.energy_check import energy_check, shortest_span_ns
from harness.sampling.gpu_energy import EnergyEnvelope, calibrate

PERIOD_NS = 100_000_000


def series(
    seconds: float, *, counter: float = 1.0, hertz: int = 10
) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Energy, times and power of a device whose power rises from 100 W by 20 W/s; the counter is `counter` times it."""
    t_s = numpy.arange(0, seconds, 1 / hertz)
    power_w = 100 + 20 * t_s
    updated_s = numpy.floor(t_s / 0.1 + 1e-9) * 0.1
    energy_j = counter * (100 * updated_s + 10 * updated_s**2)
    return (energy_j * 1000).astype("i8"), (t_s * 1e9).astype("i8") + 10**15, (power_w * 1000).astype("i8")


@pytest.mark.parametrize(("counter", "flag"), [(1.0, False), (0.92, False), (1.08, False), (0.85, True), (1.75, True)])
def test_disagreement_outside_the_band_is_flagged(counter: float, flag: bool) -> None:
    check = energy_check(*series(20, counter=counter), PERIOD_NS)
    assert check.ratio == pytest.approx(counter, rel=0.01)
    assert check.flag is flag
    assert check.uncertainty == pytest.approx(0.1 / 19.9)
    assert check.reason is None


def test_rows_that_are_null_are_left_out() -> None:
    energy_mj, t_ns, power_mw = (numpy.ma.MaskedArray(values) for values in series(20))
    energy_mj[5:9] = numpy.ma.masked
    power_mw[40] = numpy.ma.masked
    energy_mj[-3:] = numpy.ma.masked
    assert energy_check(energy_mj, t_ns, power_mw, PERIOD_NS).ratio == pytest.approx(1, abs=0.02)


def test_what_cannot_be_told_has_a_reason() -> None:
    energy_mj, t_ns, power_mw = series(0.9)
    short = energy_check(energy_mj, t_ns, power_mw, PERIOD_NS)
    assert (short.ratio, short.flag) == (None, False)
    assert short.reason == "0.8 s are fewer than 10 steps of the energy counter"
    few = energy_check(energy_mj[:3], t_ns[:3], power_mw[:3])
    assert few.reason == "3 samples with energy and power, 5 are needed"
    assert energy_check([], [], []).reason is not None
    idle = energy_check(energy_mj, t_ns, power_mw * 0)
    assert idle.reason == "power was 0 throughout"
    energy_mj, t_ns, power_mw = series(20)
    hole = numpy.r_[0:20, 100:200]
    assert "power was not read for 8.1 s" in str(energy_check(energy_mj[hole], t_ns[hole], power_mw[hole]).reason)


def test_the_shortest_span_is_ten_periods() -> None:
    assert shortest_span_ns(PERIOD_NS) == 1_000_000_000
    assert shortest_span_ns(None) == 0


@given(st.lists(st.integers(min_value=0, max_value=10**12), min_size=1))
def test_the_envelope_never_falls_and_keeps_every_rise(readings: list[int]) -> None:
    envelope = EnergyEnvelope()
    totals = [envelope.add(reading) for reading in readings]
    assert totals == sorted(totals)
    rises = [max(0, after - before) for before, after in zip(readings, readings[1:], strict=False)]
    assert totals[-1] - totals[0] == sum(rises)
    assert envelope.resets == sum(after < before for before, after in zip(readings, readings[1:], strict=False))


def steps_of(period_s: float) -> Callable[[], int]:
    return lambda: int(time.monotonic() / period_s)


def test_calibration_tells_devices_apart() -> None:
    fast, slow, still = calibrate([steps_of(0.04), steps_of(0.1), lambda: 7], ValueError, 1_000_000_000)
    assert fast["energy_update_period_ns"] == pytest.approx(40e6, rel=0.3)
    assert slow["energy_update_period_ns"] == pytest.approx(100e6, rel=0.3)
    assert still["energy_update_period_ns"] is None
    assert still["energy_update_period_unknown"] == "the counter changed 0 times in 1 s"


def test_calibration_of_a_counter_that_cannot_be_read() -> None:
    def fails() -> int:
        raise ValueError("Not Supported")

    (found,) = calibrate([fails], ValueError)
    assert found["energy_update_period_ns"] is None
    assert found["energy_update_period_unknown"] == "NVML: Not Supported"
