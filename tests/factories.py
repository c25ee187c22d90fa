"""Synthetic trials and records with known numbers, for tests of everything that reads records.

A trial here is a made-up timeline: phases of given lengths, each with a constant CPU rate, sampled at 10 Hz and at
every phase mark as the real sampler does. `publish_trial` makes a real record of one through `harness.records.publish`.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frameworks.worker.protocol import STEP_RECORD
from harness.execution.outcome import Termination, TerminationKind, TrialOutcome
from harness.records import Record, new_trial_folder, publish
from harness.sampling import schema as sampled
from harness.study.trial import Trial

SECOND_NS = 1_000_000_000
PERIOD_NS = SECOND_NS // 10
BOUNDARY_DELAY_NS = 300_000
"""How long after a phase mark the sampler takes its boundary sample."""
T_BEGIN_NS = 5_000 * SECOND_NS
WORKER_AFTER_NS = SECOND_NS // 5
FIRST_MARK_AFTER_NS = SECOND_NS // 10
CLEAN_UP_NS = SECOND_NS // 4
HOST_CORES = 2
FOREIGN_CORES = 0.05
SAMPLER_CORES = 0.005
MIB = 1024 * 1024

CORES = {"import": 1.0, "prepare": 0.9, "build": 0.8, "warm_up": 1.2, "train": 1.8, "evaluate": 1.5, "teardown": 0.2}
VERSIONS = {"torch": "2.13.0", "tensorflow": "2.21.0", "caffe": "1.0.0", "theano": "1.0.5", "jax": "0.7.2"}
STEP_S = {"torch": 0.0100, "tensorflow": 0.0080, "caffe": 0.0150, "theano": 0.0170, "jax": 0.0090}
RESIDENT_BYTES = {"torch": 400 * MIB, "tensorflow": 700 * MIB, "caffe": 150 * MIB, "theano": 250 * MIB}
IN_CONTAINER = ("caffe", "theano")
NEVER_RAN = ("environment_failed", "skipped")
CUT_SHORT = ("crashed", "killed", "cancelled", "timed_out", "out_of_memory")


def make_trial(
    framework: str = "torch",
    seed: int = 1,
    *,
    study: str = "synthetic",
    batch_size: int = 64,
    steps: int = 200,
    every_steps: int = 100,
    varied: dict[str, Any] | None = None,
    overrides: dict[str, Any] | None = None,
    setting: str = "caffe-mnist",
    workload: str = "lenet-mnist-subset",
    profile: str = "local",
    price_per_hour: float | None = None,
) -> Trial:
    """A trial with a specification of the real form (docs/architecture.md, section 2), network shortened.

    What `varied` names among the keys of the setting is set there too.
    """
    kind = "container" if framework in IN_CONTAINER else "venv"
    specification = {
        "framework": {
            "name": framework,
            "version": VERSIONS.get(framework, "1.0"),
            "environment": kind,
            "environment_sha256": "0" * 64,
        },
        "workload": {
            "name": workload,
            "dataset": {
                "name": "mnist-subset",
                "content_sha256": "1" * 64,
                "train": 10000,
                "test": 2000,
                "shape": [1, 28, 28],
                "classes": 10,
            },
            "preprocessing": [{"kind": "scale", "factor": 0.00390625}],
            "network": {
                "name": "lenet",
                "input": [1, 28, 28],
                "layers": [{"name": "dense1", "kind": "dense", "inputs": ["input"], "units": 10}],
            },
            "loss": "softmax_cross_entropy",
        },
        "setting": {
            "name": setting,
            "steps": steps,
            "batch_size": batch_size,
            "warm_up_steps": 1,
            "optimizer": {
                "kind": "sgd",
                "momentum": 0.9,
                "momentum_form": "rate_in_velocity",
                "weight_decay": 0.0005,
            },
            "learning_rate": {"policy": "INV", "k0": 0.01, "gamma": 0.0001, "p": 0.75},
            "multipliers": {"weights": {"rate": 1.0, "decay": 1.0}, "biases": {"rate": 2.0, "decay": 1.0}},
            "initialisation": {"weights": {"kind": "caffe_xavier"}, "biases": {"kind": "constant", "value": 0.0}},
            "evaluation": {"every_steps": every_steps, "batch_size": 100},
        },
        "profile": {
            "name": profile,
            "cpus": [0, 1],
            "memory_bytes": None,
            "gpus": 0,
            "threads": {"intra_op": 2, "inter_op": 1},
            "blas": None,
            "precision": "float32",
            "environment": {},
            "price_per_hour": price_per_hour,
        },
        "seed": seed,
        "time_limit_s": 3600.0,
    }
    parameters: dict[str, Any] = specification["setting"]  # type: ignore[assignment]
    parameters.update({key: value for key, value in (varied or {}).items() if key in parameters})
    parts = [framework, setting, *(f"{key}={value}" for key, value in (varied or {}).items()), f"seed {seed}"]
    label = " · ".join(parts)
    return Trial(study=study, label=label, specification=specification, varied=varied or {}, overrides=overrides or {})


@dataclass
class Timeline:
    """What happened, before it is written to files: marks, steps and evaluations in order of time.

    Attributes:
        marks: (t_ns, phase, finished steps), the last one `end` unless the worker was cut off.
        events: the other events.
        steps: tuples of `STEP_RECORD`.
        end_ns: when the worker was gone.
    """

    marks: list[tuple[int, str, int]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    steps: list[tuple[int, int, int, float, float]] = field(default_factory=list)
    end_ns: int = 0

    def cut(self, t_ns: int) -> None:
        """The worker dies at `t_ns`."""
        self.marks = [mark for mark in self.marks if mark[0] < t_ns]
        self.events = [event for event in self.events if event["t_ns"] < t_ns]
        self.steps = [step for step in self.steps if step[1] < t_ns]
        self.end_ns = t_ns


def worker_began_ns() -> int:
    """When the worker of every synthetic trial was requested."""
    return T_BEGIN_NS + WORKER_AFTER_NS


def make_timeline(trial: Trial, *, jitter: float = 0.02) -> Timeline:
    """A trial that completes: the four phases before training, training and evaluation in turn, teardown.

    Args:
        trial: gives framework, seed, number of steps, evaluation.
        jitter: relative standard deviation of the step time; 0 makes every step equal.
    """
    chance = random.Random(f"{trial.framework}-{trial.specification['seed']}")
    setting = trial.specification["setting"]
    timeline = Timeline()
    now = worker_began_ns() + FIRST_MARK_AFTER_NS
    step_ns = STEP_S.get(trial.framework, 0.012) * (1 + chance.gauss(0, jitter)) * SECOND_NS
    done = 0

    def phase(name: str) -> None:
        timeline.marks.append((now, name, done))

    def take_steps(until: int) -> None:
        nonlocal now, done
        while done < until:
            done += 1
            now += int(step_ns * (20 if done == 1 else 1 + abs(chance.gauss(0, jitter))))
            loss = 2.3 * math.exp(-done / 60) + 0.05 + abs(chance.gauss(0, 0.01))
            timeline.steps.append((done, now, int(step_ns) // 50, loss, 0.01 * (1 + 0.0001 * done) ** -0.75))

    for name, duration_s in (("import", 0.8), ("prepare", 0.3), ("build", 0.2)):
        phase(name)
        now += int(duration_s * SECOND_NS)
    timeline.events.append(describe_event(trial, now))
    phase("warm_up")
    begin_ns = now
    take_steps(min(setting["warm_up_steps"], setting["steps"]))
    timeline.events.append({"t_ns": now, "event": "first_step", "duration_ns": now - begin_ns})
    now += SECOND_NS // 20
    every = setting["evaluation"]["every_steps"]
    while done < setting["steps"]:
        phase("train")
        take_steps(min(setting["steps"], (done // every + 1) * every))
        phase("evaluate")
        begin_ns, now = now, now + 2 * SECOND_NS // 5
        timeline.events.append(evaluation_event(now, done, now - begin_ns, chance))
    timeline.events.append({"t_ns": now, "event": "done", "steps": done})
    phase("teardown")
    now += SECOND_NS // 20
    phase("end")
    timeline.end_ns = now + SECOND_NS // 100
    return timeline


def describe_event(trial: Trial, t_ns: int) -> dict[str, Any]:
    """A `describe` event of the real form."""
    return {
        "t_ns": t_ns,
        "event": "describe",
        "framework": trial.framework,
        "version": trial.specification["framework"]["version"],
        "python": "3.11.2",
        "numpy": "1.26.4",
        "blas": [{"name": "openblas", "path": "/lib/libopenblas.so.0", "version": "0.3.21"}],
        "devices": ["cpu"],
        "threads": {"intra_op": 2, "inter_op": 1},
        "affinity": [0, 1],
        "limits": {},
        "packages": {"numpy": "1.26.4"},
        "compile_cache": None,
    }


def evaluation_event(t_ns: int, step: int, duration_ns: int, chance: random.Random) -> dict[str, Any]:
    """An `evaluation` event: accuracy rises with the steps."""
    top1 = 0.985 - 0.5 * math.exp(-step / 50) + chance.gauss(0, 0.002)
    return {
        "t_ns": t_ns,
        "event": "evaluation",
        "step": step,
        "split": "test",
        "loss": 0.05 + 1.5 * math.exp(-step / 50),
        "top1": round(min(top1, 1.0) * 2000) / 2000,
        "top5": 0.9995,
        "average_confidence": 0.9,
        "confidence_deviation": 0.1,
        "confidence_deviation_across_classes": 0.01,
        "training_loss": 0.04 + 1.5 * math.exp(-step / 50),
        "loss_difference": 0.01,
        "not_measured": {},
        "images": 2000,
        "duration_ns": duration_ns,
    }


def cores_at(timeline: Timeline, t_ns: int) -> float:
    """The job's CPU rate at a moment."""
    if not worker_began_ns() <= t_ns < timeline.end_ns:
        return 0.0
    current = "import"
    for mark_ns, phase, _ in timeline.marks:
        if mark_ns > t_ns:
            break
        current = phase
    return CORES.get(current, 0.1)


