#!/usr/bin/env python3
"""Is a store of 100,000 records with 10 million samples still quick to ask, and is adding to it as quick as at first?

The store is synthesised in the real format: a record of each framework and batch size is made by the program's own
writer and stands as the template of all others, which differ from it in seed, identity, times and the numbers of the
summary (drawn from known effects, `synthetic_store.py`). Every record has a manifest.json and samples.parquet;
its other files, equal in many records, share their disk blocks as hard links. While it grows, records are published at
1,000, 10,000 and all records. Then it is compacted, and each question is asked in a fresh process on two CPUs, with its
time (imports included) and its peak memory (`VmHWM`).

The folder must not exist, or be a store that this script has made; it is kept, and used again where it has the size
asked for. Runs for some minutes and takes some GiB of disk.
Usage: .venv/bin/python scripts/benchmarks/store_scale.py --store DIR [--records 100000] [--samples 10000000]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import report_line
import scale_questions
import synthetic_store

from harness.paths import PROJECT_ROOT
from harness.records import Store, compact
from harness.records.compact_generation import COMPACT_FOLDER
from harness.records.store_info import disk_bytes

MIB = 1 << 20
GIB = 1 << 30
SMALLEST = "report of one study"
STAGES = (1_000, 10_000)
PUBLISHED_AT_A_STAGE = 20
LONGEST_S = 180
"""After which a question is stopped."""
TARGET_RATIO = 1.5
"""Publishing at the full size against publishing at 1,000 records: the times of single ones vary by more than half."""


def main() -> int:
    """Make the store, ask everything; exit status 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, required=True, help="folder to make the store in, outside the checkout")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--samples", type=int, default=10_000_000, help="of all records together")
    parser.add_argument("--repeats", type=int, default=2, help="of each question")
    parser.add_argument("--remove", action="store_true", help="remove the store at the end")
    arguments = parser.parse_args()
    store = arguments.store.resolve()
    if store.is_relative_to(PROJECT_ROOT):
        parser.error(f"--store {store} is inside the checkout {PROJECT_ROOT}; name a folder outside of it")
    if not 100 <= arguments.records <= arguments.samples:
        parser.error("--records should be at least 100, and --samples no fewer")
    report_line.print_machine()
    good = synthesise(store, arguments.records, arguments.samples)
    compact_it(store)
    ask(SMALLEST, store, 1, quiet=True)  # the first process of all compiles what nobody has compiled yet
    questions = [ask(name, store, arguments.repeats) for name in scale_questions.QUESTIONS]
    if arguments.remove:
        synthetic_store.remove(store)
    return 0 if all([good, *questions]) else 1


def synthesise(store: Path, records: int, samples: int) -> bool:
    """Make the store in stages, publishing at each; whether publishing took the same time at all of them."""
    wanted = synthetic_store.Size(records, samples)
    if synthetic_store.is_made(store, wanted):
        print(f"{store}: used as it is; publishing is not measured again")
        return True
    if store.exists() and any(store.iterdir()):
        sys.exit(f"{store} holds something else, or a store of another size: name another folder, or remove it")
    begin_s = time.monotonic()
    maker = synthetic_store.Maker(store, wanted)
    medians = {}
    for stage in sorted({size for size in (*STAGES, records) if size <= records}):
        maker.grow_to(stage)
        times_s = maker.publish(PUBLISHED_AT_A_STAGE)
        medians[stage] = statistics.median(times_s)
        spread = report_line.spread([1000 * one for one in times_s], 1)
        print(f"publishing one record into a study of {maker.largest_study:,} at {stage:,} records, ms: {spread}")
    maker.finish()
    took_s = time.monotonic() - begin_s
    print(f"synthesised {records:,} records with {wanted.samples_per_record * records:,} samples in {took_s:.0f} s")
    ratio = medians[max(medians)] / medians[min(medians)]
    title = f"time of publishing at {max(medians):,} records / at {min(medians):,}"
    return report_line.verdict(title, f"{ratio:.2f}", f"<= {TARGET_RATIO}", ratio <= TARGET_RATIO)


def compact_it(store: Path) -> None:
    """Compact, with the time it takes from nothing and with nothing to do; print what it all takes on the disk."""
    for what in ("compaction", "compaction once more"):
        begin_s = time.monotonic()
        made = compact(store)
        print(f"{what}: {made.added:,} of {made.records:,} records read, {time.monotonic() - begin_s:.1f} s")
    studies = [store / name for name in Store(store).studies()]
    sizes = (disk_bytes(*studies) / GIB, disk_bytes(store / COMPACT_FOLDER) / GIB)
    print("disk: {:.2f} GiB records, {:.2f} GiB compacted".format(*sizes), flush=True)


def ask(name: str, store: Path, repeats: int, *, quiet: bool = False) -> bool:
    """Ask one question in fresh processes; whether its slowest and its largest met the target."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(store / synthetic_store.HOME / "bytecode")
    question = scale_questions.QUESTIONS[name]
    times_s, peaks_bytes, detail = [], [], ""
    for _ in range(repeats):
        command = [sys.executable, scale_questions.__file__, name, str(store)]
        begin_s = time.monotonic()
        try:
            ended = subprocess.run(
                command, capture_output=True, text=True, check=False, env=environment, timeout=LONGEST_S
            )
        except subprocess.TimeoutExpired:
            target = f"< {question.target_s:g} s"
            return report_line.verdict(name, f"more than {LONGEST_S} s, stopped", target, False)
        times_s.append(time.monotonic() - begin_s)
        if ended.returncode != 0:
            print(f"{name}: FAILED\n{ended.stderr}", flush=True)
            return False
        told = json.loads(ended.stdout.splitlines()[-1])
        peaks_bytes.append(told["peak_bytes"])
        detail = told["detail"]
    if quiet:
        return True
    met = max(times_s) < question.target_s and max(peaks_bytes) < question.target_bytes
    figure = f"{report_line.spread(times_s, 2)} s, peak {max(peaks_bytes) / MIB:.0f} MiB; {detail}"
    target = f"< {question.target_s:g} s and {question.target_bytes / GIB:.1f} GiB"
    return report_line.verdict(name, figure, target, met)


if __name__ == "__main__":
    sys.exit(main())
