#!/usr/bin/env python3
"""What is left after `kill -9` of the sampler, the worker or the harness at a random moment of a trial?

A real trial on the fake framework of the tests, killed at a drawn moment of its training. For each victim: how much of
the time before the kill has no readable sample and no readable step (target: at most the last second, and one period),
and whether the record says what happened. For the harness the record is what the next
`dlgauge run` makes of what was left.
Usage: .venv/bin/python scripts/benchmarks/kill_anything.py [--repeats 5] [--seed 1]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import report_line

from harness.paths import PROJECT_ROOT
from harness.records.reading import TrialFiles, read_trial_folder

sys.path.insert(0, str(PROJECT_ROOT))

from harness.records import Record, Store  # noqa: E402
from tests.execution.fake_study import run_study, write_study  # noqa: E402

VICTIMS = ("sampler", "worker", "harness")
TARGET_LOST_S = 1.1
"""The files are flushed once a second; a sample is due every 0.1 s."""


@dataclass
class Left:
    """What one kill left: seconds without data before it, and what the record says."""

    lost_samples_s: float
    lost_steps_s: float
    says: str | None


def main() -> int:
    """All victims in turn, repeated; exit status 1 when data are lost or a record is silent."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--victims", nargs="+", default=VICTIMS, choices=VICTIMS)
    arguments = parser.parse_args()
    report_line.print_machine()
    draw = random.Random(arguments.seed)
    found: dict[str, list[Left]] = {victim: [] for victim in arguments.victims}
    for _ in range(arguments.repeats):
        for victim, of_victim in found.items():
            with tempfile.TemporaryDirectory() as folder:
                of_victim.append(kill(victim, Path(folder), draw.uniform(1.5, 4.0)))
    met = [report(victim, of_victim) for victim, of_victim in found.items()]
    return 0 if all(met) else 1


def report(victim: str, found: list[Left]) -> bool:
    """The worst loss and the words of the records, beside their targets."""
    met = True
    for what, lost in (
        ("samples", [one.lost_samples_s for one in found]),
        ("steps", [one.lost_steps_s for one in found if victim != "sampler"]),
    ):
        if lost:
            figure = report_line.spread(lost, 2)
            within = max(lost) <= TARGET_LOST_S
            met &= report_line.verdict(f"{victim} killed: s before it without {what}", figure, "<= 1.1", within)
    silent = sum(one.says is None for one in found)
    words = next((one.says for one in found if one.says), "nothing")
    figure = f"{len(found) - silent} of {len(found)}; for example: {words}"
    return met & report_line.verdict(f"{victim} killed: records that say so", figure, "all", silent == 0)


def kill(victim: str, folder: Path, after_s: float) -> Left:
    """One trial, one kill."""
    store = folder / "store"
    study = write_study(folder, behaviour="slow", steps=400)
    harness = subprocess.Popen(
        [sys.executable, "-m", "tests.execution.fake_study", str(study), str(store)],
        cwd=PROJECT_ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        running = wait_for_training(harness, store)
        time.sleep(after_s)
        pid = {"harness": harness.pid, "worker": worker_pid(running), "sampler": sampler_pid(running)}[victim]
        if harness.poll() is not None:
            raise SystemExit("the trial was over before the kill: too quick a machine for these numbers of steps")
        os.kill(pid, signal.SIGKILL)
        t_kill_ns = time.monotonic_ns()
        if victim == "harness":
            harness.wait()
            time.sleep(2.0)  # launcher and sampler see it and end
            files, says = read_trial_folder(running), None
            run_study(write_study(folder, steps=30), store)
            says = salvaged(store)
        else:
            harness.wait(120)
            (record,) = Store(store).records(latest=False)
            files, says = files_of(record), words_of(record, victim)
    finally:
        harness.kill()
        harness.wait()
    samples = [t_ns for t_ns in (files.samples or {}).get("t_start_ns", ()) if t_ns is not None and t_ns <= t_kill_ns]
    steps = [int(t_ns) for t_ns in files.steps["t_end_ns"] if t_ns <= t_kill_ns]
    return Left(lost_s(samples, t_kill_ns), lost_s(steps, t_kill_ns), says)


def lost_s(times_ns: list[int], t_kill_ns: int) -> float:
    """Seconds between the last readable moment and the kill."""
    return (t_kill_ns - times_ns[-1]) / 1e9 if times_ns else float("inf")


def wait_for_training(harness: subprocess.Popen[bytes], store: Path) -> Path:
    """The trial folder, once its worker has written steps."""
    deadline_s = time.monotonic() + 60
    while not (found := list(store.glob(".running/*/steps.bin"))):
        if harness.poll() is not None or time.monotonic() > deadline_s:
            raise SystemExit("the trial did not come as far as its training")
        time.sleep(0.05)
    return found[0].parent


def worker_pid(running: Path) -> int:
    """As the launcher has written it."""
    lines = (json.loads(line) for line in (running / "launcher.jsonl").read_text().splitlines())
    return next(int(line["pid"]) for line in lines if line["event"] == "started")


def sampler_pid(running: Path) -> int:
    """The sampler whose last argument is the trial folder."""
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "harness.sampling" in words and Path(words[-1]) == running.resolve():
            return int(process.pid)
    raise SystemExit(f"no sampler runs for {running}")


def files_of(record: Record) -> TrialFiles:
    """The tables of a record as if they were still a trial folder."""
    files = TrialFiles()
    files.samples = record.table("samples").to_pydict()
    files.steps = record.table("steps").to_pydict()
    return files


def words_of(record: Record, victim: str) -> str | None:
    """What a record says of the kill; None where it is silent."""
    if victim == "worker":
        reason = record.manifest["termination"]["reason"] or ""
        return f"{record.termination}: {reason}" if record.termination == "killed" and "SIGKILL" in reason else None
    told = [*record.manifest["not_measured"].values(), *record.manifest["notes"]]
    return next((text for text in told if "sampler" in text), None)


def salvaged(store: Path) -> str | None:
    """What the next run has made of a killed harness's trial: a record with its samples; None where it made none."""
    for record in Store(store).records(latest=False):
        if record.termination != "completed" and record.table("samples").num_rows:
            return f"{record.termination}: {record.manifest['termination']['reason']}"
    return None


if __name__ == "__main__":
    sys.exit(main())
