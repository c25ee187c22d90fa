"""How well the trials behind some numbers were sampled: the worst of them, in one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.records.quality import SUMMARY_OF_QUALITY, quality_flags
from harness.records.summary_columns import summary_columns

if TYPE_CHECKING:
    from harness.records import Record

QUALITY_KEYS = tuple(SUMMARY_OF_QUALITY)
"""Summary keys that every table carries, whatever quantities it shows."""

NOT_AVAILABLE = "n/a"


@dataclass(frozen=True)
class Sampling:
    """The quality of the sampling of some trials; of each figure the worst among them, None where none has it.

    Attributes:
        trials: number of trials.
        rate_hz: the lowest rate of ticks.
        coverage: the smallest part of a worker's time that samples cover.
        lateness_p50_s, lateness_p99_s: the longest.
        ticks_skipped: the sum over the trials.
        audits: `passed`, `failed` and `impossible` (fewer than two accounts), by number of trials.
        sampler_cores: the most that the sampler used of a core.
        flags: what is wrong (`harness.records.quality.quality_flags`), by number of trials.
    """

    trials: int
    rate_hz: float | None
    coverage: float | None
    lateness_p50_s: float | None
    lateness_p99_s: float | None
    ticks_skipped: int | None
    audits: Mapping[str, int]
    sampler_cores: float | None
    flags: Mapping[str, int]

    @property
    def sentence(self) -> str:
        """One line for below a table."""
        of = "" if self.trials == 1 else f" (the worst of {self.trials} trials)"
        p50, p99 = (_shown(value, "{:.2g}", 1e3) for value in (self.lateness_p50_s, self.lateness_p99_s))
        skipped = NOT_AVAILABLE if self.ticks_skipped is None else str(self.ticks_skipped)
        parts = (
            f"{_shown(self.rate_hz, '{:.1f}')} Hz",
            f"coverage {_shown(self.coverage, '{:.1f}', 100)} %",
            f"lateness p50 {p50} / p99 {p99} ms",
            f"{skipped} ticks skipped",
            f"CPU audit {self._audit}",
            f"sampler {_shown(self.sampler_cores, '{:.1f}', 100)} % of a core",
        )
        return f"Sampling{of}: {', '.join(parts)}."

    @property
    def _audit(self) -> str:
        if failed := self.audits.get("failed", 0):
            return "failed" if self.trials == 1 else f"failed in {failed}"
        if untold := self.audits.get("impossible", 0):
            return "not possible" if untold == self.trials else f"passed, not possible in {untold}"
        return "passed"


def sampling_of(records: Sequence[Record]) -> Sampling:
    """The quality of the sampling of these records."""
    told = [_part(record.manifest, "sampling") for record in records]
    summaries = summary_columns(records, QUALITY_KEYS)
    skipped = list(_numbers(summaries["ticks_skipped"]))
    return Sampling(
        trials=len(records),
        rate_hz=_worst(summaries, "sampling_rate_hz", min),
        coverage=_worst(summaries, "sampling_coverage", min),
        lateness_p50_s=_worst(summaries, "lateness_p50_s", max),
        lateness_p99_s=_worst(summaries, "lateness_p99_s", max),
        ticks_skipped=int(sum(skipped)) if skipped else None,
        audits=dict(Counter(_audit(_part(one, "audit")) for one in told)),
        sampler_cores=max(_numbers(one.get("sampler_cores") for one in told), default=None),
        flags=dict(Counter(flag for one in told for flag in quality_flags(one))),
    )


def pooled(parts: Iterable[Sampling]) -> Sampling:
    """The quality of the sampling of all trials that these are of, as `sampling_of` their records would tell it."""
    every = list(parts)
    audits: Counter[str] = Counter()
    flags: Counter[str] = Counter()
    for part in every:
        audits.update(part.audits)
        flags.update(part.flags)
    skipped = [part.ticks_skipped for part in every if part.ticks_skipped is not None]
    return Sampling(
        trials=sum(part.trials for part in every),
        rate_hz=min(_told(part.rate_hz for part in every), default=None),
        coverage=min(_told(part.coverage for part in every), default=None),
        lateness_p50_s=max(_told(part.lateness_p50_s for part in every), default=None),
        lateness_p99_s=max(_told(part.lateness_p99_s for part in every), default=None),
        ticks_skipped=sum(skipped) if skipped else None,
        audits=dict(audits),
        sampler_cores=max(_told(part.sampler_cores for part in every), default=None),
        flags=dict(flags),
    )


def _told(values: Iterable[float | None]) -> Iterable[float]:
    return (value for value in values if value is not None)


def _worst(summaries: Mapping[str, Sequence[Any]], key: str, choose: Any) -> float | None:
    found = list(_numbers(summaries[key]))
    return float(choose(found)) if found else None


def _audit(audit: Mapping[str, Any]) -> str:
    if audit.get("flag") is True:
        return "failed"
    return "impossible" if audit.get("disagreement_fraction") is None else "passed"


def _numbers(values: Iterable[Any]) -> Iterable[float]:
    return (value for value in values if isinstance(value, int | float) and not isinstance(value, bool))


def _shown(value: float | None, form: str, factor: float = 1.0) -> str:
    return NOT_AVAILABLE if value is None else form.format(value * factor)


def _part(mapping: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = mapping.get(key)
    return value if isinstance(value, Mapping) else {}
