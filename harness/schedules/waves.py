"""Waves that the functions are made of, exact at their corners.

The step is reduced modulo the period before anything else: `fmod` of two floating-point numbers has no rounding error. What is
left is a place `x` in 0 … 1 of a rising or falling half, on which sine and cosine are only ever asked for angles up to 45
degrees, so that they are exactly 0 and 1 at the ends.
"""

from __future__ import annotations

import numpy as np

from harness.schedules.base import Rates


def triangle(t: Rates, half: int) -> Rates:
    """0 at 0, 1 at `half`, 0 at `2 half`, and so on: `(2 / pi) |arcsin(sin(pi t / (2 half)))|`."""
    place = np.fmod(t, 2.0 * half)
    return np.minimum(place, 2.0 * half - place) / half


def sawtooth(t: Rates, period: int) -> Rates:
    """0 at every multiple of the period, then almost 1, falling: the fractional part of `-t / period`."""
    place = np.fmod(t, float(period))
    return np.where(place == 0.0, 0.0, (period - place) / period)


def quarter_sine(x: Rates) -> Rates:
    """`sin(pi x / 2)` for `x` in 0 … 1: exactly 0 at 0 and exactly 1 at 1."""
    lower = x <= 0.5
    sine = np.sin(np.where(lower, np.pi / 2 * x, np.pi / 4 * (1.0 - x)))
    return np.where(lower, sine, 1.0 - 2.0 * sine * sine)


def half_cosine(x: Rates) -> Rates:
    """`(1 - cos(pi x)) / 2` for `x` in 0 … 1: exactly 0 at 0 and exactly 1 at 1."""
    sine = quarter_sine(x)
    return sine * sine


def halved(wave: Rates, t: Rates, period: int) -> Rates:
    """The wave divided by `2 ** floor(t / period)`, without a rounding error (but for what is too small for a number)."""
    cycles = (t - np.fmod(t, float(period))) / period
    return np.ldexp(wave, -np.minimum(cycles, 5000.0).astype(np.int32))