def job_cpu_ns(timeline: Timeline) -> Callable[[int], int]:
    """The job's true CPU time as a function of time: the integral of `cores_at`."""
    edges = sorted({worker_began_ns(), *(mark[0] for mark in timeline.marks), timeline.end_ns})
    rates = [cores_at(timeline, edge) for edge in edges]

    def at(t_ns: int) -> int:
        total = 0.0
        for begin_ns, end_ns, rate in zip(edges, [*edges[1:], edges[-1]], rates, strict=True):
            total += rate * max(0, min(t_ns, end_ns) - begin_ns)
        return int(total)

    return at


def make_samples(timeline: Timeline, *, cgroup: bool, resident_bytes: int) -> list[dict[str, Any]]:
    """Samples as the sampler takes them: start, ticks by absolute deadlines, boundary samples, stop."""
    first_ns, last_ns = T_BEGIN_NS + SECOND_NS // 20, timeline.end_ns + SECOND_NS // 20
    planned = [(first_ns, first_ns, "start")]
    planned += [(t, t + 150_000, "tick") for t in range(first_ns + PERIOD_NS, last_ns, PERIOD_NS)]
    planned += [(t, t + BOUNDARY_DELAY_NS, "phase") for t, _, _ in timeline.marks]
    planned += [(last_ns, last_ns, "stop")]
    cpu = job_cpu_ns(timeline)
    ordered = sorted(planned, key=lambda plan: plan[1])
    return [_sample(seq, *plan, cpu, cgroup, resident_bytes) for seq, plan in enumerate(ordered)]


