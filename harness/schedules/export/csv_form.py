"""Learning rates as CSV: columns `step,learning_rate`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

HEADER = "step,learning_rate"
STEPS_A_CHUNK = 10_000


def csv_lines(rates: NDArray[np.float64]) -> Iterator[str]:
    """Text of a CSV file, in pieces: a header, then one line a step.

    Args:
        rates: float64, shape `(steps,)`; item `t` is the rate of step `t`, counted from 0.

    Rates are written with as few digits as give the same float64 when they are read again.
    """
    yield f"{HEADER}\n"
    for begin in range(0, len(rates), STEPS_A_CHUNK):
        values = rates[begin : begin + STEPS_A_CHUNK].tolist()
        yield "".join(f"{step},{value!r}\n" for step, value in enumerate(values, start=begin))
