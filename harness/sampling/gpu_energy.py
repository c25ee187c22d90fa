"""The energy counter of a GPU: kept from falling, and how often the driver brings it up to date."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

CALIBRATION_NS = 2_000_000_000
_ENOUGH_STEPS = 20
_LEAST_STEPS = 5
_POLL_S = 0.0005


class EnergyEnvelope:
    """The counter as it would be had it never restarted: a driver that is reloaded counts from 0 again.

    What was used between the last reading before a restart and the first one after it is lost.
    """

    __slots__ = ("_raw_mj", "_total_mj", "resets")

    def __init__(self) -> None:
        self.resets = 0
        self._raw_mj: int | None = None
        self._total_mj = 0

    def add(self, raw_mj: int) -> int:
        """Take a reading of the counter; returns the energy, in mJ, which never decreases."""
        if self._raw_mj is None:
            self._total_mj = raw_mj
        elif raw_mj >= self._raw_mj:
            self._total_mj += raw_mj - self._raw_mj
        else:
            self.resets += 1
        self._raw_mj = raw_mj
        return self._total_mj


class _Steps:
    """When one device's counter was seen to change."""

    def __init__(self, read: Callable[[], int]) -> None:
        self._read = read
        self._last: int | None = None
        self.changes_ns: list[int] = []
        self.polls = 0
        self.failure: str | None = None

    def poll(self, failures: type[Exception]) -> None:
        try:
            value = self._read()
        except failures as error:
            self.failure = f"NVML: {error}"
            return
        self.polls += 1
        if self._last is not None and value != self._last:
            self.changes_ns.append(time.monotonic_ns())
        self._last = value

    @property
    def wants_more(self) -> bool:
        return self.failure is None and len(self.changes_ns) <= _ENOUGH_STEPS

    def result(self, elapsed_ns: int) -> dict[str, Any]:
        gaps = sorted(after - before for before, after in zip(self.changes_ns, self.changes_ns[1:], strict=False))
        enough = self.failure is None and len(gaps) >= _LEAST_STEPS
        why = self.failure or f"the counter changed {len(self.changes_ns)} times in {elapsed_ns / 1e9:.2g} s"
        return {
            "energy_update_period_ns": gaps[len(gaps) // 2] if enough else None,
            "energy_update_period_unknown": None if enough else why,
            "energy_calibration_steps": len(self.changes_ns),
            "energy_calibration_poll_ns": elapsed_ns // self.polls if self.polls else None,
        }


def calibrate(
    readers: Sequence[Callable[[], int]], failures: type[Exception], limit_ns: int = CALIBRATION_NS
) -> list[dict[str, Any]]:
    """How often each device's energy counter is brought up to date, by polling all of them for up to 2 s.

    Args:
        readers: reads a device's counter (mJ).
        failures: what a reader raises.
        limit_ns: when to end; earlier once every counter has been seen to change often enough.

    Returns:
        For each device what goes into the report: `energy_update_period_ns` (median time between steps; null with
        `energy_update_period_unknown`), the steps seen, and the mean time between polls: the period is an upper bound
        where it is near that.
    """
    devices = [_Steps(read) for read in readers]
    begin_ns = time.monotonic_ns()
    elapsed_ns = 0
    while elapsed_ns < limit_ns and (waiting := [device for device in devices if device.wants_more]):
        for device in waiting:
            device.poll(failures)
        time.sleep(_POLL_S)
        elapsed_ns = time.monotonic_ns() - begin_ns
    return [device.result(elapsed_ns) for device in devices]
