"""What of a curve is drawn, and where."""

from __future__ import annotations

import numpy as np

from harness.reporting.palette import line_styles
from harness.reporting.rate_curves import MOST_POINTS, RateCurve, drawn_points, grid, shared_top
from harness.reporting.rate_plot import plot_lines


def test_a_short_curve_is_drawn_whole() -> None:
    steps, rates = drawn_points(np.array([0.1, 0.2, 0.1]))
    assert steps.tolist() == [0, 1, 2]
    assert rates.tolist() == [0.1, 0.2, 0.1]


def test_a_long_curve_keeps_its_ends_and_every_peak() -> None:
    rates = np.full(1_000_000, 0.5)
    rates[123_457], rates[777_777] = 0.9, 0.01
    rates[0], rates[-1] = 0.6, 0.4
    steps, drawn = drawn_points(rates)
    assert len(steps) <= MOST_POINTS + 2
    assert (np.diff(steps) > 0).all()
    assert {0, 123_457, 777_777, 999_999} <= set(steps.tolist())
    assert np.array_equal(drawn, rates[steps])


def test_few_curves_share_axes_and_many_do_not() -> None:
    assert grid(6, None) == (1, 1)
    assert grid(7, None) == (3, 3)
    assert grid(13, None) == (4, 4)
    assert grid(13, False) == (1, 1)
    assert grid(2, True) == (1, 2)


def test_panels_share_an_axis_where_none_becomes_a_line() -> None:
    low, middle, high = (RateCurve("", np.array([0.0, top])) for top in (0.01, 0.03, 0.04))
    assert shared_top([middle, high]) == 0.04 * 1.05
    assert shared_top([low, high]) is None


def test_45_lines_are_distinct() -> None:
    assert len(set(line_styles(45))) == 45


def test_a_plot_of_text_rises_where_the_rate_does() -> None:
    lines = plot_lines(np.array([0.0, 1.0, 2.0, 3.0]), width=4, height=4, ascii_=True)
    assert lines == ["3 |   *", "  |  **", "  | **", "0 |**", "  +----", "   0step3"]


def test_a_plot_of_text_keeps_a_peak_of_one_step() -> None:
    rates = np.full(100_000, 0.001)
    rates[50_001] = 1.0
    top = plot_lines(rates, width=40, height=5)[0]
    assert top.startswith("1 │")
    assert len(top) == len("1 │") + 21
    assert len(plot_lines(np.zeros(3))) == 12
