"""A record's manifest: made from a trial's outcome, read back in any version of the schema."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import DlgaugeError, StoreError
from harness.execution.outcome import TrialOutcome
from harness.records.attribution import Counted, attribute, counted_quantities, peak_reason, reasons, sums, with_peaks
from harness.records.certificates import covering_certificate
from harness.records.co_location import Files, co_location_section, planned
from harness.records.counters import CounterSeries, series
from harness.records.disturbances import disturbances
from harness.records.job import Job
from harness.records.phases import Phase, partition, unmarked, worker_end_ns
from harness.records.reading import TrialFiles, integer, text
from harness.records.schema import SCHEMA_VERSION
from harness.records.summary import Summary, summarise
from harness.records.upgrades import UPGRADES, specified_training_flops
from harness.sampling.schema import SAMPLES_FILE

MANIFEST_FILE = "manifest.json"
LONGEST_LAG_NS = 10_000_000
"""A tick of the scheduler at its longest: so much a cgroup may be behind, and a sample of the tree further away."""


def make_manifest(
    outcome: TrialOutcome, files: TrialFiles, jobs: Sequence[Files] = (), number: int = 1
) -> dict[str, Any]:
    """Return the manifest without `repetition`, `files` and `not_kept`, which the writer adds.

    Args:
        outcome, files: of the trial, or of one of its jobs.
        jobs: all jobs of the trial, in order, where several ran side by side.
        number: which of them this manifest is of.
    """
    import harness

    job = _among_its_neighbours(jobs, number) if len(jobs) > 1 else _job(outcome, files)
    summary = summarise(job, outcome.not_measured)
    termination = outcome.termination
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "dlgauge_version": harness.__version__,
        "trial": outcome.trial.id,
        "study": outcome.trial.study,
        "label": outcome.trial.label,
        "varied": outcome.trial.varied,
        "overrides": outcome.trial.overrides,
        "started_at": outcome.started_at,
        "t_begin_ns": outcome.t_begin_ns,
        "t_worker_ns": outcome.t_worker_ns,
        "t_end_ns": outcome.t_end_ns,
        "specification": outcome.trial.specification,
        "termination": {
            "kind": str(termination.kind),
            "reason": termination.reason,
            "exit_status": termination.exit_status,
            "signal": termination.signal,
            "log_tail": list(termination.log_tail),
        },
        "framework": _description(files),
        "profile_in_force": _in_force(files),
        "host": outcome.host,
        "environment": outcome.environment,
        "clock_anchors": outcome.clock_anchors,
        "canary": outcome.canary,
        "phases": [phase.to_dict() for phase in job.phases],
        "unmarked": [row.to_dict() for row in job.unmarked],
        "phase_sums": sums([*job.phases, *job.unmarked], job.quantities),
        "summary": summary.values,
        "sources": summary.sources,
        "not_measured": _reasons(outcome, job, summary),
        "sampling": job.sampling,
        "disturbances": disturbances(job, outcome.clock_anchors, outcome.canary),
        "notes": files.notes,
        "parity": {"certificate": _certificate(outcome)},
    }
    if section := co_location_section(outcome, job):
        manifest["co_location"] = section
    plain: dict[str, Any] = jsonable(manifest)
    return plain


def _among_its_neighbours(jobs: Sequence[Files], number: int) -> Job:
    """One of several jobs, each with the others for neighbours."""
    made = [_job(outcome, files, one) for one, (outcome, files) in enumerate(jobs, start=1)]
    for job in made:
        job.neighbours = [other for other in made if other is not job]
    return made[number - 1]


def _job(outcome: TrialOutcome, files: TrialFiles, number: int = 1) -> Job:
    cpu, source = job_cpu(files, outcome.t_worker_ns)
    no_samples = outcome.not_measured.get("samples") or files.missing.get(SAMPLES_FILE, "")
    setting = outcome.trial.specification.get("setting")
    setting = setting if isinstance(setting, dict) else {}
    marked = partition(files, worker_end_ns(files, outcome.t_end_ns))
    job = Job(
        files=files,
        phases=[],
        unmarked=[],
        cpu=cpu,
        cpu_source=source,
        batch_size=integer(setting.get("batch_size")),
        setting=setting,
        t_begin_ns=outcome.t_begin_ns,
        t_worker_ns=outcome.t_worker_ns,
        t_end_ns=outcome.t_end_ns,
        no_samples=f"no samples: {no_samples}",
        training_flops=specified_training_flops(outcome.trial.specification),
        number=number,
    )
    job.jobs_planned, job.shares_cores = planned(outcome.trial.specification)
    missing = {**files.sampler_reasons, **outcome.not_measured}
    job.quantities = counted_quantities(files, outcome.t_worker_ns, _phase_cpu(job, marked), missing, job.no_samples)
    job.phases = _attributed(job, marked)
    job.unmarked = _attributed(job, unmarked(files, marked, outcome.t_worker_ns, outcome.t_end_ns))
    return job


def _attributed(job: Job, rows: list[Phase]) -> list[Phase]:
    return with_peaks(attribute(rows, job.quantities), job.files.samples)


def _phase_cpu(job: Job, marked: Sequence[Phase]) -> Counted:
    """CPU time from the source that tells phases apart best: the cgroup or, where nothing speaks against it, the tree.

    A v1 cgroup's counter lags behind a running task by up to a tick of the scheduler; the clocks of processes do not.
    """
    tree = job.counter("tree_cpu_ns")
    found, source = job.cpu, job.cpu_source
    if tree is not None and found is not None and source == "cgroup" and _tree_serves(job, tree, found, marked):
        found, source = tree, "tree"
    if found is None:
        return Counted("cpu_seconds", (), 1e9, "tree", missing=job.no_samples)
    job.sources["phases.cpu_seconds"] = str(source)
    return Counted("cpu_seconds", (found,), 1e9, str(source))


def _tree_serves(job: Job, tree: CounterSeries, cgroup: CounterSeries, marked: Sequence[Phase]) -> bool:
    """Whether the tree agrees with the other accounts, lost no time within a phase, and was read at every mark.

    After the last phase it may fall short: the time of an ended worker is known in clock ticks of 10 ms only.
    """
    if job.sampling["audit"].get("flag") is not False:
        return False
    samples = job.files.samples or {}
    last_ns = marked[-1].end_ns if marked else job.t_end_ns
    columns = (samples.get(name, ()) for name in ("t_start_ns", "tree_cpu_regress_ns"))
    if any(regress and t_ns < last_ns for t_ns, regress in zip(*columns, strict=False)):
        return False
    edges = [edge for phase in marked for edge in (phase.begin_ns, phase.end_ns)]
    return all(tree.gap_ns(edge) <= cgroup.gap_ns(edge) + LONGEST_LAG_NS for edge in edges)


def _certificate(outcome: TrialOutcome) -> str | None:
    try:
        return covering_certificate(outcome.trial.specification, outcome.environment.get("code_sha256"))
    except (KeyError, TypeError, ValueError, DlgaugeError):
        return None


def job_cpu(files: TrialFiles, t_worker_ns: int | None) -> tuple[CounterSeries | None, str | None]:
    """The job's CPU time and where it is from: the cgroup, unless that was read much more rarely than the tree."""
    cgroup = series(files.samples, "cgroup_cpu_ns", t_worker_ns)
    tree = series(files.samples, "tree_cpu_ns", t_worker_ns)
    if cgroup is not None and (tree is None or 2 * len(cgroup.values) >= len(tree.values)):
        return cgroup, "cgroup"
    return (tree, "tree") if tree is not None else (None, None)


