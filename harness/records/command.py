"""The summary and the tables of a command that `dlgauge sample` ran."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.records.counters import CounterSeries, series
from harness.records.quality import FEWEST_FOR_P50, FEWEST_FOR_P99, quantile
from harness.records.reading import TrialFiles, integer, number, read_trial_folder
from harness.records.tables import tables_of
from harness.sampling import schema as sampled
from harness.sampling.audit import audit

if TYPE_CHECKING:
    from harness.execution.command import CommandRun

TABLES = ("samples", "processes", "gpus")
WINDOW_NS = 1_000_000_000
QUANTILES = {"lateness_p50_seconds": (0.5, FEWEST_FOR_P50), "lateness_p99_seconds": (0.99, FEWEST_FOR_P99)}
"""Key -> the quantile of lateness, and the samples on schedule that it takes."""

MUCH_PAGE_CACHE = 0.02
"""Share of page cache in the cgroup's peak from which on that peak says little about the command's own memory."""


SHORTEST_S = 0.1
"""What a statement on CPU time takes at least: an account of it can lag by a tick of the scheduler, up to 10 ms."""

KEYS = (
    "exit_status",
    "wall_seconds",
    "cpu_seconds",
    "cpu_user_seconds",
    "cpu_system_seconds",
    "mean_cores_used",
    "max_cores_used",
    "audit",
    "peak_memory_bytes",
    "peak_memory_cgroup_bytes",
    "peak_memory_largest_process_bytes",
    "samples",
    "sampler_cpu_seconds",
    "sampler_peak_memory_bytes",
    "lateness_p50_seconds",
    "lateness_p99_seconds",
)
"""Keys of a summary, in order (docs/sample.md); behind them `sources` and `not_measured`."""


class Null(str):
    """There is no value: why not."""


@dataclass
class _Evidence:
    """What is known of a command that has run."""

    run: CommandRun
    files: TrialFiles

    def line(self, event: str) -> dict[str, Any]:
        """The launcher's line about an event; empty where it wrote none."""
        return next((line for line in self.files.launcher if line["event"] == event), {})

    @cached_property
    def begin_ns(self) -> int | None:
        """When the command was started."""
        return integer(self.line("started").get("t_ns"))

    @cached_property
    def end_ns(self) -> int | None:
        """When the last of its processes had ended."""
        return integer(self.line("finished").get("t_ns"))

    def reaped(self, mode: str) -> float | None:
        """CPU seconds by `wait4`, `user` or `system`."""
        return number(self.line("finished").get(f"children_{mode}_s"))

    @cached_property
    def reaped_cpu_s(self) -> float | None:
        """CPU seconds by `wait4` of every process that was waited for."""
        user_s, system_s = self.reaped("user"), self.reaped("system")
        return None if user_s is None or system_s is None else user_s + system_s

    def counter(self, column: str) -> CounterSeries | None:
        """A sampled counter of the command alone."""
        return series(self.files.samples, column, self.run.t_begin_ns)

    def values(self, column: str) -> list[int]:
        """What was sampled of a column, without nulls."""
        return [value for value in (self.files.samples or {}).get(column, ()) if value is not None]

    def why_no(self, *columns: str) -> Null:
        """Why there is no value in any of these columns."""
        told = {**self.files.sampler_reasons, **self.run.not_measured}
        if not self.files.samples:
            return Null(told.get("samples") or self.files.missing.get(sampled.SAMPLES_FILE, "there are no samples"))
        return Null("; ".join(told.get(column, f"no sample holds a value of {column}") for column in columns))


def summarise_command(run: CommandRun) -> dict[str, Any]:
    """The numbers of a command: every key of docs/sample.md; null where not measured, with the reason beside it."""
    evidence = _Evidence(run, read_trial_folder(run.folder))
    sources: dict[str, str] = {}
    found: dict[str, Any] = {"exit_status": run.exit_status}
    for group in (_processor(evidence, sources), _memory(evidence, sources), _sampler(evidence)):
        found.update(group)
    return {
        **{key: None if isinstance(value, Null) else value for key, value in found.items()},
        "sources": sources,
        "not_measured": {key: str(value) for key, value in found.items() if isinstance(value, Null)},
    }


def summary_without_run(exit_status: int, reason: str) -> dict[str, Any]:
    """The summary of a command that could not be started: nothing but its status, and the reason for all else."""
    missing = [key for key in KEYS if key != "exit_status"]
    why = f"the command was not started: {reason}"
    return {
        "exit_status": exit_status,
        **dict.fromkeys(missing),
        "sources": {},
        "not_measured": dict.fromkeys(missing, why),
    }


