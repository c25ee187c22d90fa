"""Deadlines, quantiles and the audit: pure functions (validity suite V8)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records.quality import quantile
from harness.sampling.audit import audit
from harness.sampling.report import Statistics
from harness.sampling.schedule import Latenesses, Schedule, too_few
from harness.sampling.schema import MISSING, SAMPLE_COLUMNS, SAMPLE_INDEX

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
    assert values.count == 0
    for value in range(200_000):
        values.add(value)
    assert values.quantile(0.5) == pytest.approx(100_000, rel=0.01)
    assert values.quantile(0.99) == pytest.approx(198_000, rel=0.01)
    assert values.largest == 199_999
    assert len(values._values) < 40_000


@pytest.mark.parametrize(("count", "p50", "p99"), [(100, 50, 99), (101, 51, 100), (200, 100, 198)])
def test_a_quantile_is_the_same_as_the_record_makes_of_the_samples(count: int, p50: int, p99: int) -> None:
    """Of 100 values the 99th percentile is the 99th, not the largest by another name."""
    values = Latenesses()
    for value in range(count, 0, -1):
        values.add(value)
    assert (values.quantile(0.5), values.quantile(0.99)) == (p50, p99)
    assert [quantile(range(1, count + 1), fraction) for fraction in (0.5, 0.99)] == [p50, p99]


@pytest.mark.parametrize(("fraction", "fewest"), [(0.5, 5), (0.99, 100)])
def test_quantiles_of_too_few_values_are_refused(fraction: float, fewest: int) -> None:
    values = Latenesses()
    for value in range(fewest - 1):
        values.add(value)
    assert values.quantile(fraction) is None
    assert too_few(fraction, fewest - 1) == f"fewer than {fewest} values: a quantile of {fraction:g} takes so many"
    values.add(fewest)
    assert values.quantile(fraction) is not None
    assert too_few(fraction, fewest) is None


def test_a_report_says_which_figures_it_refuses() -> None:
    statistics = Statistics(PERIOD)
    assert set(statistics.refused()) == {f"{w}_{q}_ns" for w in ("lateness", "duration") for q in ("p50", "p99", "max")}
    for _ in range(20):
        statistics.add([0] * len(SAMPLE_COLUMNS), is_tick=True, is_medium=False)
    assert set(statistics.refused()) == {"lateness_p99_ns", "duration_p99_ns"}
    summary = statistics.summary()
    assert {name for name, value in summary.items() if value is None} == set(statistics.refused())
    assert summary["ticks"] == 20


def test_the_audit_compares_accounts_of_one_sample() -> None:
    """Beside a cgroup the tree is read once a second: the cgroup's later ticks must not look like a disagreement."""
    statistics = Statistics(PERIOD)
    cgroup, tree = SAMPLE_INDEX["cgroup_cpu_ns"], SAMPLE_INDEX["tree_cpu_ns"]

    def row(cgroup_ns: int, tree_ns: int) -> list[int]:
        values = [0] * len(SAMPLE_COLUMNS)
        values[cgroup], values[tree] = cgroup_ns, tree_ns
        return values

    statistics.mark_first(row(0, 0))
    for values in (row(1_000_000_000, 1_000_000_000), row(1_900_000_000, MISSING)):
        statistics.add(values, is_tick=True, is_medium=True)
    statistics.add(row(2_000_000_000, 1_000_000_000), is_tick=False, is_medium=True, tree_is_whole=False)
    result = statistics.audit(0, 1_010_000_000)
    assert (result["cgroup_cpu_s"], result["tree_cpu_s"], result["unified_cpu_s"]) == (1.0, 1.0, 1.01)
    assert result["flag"] is False
    assert statistics.audit(0, 1_100_000_000)["flag"] is True


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