def _sample(
    seq: int, planned_ns: int, t_ns: int, trigger: str, cpu: Callable[[int], int], cgroup: bool, resident_bytes: int
) -> dict[str, Any]:
    since_ns = t_ns - T_BEGIN_NS
    busy_ns = cpu(t_ns) + (SAMPLER_CORES + FOREIGN_CORES) * since_ns
    medium = trigger != "phase"
    ran = t_ns >= worker_began_ns() + SECOND_NS // 2
    row: dict[str, Any] = {
        "seq": seq,
        "trigger": trigger,
        "tiers": sampled.TIER_FAST | (sampled.TIER_MEDIUM if medium else 0),
        "t_planned_ns": planned_ns,
        "t_start_ns": t_ns,
        "t_end_ns": t_ns + 400_000,
        "ticks_skipped": 0,
        "tree_processes": 1,
        "tree_threads": 4,
        "tree_cpu_ns": cpu(t_ns + 200_000),
        "tree_cpu_regress_ns": 0,
        "tree_resident_bytes": resident_bytes if ran else resident_bytes // 4,
        "host_user_ticks": 100_000 + int(busy_ns / 1e7),
        "host_nice_ticks": 0,
        "host_system_ticks": 5_000,
        "host_idle_ticks": 900_000 + int((HOST_CORES * since_ns - busy_ns) / 1e7),
        "host_iowait_ticks": 10,
        "host_irq_ticks": 0,
        "host_softirq_ticks": 0,
        "host_steal_ticks": 0,
        "sampler_cpu_ns": 20_000_000 + int(SAMPLER_CORES * since_ns),
        "errors": 0,
    }
    if medium:
        row["tree_resident_peak_bytes"] = resident_bytes + 10 * MIB if ran else resident_bytes // 4
        row["tree_read_bytes"] = 30 * MIB if ran else 0
        row["tree_write_bytes"] = 2 * MIB if ran else 0
        row["host_memory_available_bytes"] = 20_000 * MIB
    if cgroup:
        row["cgroup_cpu_ns"] = cpu(t_ns + 200_000)
        row["cgroup_memory_bytes"] = resident_bytes if ran else resident_bytes // 4
        row["cgroup_memory_peak_bytes"] = resident_bytes + 50 * MIB if ran else resident_bytes // 4
    return row


