"""What disturbed the trials behind some numbers (`harness.records.disturbances`), in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.records import Record

WORDS = {
    "foreign_cpu_mean": "other programs kept the cores busy, from the worker's start to its end",
    "foreign_cpu_5s": "other programs kept the cores busy for 5 s on end",
    "steal": "the hypervisor took CPU time away",
    "cpu_pressure": "the job waited for a CPU",
    "throttled_by_quota": "the CPU quota held the job back",
    "throttled_by_heat": "the processor was throttled by heat",
    "gpu_throttled": "a GPU was held down by heat or power",
    "swapped_in": "the machine swapped in",
    "swapped_out": "the machine swapped out",
    "frequency_variation": "the processor's frequency varied",
    "clock_step": "the calendar clock was set",
    "canary_compute": "the canary's computation took another time after the trial",
    "canary_memory": "the canary's memory work took another time after the trial",
}
SHARES = ("of the cores", "of CPU time", "of the time", "of its mean", "of the time before")


@dataclass(frozen=True)
class Disturbance:
    """One signal beyond its limit.

    Attributes:
        signal: its name.
        trials: in how many trials.
        worst: the highest value found.
        limit: beyond which it counts.
        unit: of both.
    """

    signal: str
    trials: int
    worst: float
    limit: float
    unit: str

    @property
    def words(self) -> str:
        """What happened, how much of it, and the limit."""
        if self.unit in SHARES:
            measure = f"{100 * self.worst:.3g} % {self.unit}, limit {100 * self.limit:.3g} %"
        else:
            measure = f"{self.worst:.3g} {self.unit}, limit {self.limit:.3g}"
        return f"{WORDS.get(self.signal, self.signal)} ({measure})"


def disturbances_of(records: Sequence[Record]) -> tuple[Disturbance, ...]:
    """The signals beyond their limits in these records, in order of their first appearance."""
    by_signal: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        for finding in _findings(record):
            by_signal.setdefault(str(finding.get("signal")), []).append(finding)
    return tuple(
        Disturbance(
            signal,
            len(found),
            max(float(one["found"]) for one in found),
            float(found[0]["limit"]),
            str(found[0].get("unit", "")),
        )
        for signal, found in by_signal.items()
    )


def _findings(record: Record) -> Iterable[Mapping[str, Any]]:
    told = record.manifest.get("disturbances")
    return [one for one in told if isinstance(one, Mapping)] if isinstance(told, list) else []
