"""A trial laid out for its summary: files, phases and counters in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness.records.attribution import Counted
from harness.records.counters import CounterSeries, series
from harness.records.phases import Phase, of_kind, worker_end_ns
from harness.records.quality import sampling_quality
from harness.records.reading import TrialFiles, number

if TYPE_CHECKING:
    import numpy as np

SHORTEST_LIFE_S = 1.0
"""The host counts in ticks of 10 ms: over less than this a share of 1 % would be a single tick."""


@dataclass
class Job:
    """What the numbers are computed from.

    Attributes:
        files: the trial folder, read.
        phases: with what was used in each.
        unmarked: what lies before the first and after the last of them.
        cpu: the job's CPU time, a counter in ns; None where not sampled.
        cpu_source: `cgroup` or `tree`.
        quantities: the counters that phases are told apart by, the CPU time first.
        batch_size: of the setting.
        setting: of the specification; empty where it has none.
        training_flops: operations of the network for one image in training; None where there is no network.
        t_begin_ns, t_worker_ns, t_end_ns: of the trial.
        no_samples: why there are no samples, where there are none.
        number: among the jobs of its trial, counted from 1.
        jobs_planned: how many jobs the trial was to run side by side.
        shares_cores: whether those jobs were given the same CPUs.
        neighbours: the other jobs of the trial, as far as they left anything behind.
    """

    files: TrialFiles
    phases: list[Phase]
    unmarked: list[Phase]
    cpu: CounterSeries | None
    cpu_source: str | None
    batch_size: int | None
    t_begin_ns: int
    t_worker_ns: int | None
    t_end_ns: int
    no_samples: str = "no samples"
    training_flops: int | None = None
    setting: Mapping[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    quantities: list[Counted] = field(default_factory=list)
    number: int = 1
    jobs_planned: int = 1
    shares_cores: bool = False
    neighbours: Sequence[Job] = ()

    @property
    def all_jobs(self) -> list[Job]:
        """This job and its neighbours, in the order of their numbers."""
        return sorted([self, *self.neighbours], key=lambda job: job.number)

    @property
    def own_counters(self) -> tuple[CounterSeries | None, CounterSeries | None]:
        """CPU time of the job and of its sampler, counters in ns; None where not sampled."""
        return self.cpu, series(self.files.samples, "sampler_cpu_ns")

    @property
    def life(self) -> tuple[int, int] | None:
        """The worker's life, where it lasted long enough for the host's ticks of 10 ms; else None."""
        if self.t_worker_ns is None or self.worker_end_ns - self.t_worker_ns < SHORTEST_LIFE_S * 1e9:
            return None
        return self.t_worker_ns, self.worker_end_ns

    @property
    def cpu_pressure(self) -> float | None:
        """Share of the worker's life in which a task of the job waited for a CPU; None where not known."""
        waited, life = self.counter("cgroup_pressure_cpu_some_us"), self.life
        return None if waited is None or life is None else waited.increase(*life) / ((life[1] - life[0]) / 1e3)

    @cached_property
    def train(self) -> list[Phase]:
        """The `train` phases."""
        return of_kind(self.phases, "train")

    @property
    def phase_cpu(self) -> CounterSeries | None:
        """CPU time within phases, a counter in ns: from the source that tells them apart best."""
        return next((part for one in self.quantities[:1] for part in one.parts), None)

    @cached_property
    def training_ns(self) -> int:
        """Sum of the `train` phases."""
        return sum(phase.end_ns - phase.begin_ns for phase in self.train)

    @cached_property
    def evaluations(self) -> list[dict[str, Any]]:
        """The events of evaluations, each with its `split`."""
        return [{"split": "test", **event} for event in self.files.events if event["event"] == "evaluation"]

    @cached_property
    def test_phases(self) -> list[Phase]:
        """The finished `evaluate` phases but those of the validation images."""
        others = [event["t_ns"] for event in self.evaluations if event["split"] != "test"]
        return [
            phase
            for phase in of_kind(self.phases, "evaluate")
            if phase.finished and not any(phase.begin_ns <= t_ns < phase.end_ns for t_ns in others)
        ]

    @cached_property
    def test_evaluation(self) -> dict[str, Any] | None:
        """The last evaluation of the test split."""
        return next((event for event in reversed(self.evaluations) if event["split"] == "test"), None)

    @cached_property
    def train_steps(self) -> list[tuple[Phase, int, int]]:
        """Each `train` phase with the first and one past the last index of its steps in the table of steps."""
        import numpy as np

        ends = self.files.steps["t_end_ns"]
        edges = [(phase.begin_ns, phase.end_ns) for phase in self.train]
        indices = np.searchsorted(ends, np.array(edges, dtype=np.int64).reshape(-1, 2), side="right").tolist()
        return [(phase, first, stop) for phase, (first, stop) in zip(self.train, indices, strict=True)]

    @cached_property
    def step_times_ns(self) -> np.ndarray:
        """Time of each step of the `train` phases; the first of a phase counts from the phase's begin."""
        import numpy as np

        ends = self.files.steps["t_end_ns"]
        parts = [np.diff(ends[first:stop], prepend=phase.begin_ns) for phase, first, stop in self.train_steps]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    @cached_property
    def worker_end_ns(self) -> int:
        """When the worker was gone."""
        return worker_end_ns(self.files, self.t_end_ns)

    @cached_property
    def sampling(self) -> dict[str, Any]:
        """How well the trial was sampled: `sampling` of the manifest."""
        return sampling_quality(self)

    @cached_property
    def _launcher_end(self) -> dict[str, Any]:
        return next((line for line in self.files.launcher if line["event"] == "finished"), {})

    @property
    def reaped_cpu_s(self) -> float | None:
        """CPU seconds of all processes the launcher has waited for: the kernel's account at their exit."""
        user_s, system_s = (number(self._launcher_end.get(f"children_{mode}_s")) for mode in ("user", "system"))
        return None if user_s is None or system_s is None else user_s + system_s

    @property
    def launcher_cpu_s(self) -> float | None:
        """CPU seconds of the launcher itself, which only a cgroup counts."""
        return number(self._launcher_end.get("own_cpu_s"))

    def counter(self, column: str) -> CounterSeries | None:
        """A counter of the job alone."""
        return series(self.files.samples, column, self.t_worker_ns)