def encode_samples(rows: Sequence[dict[str, Any]]) -> bytes:
    """`samples.bin` of these rows; a column that a row lacks is null there."""
    content = sampled.header(sampled.SAMPLES_MAGIC, sampled.SAMPLE_RECORD)
    for row in rows:
        values = [row.get(column.name, sampled.MISSING) for column in sampled.SAMPLE_COLUMNS]
        values[1] = sampled.TRIGGERS.index(row["trigger"])
        content += sampled.SAMPLE_RECORD.pack(*values)
    return content


def encode_processes(timeline: Timeline, resident_bytes: int) -> bytes:
    """`processes.bin` with the worker alone."""
    cpu_ns = job_cpu_ns(timeline)(timeline.end_ns)
    values = (
        *(4242, 500_000, 4241),
        b"python",
        sampled.ROLES.index("worker"),
        *(worker_began_ns(), timeline.end_ns, cpu_ns, 0, resident_bytes + 10 * MIB, 30 * MIB, 2 * MIB),
    )
    return sampled.header(sampled.PROCESSES_MAGIC, sampled.PROCESS_RECORD) + sampled.PROCESS_RECORD.pack(*values)


def encode_events(timeline: Timeline) -> bytes:
    """`events.jsonl` of a timeline; the worker's own CPU clock is the job's."""
    cpu = job_cpu_ns(timeline)
    events = list(timeline.events)
    for t_ns, phase, step in timeline.marks:
        events.append({"t_ns": t_ns, "event": "phase", "phase": phase, "step": step, "process_cpu_ns": cpu(t_ns)})
    events.sort(key=lambda event: event["t_ns"])
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def encode_steps(timeline: Timeline) -> bytes:
    """`steps.bin` of a timeline."""
    return b"".join(STEP_RECORD.pack(*step) for step in timeline.steps)