def _description(files: TrialFiles) -> dict[str, Any]:
    for event in files.events:
        if event["event"] == "describe":
            return {key: value for key, value in event.items() if key not in ("event", "t_ns")}
    return {}


def _in_force(files: TrialFiles) -> list[Any]:
    """Keys of the profile that the worker found in force: `{key, wanted, found}`."""
    return [
        key
        for event in files.events
        if event["event"] == "profile_in_force" and isinstance(event.get("keys"), list)
        for key in event["keys"]
    ]


def _reasons(outcome: TrialOutcome, job: Job, summary: Summary) -> dict[str, str]:
    missing = {**job.files.sampler_reasons, **outcome.not_measured}
    rows = [*job.phases, *job.unmarked]
    of_phases = {**reasons(rows, job.quantities), **peak_reason(rows, job.files.samples, missing)}
    return {**of_phases, **missing, **summary.not_measured}


def jsonable(value: Any) -> Any:
    """`value` as strict JSON can hold it: NaN and infinities as text, unpaired surrogates replaced, tuples as lists."""
    if isinstance(value, dict):
        return {str(text(key) or key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return text(str(value))


def to_json(manifest: dict[str, Any]) -> bytes:
    """The bytes of manifest.json."""
    return json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False).encode("utf-8") + b"\n"


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read a record's manifest, brought up to the schema of this version.

    Raises:
        StoreError: it is missing, no JSON, lacks a key, or is of a newer version than this one.
    """
    path = folder / MANIFEST_FILE
    try:
        manifest = json.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise StoreError(f"no readable {MANIFEST_FILE}: {error.strerror}", where=str(folder)) from error
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{MANIFEST_FILE} is not JSON: {error}", where=str(folder)) from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("schema_version"), int):
        raise StoreError(f"{MANIFEST_FILE} has no schema_version", where=str(folder))
    return _checked(_upgraded(manifest, folder), folder)


def _upgraded(manifest: dict[str, Any], folder: Path) -> dict[str, Any]:
    if manifest["schema_version"] > SCHEMA_VERSION:
        raise StoreError(
            f"schema version {manifest['schema_version']} is newer than this dlgauge knows ({SCHEMA_VERSION})",
            where=str(folder),
            hint=f"read it with dlgauge {manifest.get('dlgauge_version')} or later",
        )
    while (version := manifest["schema_version"]) < SCHEMA_VERSION:
        if version not in UPGRADES:
            raise StoreError(f"schema version {version} never existed", where=str(folder))
        manifest = {**UPGRADES[version](manifest), "schema_version": version + 1}
    return manifest


_NEEDED = {
    "trial": str,
    "study": str,
    "repetition": int,
    "label": str,
    "started_at": str,
    "specification": dict,
    "termination": dict,
    "summary": dict,
    "not_measured": dict,
    "files": dict,
}


def _checked(manifest: dict[str, Any], folder: Path) -> dict[str, Any]:
    for key, kind in _NEEDED.items():
        if not isinstance(manifest.get(key), kind):
            raise StoreError(f"{MANIFEST_FILE} lacks {key!r}, or it is no {kind.__name__}", where=str(folder))
    if not isinstance(manifest["termination"].get("kind"), str):
        raise StoreError(f"{MANIFEST_FILE} names no kind of termination", where=str(folder))
    return manifest