def write_tables(folder: Path) -> list[Path]:
    """Write `samples.parquet`, `processes.parquet` and `gpus.parquet`; the binary files they are made of go.

    A file that is damaged stays, so that nothing is lost.
    """
    import pyarrow.parquet as parquet

    files = read_trial_folder(folder)
    tables = tables_of(files)
    written = []
    for name in TABLES:
        path = folder / f"{name}.parquet"
        parquet.write_table(tables[name], path, compression="zstd")
        written.append(path)
    for name in (sampled.SAMPLES_FILE, sampled.PROCESSES_FILE, sampled.GPUS_FILE):
        if name not in files.damaged:
            (folder / name).unlink(missing_ok=True)
    return written


def _processor(evidence: _Evidence, sources: dict[str, str]) -> Iterator[tuple[str, Any]]:
    begin_ns, end_ns = evidence.begin_ns, evidence.end_ns
    if begin_ns is None or end_ns is None:
        wall_s: float | Null = Null("the launcher was ended before it could say when the command began and ended")
    else:
        wall_s = (end_ns - begin_ns) / 1e9
    yield "wall_seconds", wall_s
    accounts = _accounts(evidence)
    cgroup, tree = evidence.counter("cgroup_cpu_ns"), evidence.counter("tree_cpu_ns")
    cpu_s: float | Null
    if cgroup is not None:
        cpu_s, sources["cpu_seconds"] = cgroup.total / 1e9, "cgroup"
    elif evidence.reaped_cpu_s is not None:
        cpu_s, sources["cpu_seconds"] = evidence.reaped_cpu_s, "wait4"
    elif tree is not None:
        cpu_s, sources["cpu_seconds"] = tree.total / 1e9, "tree"
    else:
        cpu_s = evidence.why_no("cgroup_cpu_ns", "tree_cpu_ns")
    yield "cpu_seconds", cpu_s
    yield from _modes(evidence, accounts, sources)
    short = "" if isinstance(wall_s, Null) or wall_s >= SHORTEST_S else _too_short(wall_s)
    if isinstance(wall_s, Null) or isinstance(cpu_s, Null):
        yield "mean_cores_used", wall_s if isinstance(wall_s, Null) else cpu_s
    elif short:
        yield "mean_cores_used", Null(short)
    else:
        yield "mean_cores_used", cpu_s / wall_s
    counter = cgroup if cgroup is not None else tree
    if isinstance(wall_s, Null) or counter is None:
        yield "max_cores_used", wall_s if isinstance(wall_s, Null) else evidence.why_no("tree_cpu_ns")
    else:
        highest = counter.highest_rate(int(begin_ns or 0), int(end_ns or 0), WINDOW_NS)
        less = Null(f"the command lasted {wall_s:.3g} s; the highest of all windows of 1 s takes at least one")
        yield "max_cores_used", less if highest is None else highest
    if accounts["disagreement_s"] is None:
        yield "audit", Null("it takes two accounts of the CPU time; there are fewer")
    else:
        yield "audit", Null(short) if short else accounts


def _too_short(wall_s: float) -> str:
    lasted = f"the command lasted {1e3 * wall_s:.3g} ms; it takes {1e3 * SHORTEST_S:.0f}"
    return f"{lasted}: accounts of CPU time lag by up to a tick of the scheduler"


def _accounts(evidence: _Evidence) -> dict[str, object]:
    cgroup, tree = evidence.counter("cgroup_cpu_ns"), evidence.counter("tree_cpu_ns")
    return audit(
        None if cgroup is None else cgroup.total / 1e9,
        None if tree is None else tree.total / 1e9,
        evidence.reaped_cpu_s,
        number(evidence.line("finished").get("own_cpu_s")) or 0.0,
    )


