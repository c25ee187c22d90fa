"""One question to a store, in a process of its own on two CPUs; prints JSON: what came out, and the peak memory.

`store_scale.py` calls it. Usage: .venv/bin/python scripts/benchmarks/scale_questions.py QUESTION STORE
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

GIB = 1 << 30
HAS_CORRELATION = find_spec("harness.analysis.correlation") is not None
CPUS = 2
SMALL_STUDY = "scale-small"


@dataclass(frozen=True)
class Question:
    """What is asked of a store.

    Attributes:
        ask: returns what came out, in words.
        target_s: wall time of the whole process.
        target_bytes: its peak memory.
    """

    ask: Callable[[Path], str]
    target_s: float = 10.0
    target_bytes: float = 1.5 * GIB


def summarise(store: Path) -> str:
    """Means by framework and batch size over all records, and over all samples the highest memory of each framework."""
    from harness.records import connect

    with connect(store, latest=True, tables=("samples",)) as connection:
        cells = connection.sql(
            "SELECT framework, batch_size, count(*), avg(training_time_s), stddev_samp(training_time_s), "
            "avg(samples_per_s), max(peak_memory_bytes), avg(top1_percent) FROM summary GROUP BY ALL"
        ).fetchall()
        used = connection.sql(
            "SELECT summary.framework, count(*), max(tree_resident_bytes), avg(tree_threads) FROM samples "
            "JOIN summary USING (study, trial, repetition) GROUP BY ALL"
        ).fetchall()
    return f"{len(cells)} cells of {sum(cell[2] for cell in cells):,} records; {sum(one[1] for one in used):,} samples"


def load_summary(store: Path) -> str:
    """The data frame of `harness.load`."""
    from harness.records import load

    frame = load(store)
    return f"{len(frame):,} rows, {len(frame.columns)} columns"


def compare(store: Path) -> str:
    """What `dlgauge compare` works out, for every study."""
    from harness.reporting.studies import comparisons_of

    found = comparisons_of(store)
    trials = sum(one.completed_count for one in found)
    return f"{len(found)} studies, {sum(len(one.cells) for one in found)} cells, {trials:,} trials"


def rank_correlations(store: Path) -> str:
    """Rank correlation of every outcome with every numeric factor that is varied, over all observations."""
    from harness.analysis.observations import observations

    seen = observations(store)
    factors = [name for name in seen.varied if seen.frame[name].dtype.kind in "if"]
    ranks = seen.frame[[*factors, *seen.outcomes]].rank()
    table = ranks.corr().loc[list(seen.outcomes), factors]
    return f"{len(seen.frame):,} observations, {table.size} correlations of {', '.join(factors)}"


def correlate(store: Path) -> str:
    """What `dlgauge correlate` works out but for lags inside runs, for every study."""
    from harness.analysis.correlation import correlate as correlate_study
    from harness.analysis.observations import observations
    from harness.records import Store

    opened, trials = Store(store), 0
    studies = opened.studies()
    for study in studies:
        seen = observations(opened, [study])
        correlate_study(seen, study)
        trials += len(seen.frame)
    return f"{len(studies)} studies, {trials:,} trials"


def report_of_one_study(store: Path) -> str:
    """The HTML report of a study of 60 trials."""
    from harness.reporting.page import write_report

    with tempfile.TemporaryDirectory() as folder:
        path = write_report(store, SMALL_STUDY, Path(folder) / "report.html")
        return f"{path.stat().st_size / 2**20:.1f} MiB of HTML"


QUESTIONS = {
    "summarise": Question(summarise),
    "load": Question(load_summary),
    "compare": Question(compare),
    "rank correlations": Question(rank_correlations),
    "report of one study": Question(report_of_one_study, target_s=2.0),
    **({"correlate": Question(correlate)} if HAS_CORRELATION else {}),
}


def peak_bytes() -> int:
    """The largest resident memory of this process so far, by the kernel."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    if found is None:
        raise SystemExit("/proc/self/status has no VmHWM: this needs Linux")
    return int(found[1]) * 1024


def main() -> None:
    """Ask the question named first of the store named second."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CPUS])
    detail = QUESTIONS[sys.argv[1]].ask(Path(sys.argv[2]))
    print(json.dumps({"detail": detail, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    main()
