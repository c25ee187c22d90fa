"""Phases partition the worker's life, and CPU time goes to the phase that used it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frameworks.worker.protocol import PHASES
from harness.records.attribution import Counted, attribute
from harness.records.counters import series
from harness.records.phases import partition
from harness.records.reading import TrialFiles

MS = 1_000_000


def marked(marks: list[tuple[int, str]]) -> TrialFiles:
    return TrialFiles(events=[{"event": "phase", "t_ns": t, "phase": phase, "step": 0} for t, phase in marks])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 10**12), st.sampled_from(PHASES)), min_size=1, max_size=30),
    st.booleans(),
)
def test_phases_partition_the_worker_s_life(marks: list[tuple[int, str]], ended: bool) -> None:
    marks = sorted(marks, key=lambda mark: mark[0])
    last_ns = marks[-1][0] + 1000
    phases = partition(marked([*marks, (last_ns, "end")] if ended else marks), last_ns)
    assert sum(phase.end_ns - phase.begin_ns for phase in phases) == last_ns - marks[0][0]
    assert all(a.end_ns == b.begin_ns for a, b in zip(phases, phases[1:], strict=False))
    assert all(phase.finished for phase in phases[:-1])


def test_a_mark_that_goes_back_in_time_is_dropped_with_a_note() -> None:
    files = marked([(100, "import"), (50, "train"), (200, "end")])
    assert [phase.phase for phase in partition(files, 300)] == ["import"]
    assert "goes back in time" in files.notes[0]


def test_only_teardown_may_be_ended_by_the_end() -> None:
    assert partition(marked([(0, "teardown"), (1, "end")]), 5)[0].finished
    assert not partition(marked([(0, "train"), (1, "end")]), 5)[0].finished


def trace(
    durations_ms: list[int], *, boundary: bool
) -> tuple[list[tuple[int, str]], dict[str, list[Any]], list[float]]:
    """Busy (1 core, `train`) and idle (`evaluate`) in turn: marks, samples at 10 Hz, true CPU seconds of each phase."""
    edges = [1000 * MS]
    for duration in durations_ms:
        edges.append(edges[-1] + duration * MS)
    busy = [index % 2 == 0 for index in range(len(durations_ms))]

    def cpu_ns(t: int) -> int:
        return sum(max(0, min(t, end) - begin) for begin, end, b in zip(edges, edges[1:], busy, strict=False) if b)

    times = set(range(900 * MS, edges[-1] + 200 * MS, 100 * MS))
    if boundary:
        times |= {edge + 300_000 for edge in edges}
    ordered = sorted(times)
    samples = {"t_start_ns": ordered, "t_end_ns": ordered, "tree_cpu_ns": [cpu_ns(t) for t in ordered]}
    marks = [(edge, "train" if b else "evaluate") for edge, b in zip(edges, busy, strict=False)] + [(edges[-1], "end")]
    return marks, samples, [duration / 1e3 * b for duration, b in zip(durations_ms, busy, strict=True)]


DURATIONS_MS = [120, 60, 250, 90, 70, 200, 55, 130, 240, 50, 180, 75, 90, 210, 110, 65]


def cpu_of(samples: dict[str, list[Any]], begin_ns: int) -> Counted:
    found = series(samples, "tree_cpu_ns", begin_ns)
    assert found is not None
    return Counted("cpu_seconds", (found,), 1e9, "tree")


def busy_share(*, boundary: bool) -> tuple[float, list[float], list[float]]:
    """Part of the busy phases' CPU time that was given to them; found and true CPU seconds of all phases."""
    marks, samples, truth = trace(DURATIONS_MS, boundary=boundary)
    phases = attribute(partition(marked(marks), marks[-1][0]), [cpu_of(samples, 900 * MS)])
    found = [phase.cpu_seconds for phase in phases]
    assert all(seconds is not None for seconds in found)
    of_busy = sum(p.cpu_seconds or 0.0 for p in phases if p.phase == "train")
    return of_busy / sum(truth), [seconds or 0.0 for seconds in found], truth


def test_boundary_samples_give_99_percent_of_the_cpu_time_to_the_right_phase() -> None:
    share, found, truth = busy_share(boundary=True)
    assert share == pytest.approx(1.0, abs=1e-4)
    # The samples come 0.3 ms late; a straight line across the marks would give half of the phases that much too little.
    assert found == pytest.approx(truth, abs=0.00001)


def test_without_boundary_samples_it_goes_astray() -> None:
    """The control: the test above would not notice a broken attribution if this one were as good."""
    assert busy_share(boundary=False)[0] < 0.95


def test_a_phase_far_from_any_sample_has_no_cpu_time() -> None:
    samples = {"t_start_ns": [0, 100 * MS], "t_end_ns": [0, 100 * MS], "tree_cpu_ns": [0, 50 * MS]}
    phases = partition(marked([(0, "import"), (100 * MS, "train"), (9000 * MS, "end")]), 9000 * MS)
    near, far = attribute(phases, [cpu_of(samples, 0)])
    assert near.cpu_seconds == pytest.approx(0.05)
    assert far.cpu_seconds is None and far.edge_gap_ns == 8900 * MS


def test_a_counter_never_falls_and_its_highest_rate_is_found() -> None:
    times = [t * 100 * MS for t in range(41)]
    values = [0] * 10 + [(t - 9) * 150 * MS for t in range(10, 25)] + [15 * 150 * MS] * 16
    values[30] -= 5 * MS
    counter = series({"t_start_ns": times, "t_end_ns": times, "tree_cpu_ns": values}, "tree_cpu_ns")
    assert counter is not None
    assert counter.increase(times[29], times[31]) == 0
    assert counter.highest_rate(0, 4000 * MS, 1000 * MS) == pytest.approx(1.5)
    assert counter.highest_rate(0, 900 * MS, 1000 * MS) is None
