"""What LRBench's code computes, one step at a time in plain Python, from the facts in words: nothing here is the code
under test.

The code itself fails where a number leaves the range of Python's floats: its 2 ** n from n = 1024 on, and the
exponential of SIG. Here the limits stand in their place.
"""

from __future__ import annotations

import math
from typing import Any


def tri(x: float, l: int) -> float:  # noqa: E741
    return 2 / math.pi * abs(math.asin(math.sin(math.pi * x / (2 * l))))


def sin(x: float, l: int) -> float:  # noqa: E741
    return abs(math.sin(math.pi * x / (2 * l)))


def saw(t: int, l: int) -> float:  # noqa: E741
    return -t / l - math.floor(-t / l)


def wave(name: str, t: int, l: int) -> tuple[float, int]:  # noqa: E741
    """g(t) of a function without the endings 2 and EXP, and how often a 2 has halved it."""
    later, own = math.floor((t + l) / (2 * l)), math.floor(t / (2 * l))
    return {
        "TRI": lambda: (tri(t, l), own),
        "DTRI": lambda: (tri(t + l, l), later),
        "SIN": lambda: (sin(t, l), own),
        "DSIN": lambda: (sin(t + l, l), later),
        "COS": lambda: (0.5 * (1 + math.cos(math.pi * t / l)), later),
        "UPCOS": lambda: (0.5 * (1 + math.cos(math.pi * (t / l + 1))), own),
        "RSW": lambda: (saw(t, l), math.floor(t / l)),
        "SINRSW": lambda: (math.sin(math.pi / 2 * saw(t, l)), math.floor(t / l)),
        "COSRSW": lambda: (0.5 * (1 - math.cos(math.pi * saw(t, l))), math.floor(t / l)),
    }[name]()


class NstepState:
    """The counter that all NSTEP of LRBench share."""

    count = 0


def rate(policy: dict[str, Any], t: int) -> float | complex:
    """The learning rate at one step; NSTEP moves the shared counter on by at most one."""
    name, k0 = policy["policy"], policy["k0"]
    k1, gamma, p, l = (policy.get(key) for key in ("k1", "gamma", "p", "l"))  # noqa: E741
    if name == "FIX":
        return k0
    if name == "STEP":
        return k0 * gamma ** math.floor(t / l)
    if name == "NSTEP":
        if NstepState.count < len(l) and t >= l[NstepState.count]:
            NstepState.count += 1
        return k0 * gamma**NstepState.count
    if name == "EXP":
        return k0 * gamma**t
    if name == "INV":
        return k0 * (1 + gamma * t) ** -p
    if name == "POLY":
        return (k1 - k0) * (1 - t / l) ** p + k0
    if name == "SIG":
        exponent = -gamma * (t - l)
        return k0 / (1 + math.exp(exponent)) if exponent < 700 else 0.0
    base = name.removesuffix("EXP").removesuffix("2")
    g, halvings = wave(base, t, l)
    if name.endswith("EXP"):
        g *= gamma**t
    elif name.endswith("2"):
        g = math.ldexp(g, -halvings)
    return (k1 - k0) * g + k0


def trace(policy: dict[str, Any], steps: int) -> list[float | complex]:
    """The rates of a training that asks at every step from 0."""
    NstepState.count = 0
    return [rate(policy, t) for t in range(steps)]


def piecewise(parts: list[dict[str, Any]], at: list[int], steps: int) -> list[float | complex]:
    """The rates of a composite: each part begins at t = 0, and making the parts sets the counter to 0."""
    NstepState.count = 0
    rates, part, begin = [], 0, 0
    for t in range(steps):
        if part < len(at) and t >= at[part]:
            begin, part = at[part], part + 1
        rates.append(rate(parts[part], t - begin))
    return rates
