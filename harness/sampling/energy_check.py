"""Energy of a GPU told twice: by its counter, and by its power integrated. Pure functions; NumPy only inside them.

The counter grows in steps (10 ms apart on some devices, about 100 ms on most), so over a span of n steps it is wrong by
up to 1/n. Power is sampled, and sensors differ in what they average. The two have been seen to disagree by tens of
percent on idle devices, so both are recorded and compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST_PERIODS = 10
"""Energy over fewer update periods of the counter is not to be told: it would be wrong by more than a tenth."""

BAND = (0.9, 1.1)
"""Counter over integrated power: outside, the two disagree."""

_LEAST_SAMPLES = 5
_LARGEST_HOLE = 0.25


class EnergyCheck(NamedTuple):
    """The counter's energy over the integral of power, over the same span.

    Attributes:
        ratio: 1 where they agree; None where it cannot be told.
        flag: the ratio lies outside `BAND`.
        uncertainty: largest error of the ratio from the counter's steps (period over span); None if not known.
        reason: why there is no ratio; None where there is one.
    """

    ratio: float | None
    flag: bool
    uncertainty: float | None
    reason: str | None


def shortest_span_ns(update_period_ns: int | None) -> int:
    """The shortest span whose energy may be told: ten update periods; 0 where the period is not known."""
    return LEAST_PERIODS * (update_period_ns or 0)


def energy_check(
    energy_mj: Sequence[int] | Any,
    t_ns: Sequence[int] | Any,
    power_mw: Sequence[int] | Any,
    update_period_ns: int | None = None,
) -> EnergyCheck:
    """Compare a device's energy counter with the integral of its instantaneous power (trapezoids).

    Args:
        energy_mj: the counter, of one device in the order of time; masked where it was not read.
        t_ns: when, on CLOCK_MONOTONIC.
        power_mw: instantaneous power; masked where it was not read.
        update_period_ns: the counter's step, from the sampler's report; None if not known.
    """
    import numpy

    columns: list[Any] = [numpy.ma.asarray(values) for values in (energy_mj, t_ns, power_mw)]
    energy, times, power = columns
    both = ~(numpy.ma.getmaskarray(energy) | numpy.ma.getmaskarray(power))
    if both.sum() < _LEAST_SAMPLES:
        return _unknown(f"{int(both.sum())} samples with energy and power, {_LEAST_SAMPLES} are needed")
    seconds = (times.data[both] - times.data[both][0]) / 1e9
    span_s = float(seconds[-1])
    uncertainty = None if update_period_ns is None or not span_s else update_period_ns / 1e9 / span_s
    if span_s <= 0 or span_s * 1e9 < shortest_span_ns(update_period_ns):
        return _unknown(f"{span_s:.3g} s are fewer than {LEAST_PERIODS} steps of the energy counter")
    hole_s = float(numpy.diff(seconds).max())
    if hole_s > _LARGEST_HOLE * span_s:
        return _unknown(f"power was not read for {hole_s:.3g} s of {span_s:.3g} s")
    measured_mj = float(energy.data[both][-1]) - float(energy.data[both][0])
    integral_mj = float(numpy.sum(numpy.diff(seconds) * (power.data[both][1:] + power.data[both][:-1]) / 2.0))
    if integral_mj <= 0:
        return _unknown("power was 0 throughout")
    ratio = measured_mj / integral_mj
    return EnergyCheck(ratio, not BAND[0] <= ratio <= BAND[1], uncertainty, None)


def _unknown(reason: str) -> EnergyCheck:
    return EnergyCheck(None, False, None, reason)
