"""Deadlines, quantiles and the audit: pure functions (validity suite V8)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sampling.audit import audit
from harness.sampling.schedule import Latenesses, Schedule

PERIOD = 100


def test_the_time_a_sample_takes_does_not_add_up() -> None:
    schedule = Schedule(0, PERIOD, 1000)
    planned = []
    for _ in range(1000):
        planned.append(schedule.deadline_ns)
        schedule.advance(schedule.deadline_ns + 30)
    assert planned == [PERIOD * (k + 1) for k in range(1000)]
    assert schedule.ticks_skipped == 0


def test_overruns_skip_and_count() -> None:
    schedule = Schedule(0, PERIOD, 1000)
    schedule.advance(550)  # the sample of deadline 100 ended at 550: 200, 300, 400, 500 have passed
    assert schedule.deadline_ns == 600
    assert schedule.ticks_skipped == 4


@given(st.lists(st.integers(min_value=0, max_value=1000), max_size=50), st.integers(min_value=1, max_value=200))
def test_deadlines_stay_on_the_grid_and_none_is_forgotten(durations: list[int], period: int) -> None:
    schedule = Schedule(7, period, 10 * period)
    taken = 0
    for duration in durations:
        now = schedule.deadline_ns + duration
        taken += 1
        schedule.advance(now)
        assert schedule.deadline_ns > now
        assert (schedule.deadline_ns - 7) % period == 0
    assert taken + schedule.ticks_skipped + 1 == (schedule.deadline_ns - 7) // period


def test_the_slower_tier_comes_every_tenth_tick_in_spite_of_jitter() -> None:
    schedule = Schedule(0, PERIOD, 10 * PERIOD)
    due = []
    for k in range(1, 41):
        now = k * PERIOD + (k * 7) % 13
        if schedule.medium_is_due(now):
            due.append(k)
            schedule.medium_done(now)
    assert due == [10, 20, 30, 40]


def test_quantiles_in_bounded_memory() -> None:
    values = Latenesses()
    assert values.quantile(0.5) is None
    for value in range(200_000):
        values.add(value)
    assert values.quantile(0.5) == pytest.approx(100_000, rel=0.01)
    assert values.quantile(0.99) == pytest.approx(198_000, rel=0.01)
    assert values.largest == 199_999
    assert len(values._values) < 40_000


@pytest.mark.parametrize(
    ("cgroup_s", "tree_s", "rusage_s", "root_s", "flag"),
    [
        (10.0, 10.05, 10.0, 0.0, False),  # below 2 %
        (10.0, 9.0, None, 0.0, True),
        (1.0, 0.96, None, 0.0, False),  # above 2 %, below 50 ms
        (10.0, 9.7, 9.7, 0.3, False),  # the launcher's own time
        (10.0, 9.0, 9.0, 0.3, True),
        (9.0, 10.0, None, 5.0, True),  # the launcher's time cannot explain a cgroup that has too little
        (None, 10.0, 7.0, 0.0, True),
        (None, 10.0, None, 0.0, False),
        (None, None, None, 0.0, False),
        (0.0, 0.0, 0.0, 0.0, False),
    ],
)
def test_audit(cgroup_s: float | None, tree_s: float | None, rusage_s: float | None, root_s: float, flag: bool) -> None:
    result = audit(cgroup_s, tree_s, rusage_s, root_s)
    assert result["flag"] is flag
    known = [value for value in (cgroup_s, tree_s, rusage_s) if value is not None]
    assert (result["disagreement_s"] is None) == (len(known) < 2)