def _modes(evidence: _Evidence, accounts: dict[str, object], sources: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """User and system time: by `wait4`, unless that has lost what the cgroup has (a parent that ignores SIGCHLD)."""
    for mode in ("user", "system"):
        key, by_wait4 = f"cpu_{mode}_seconds", evidence.reaped(mode)
        cgroup = evidence.counter(f"cgroup_cpu_{mode}_ns")
        if by_wait4 is not None and not accounts["flag"]:
            sources[key] = "wait4"
            yield key, by_wait4
        elif cgroup is not None:
            sources[key] = "cgroup"
            yield key, cgroup.total / 1e9
        elif by_wait4 is not None:
            yield key, Null("wait4 disagrees with the other accounts (see audit), and only it tells the modes apart")
        else:
            yield key, Null("the launcher was ended before it could tell")


def _memory(evidence: _Evidence, sources: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """The peak of the command's own memory, and the two kernel-kept peaks that it is chosen from.

    The cgroup's counts everything at one moment, processes together and shared pages once, but also the page cache
    of files that were read or written, which the kernel would give back. Where that was a part of it, the largest
    process's own peak is nearer; with several large processes it is too low, and then the cgroup's largest sample
    less page cache counts.
    """
    cgroup = max(evidence.values("cgroup_memory_peak_bytes"), default=None)
    process = _largest_process(evidence)
    cache = max(evidence.values(_cache_column(evidence)), default=0)
    sampled_bytes = _largest_without_cache(evidence)
    peak: int | Null
    if cgroup is not None and (process is None or cache <= MUCH_PAGE_CACHE * cgroup):
        peak, source = cgroup, "cgroup"
    elif process is not None and sampled_bytes is not None and sampled_bytes > process:
        peak, source = sampled_bytes, "largest_sample_of_cgroup_without_page_cache"
    elif process is not None:
        peak, source = process, "largest_process"
    else:
        peak, source = evidence.why_no("cgroup_memory_peak_bytes", "tree_resident_peak_bytes"), ""
    if source:
        sources["peak_memory_bytes"] = source
    yield "peak_memory_bytes", peak
    no_cgroup = evidence.why_no("cgroup_memory_peak_bytes")
    yield "peak_memory_cgroup_bytes", no_cgroup if cgroup is None else cgroup
    yield (
        "peak_memory_largest_process_bytes",
        Null("no process was seen, nor one that grew larger than the launcher") if process is None else process,
    )


def _largest_process(evidence: _Evidence) -> int | None:
    """The largest peak of one process, kept by the kernel: `VmHWM` while it was seen, or by `wait4` at its end.

    `ru_maxrss` catches the shortest process, but begins at what the launcher held when it forked: less says nothing.
    """
    processes = evidence.files.processes or {}
    rows = zip(processes.get("resident_peak_bytes", ()), processes.get("role", ()), strict=False)
    seen = [value for value, role in rows if value is not None and role != "launcher"]
    finished = evidence.line("finished")
    reaped, launcher = (integer(finished.get(f"{who}_resident_peak_bytes")) for who in ("children", "own"))
    if reaped is not None and launcher is not None and reaped > launcher:
        seen.append(reaped)
    return max([*seen, *evidence.values("tree_resident_peak_bytes")], default=None)


def _cache_column(evidence: _Evidence) -> str:
    column = "cgroup_file_bytes"
    return column if evidence.values(column) else "cgroup_memory_inactive_file_bytes"


def _largest_without_cache(evidence: _Evidence) -> int | None:
    samples = evidence.files.samples or {}
    pairs = zip(samples.get("cgroup_memory_bytes", ()), samples.get(_cache_column(evidence), ()), strict=False)
    return max((used - cache for used, cache in pairs if used is not None and cache is not None), default=None)


def _sampler(evidence: _Evidence) -> Iterator[tuple[str, Any]]:
    yield "samples", len((evidence.files.samples or {}).get("seq", ()))
    report = evidence.files.sampler_report
    cpu_s = number(report.get("sampler_cpu_seconds"))
    by_samples = max(evidence.values("sampler_cpu_ns"), default=None)
    if cpu_s is None and by_samples is not None:
        cpu_s = by_samples / 1e9
    peak = integer(report.get("sampler_resident_peak_bytes"))
    no_report = Null(evidence.run.not_measured.get("sampler_report", "the sampler left no report"))
    yield "sampler_cpu_seconds", no_report if cpu_s is None else cpu_s
    yield "sampler_peak_memory_bytes", no_report if peak is None else peak
    late_ns = _latenesses_ns(evidence)
    for key, (fraction, fewest) in QUANTILES.items():
        if len(late_ns) < fewest:
            yield key, Null(f"{len(late_ns)} samples on schedule; this quantile takes {fewest}")
        else:
            yield key, quantile(late_ns, fraction) / 1e9


def _latenesses_ns(evidence: _Evidence) -> list[int]:
    """How late each scheduled sample began, in order of size."""
    samples = evidence.files.samples or {}
    rows = zip(*(samples.get(name, ()) for name in ("trigger", "t_planned_ns", "t_start_ns")), strict=False)
    return sorted(start - planned for trigger, planned, start in rows if trigger == "tick")