def encode_launcher(timeline: Timeline, signal: int | None) -> bytes:
    """`launcher.jsonl` of a timeline."""
    cpu_s = job_cpu_ns(timeline)(timeline.end_ns) / 1e9
    lines = [
        {"event": "started", "pid": 4242, "t_ns": worker_began_ns()},
        {
            "event": "exit",
            "pid": 4242,
            "status": None if signal else 0,
            "signal": signal,
            "user_s": cpu_s,
            "system_s": 0.0,
            "t_ns": timeline.end_ns,
        },
        {"event": "finished", "children_user_s": cpu_s, "children_system_s": 0.0, "t_ns": timeline.end_ns + 1000},
    ]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def end_timeline(timeline: Timeline, kind: str) -> None:
    """Bend a timeline that completes into one that ends in another way, about half-way through its steps."""
    half = timeline.steps[len(timeline.steps) // 2]
    first_train_ns = next(t_ns for t_ns, phase, _ in timeline.marks if phase == "train")
    build_ns = next(t_ns for t_ns, phase, _ in timeline.marks if phase == "build")
    if kind in CUT_SHORT:
        timeline.cut(max(half[1] + 1, first_train_ns + 2))
    elif kind == "diverged":
        timeline.cut(half[1] + 1)
        timeline.steps[-1] = (*half[:3], math.nan, half[4])
        timeline.events.append({"t_ns": half[1] + 1, "event": "diverged", "step": half[0], "loss": "nan"})
        timeline.marks.append((half[1] + 2, "end", half[0]))
    elif kind in ("unsupported", "profile_not_in_force"):
        timeline.cut(build_ns + SECOND_NS // 10)
        details = {"what": "layer lrn1", "why": "this framework has no such layer"}
        if kind == "profile_not_in_force":
            details = {"key": "threads.intra_op", "wanted": "2", "found": "1"}
        timeline.events.append({"t_ns": timeline.end_ns - 2, "event": kind, **details})
        timeline.marks.append((timeline.end_ns - 1, "end", 0))


def make_termination(kind: str) -> Termination:
    """A termination as the supervisor would give it."""
    if kind == "completed":
        return Termination(TerminationKind.COMPLETED, exit_status=0)
    reasons = {
        "diverged": "the loss was nan at step 101",
        "timed_out": "the trial ran longer than its limit of 3600 s",
        "out_of_memory": "the kernel killed the worker for want of memory",
        "crashed": "the worker ended with exit status 1: RuntimeError: broken",
        "killed": "the worker was killed by signal 9",
        "skipped": "larger than one that ran out of memory (trial 0123456789abcdef)",
        "cancelled": "cancelled by Ctrl-C",
        "environment_failed": "pip could not install the requirements",
        "profile_not_in_force": "threads.intra_op: wanted 2, found 1",
        "unsupported": "layer lrn1: this framework has no such layer",
    }
    signal = 9 if kind in ("killed", "timed_out", "out_of_memory") else None
    status = 1 if kind == "crashed" else None
    tail = ("Traceback (most recent call last):", "RuntimeError: broken") if kind == "crashed" else ()
    return Termination(TerminationKind(kind), reasons[kind], status, signal, tail)


def write_trial_folder(folder: Path, trial: Trial, timeline: Timeline, *, signal: int | None = None) -> None:
    """Write all files that worker, launcher and sampler leave behind."""
    resident_bytes = RESIDENT_BYTES.get(trial.framework, 300 * MIB)
    cgroup = trial.framework in IN_CONTAINER
    samples = make_samples(timeline, cgroup=cgroup, resident_bytes=resident_bytes)
    contents = {
        "trial.json": json.dumps({"protocol": 1, "trial": trial.id, "specification": trial.specification}).encode(),
        "events.jsonl": encode_events(timeline),
        "steps.bin": encode_steps(timeline),
        "launcher.jsonl": encode_launcher(timeline, signal),
        "samples.bin": encode_samples(samples),
        "processes.bin": encode_processes(timeline, resident_bytes),
        "gpus.bin": sampled.header(sampled.GPUS_MAGIC, sampled.GPU_RECORD),
        "sampler.json": json.dumps({"period_ns": PERIOD_NS}).encode(),
        "sampler-report.json": json.dumps({"gpus": []}).encode(),
        "stderr.log": b"a warning of the framework\n",
        "stdout.log": b"",
        "weights.npz": b"not kept",
        "learning_rates.npy": b"not kept either",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)


def make_outcome(folder: Path, trial: Trial, timeline: Timeline | None, kind: str = "completed") -> TrialOutcome:
    """The outcome of a trial whose files lie in `folder`; without a timeline the worker was never started."""
    t_end_ns = T_BEGIN_NS + SECOND_NS if timeline is None else timeline.end_ns + CLEAN_UP_NS
    seed = trial.specification["seed"]
    framework = trial.specification["framework"]
    return TrialOutcome(
        trial=trial,
        folder=folder,
        termination=make_termination(kind),
        started_at=f"2026-01-01T10:{seed % 60:02d}:00.000000+00:00",
        t_begin_ns=T_BEGIN_NS,
        t_worker_ns=None if timeline is None else worker_began_ns(),
        t_end_ns=t_end_ns,
        host={
            "hostname": "synthetic",
            "cpu_model": "Synthetic CPU",
            "cpus": HOST_CORES,
            "memory_bytes": 24 * 1024 * MIB,
        },
        environment={"kind": framework["environment"], "sha256": framework["environment_sha256"]},
        not_measured={"gpu": "no NVIDIA driver: libnvidia-ml.so.1 not found"},
        clock_anchors={
            "begin": {"realtime_ns": 1_767_261_600 * SECOND_NS, "monotonic_ns": T_BEGIN_NS, "boottime_ns": T_BEGIN_NS},
            "end": {
                "realtime_ns": 1_767_261_600 * SECOND_NS + t_end_ns - T_BEGIN_NS,
                "monotonic_ns": t_end_ns,
                "boottime_ns": t_end_ns,
            },
        },
    )


def ended_trial(store: Path, trial: Trial, kind: str = "completed") -> TrialOutcome:
    """A trial folder under the store with its files, and the outcome, ready to publish."""
    folder = new_trial_folder(store, trial.id)
    if kind in NEVER_RAN:
        return make_outcome(folder, trial, None, kind)
    timeline = make_timeline(trial)
    end_timeline(timeline, kind)
    termination = make_termination(kind)
    write_trial_folder(folder, trial, timeline, signal=termination.signal)
    return make_outcome(folder, trial, timeline, kind)


def publish_trial(
    store: Path, framework: str = "torch", seed: int = 1, termination: str = "completed", **of_trial: Any
) -> Record:
    """Make a synthetic trial and publish it; `of_trial` goes to `make_trial`."""
    return publish(ended_trial(store, make_trial(framework, seed, **of_trial), termination), store)


def fill_store(
    store: Path,
    frameworks: Sequence[str] = ("torch", "tensorflow", "caffe", "theano"),
    seeds: Sequence[int] = (1, 2, 3),
    **of_trial: Any,
) -> list[Record]:
    """Publish a completed trial for every framework and seed."""
    return [publish_trial(store, framework, seed, **of_trial) for seed in seeds for framework in frameworks]
