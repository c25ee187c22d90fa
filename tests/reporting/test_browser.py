"""The report as a reader sees it, in headless Chromium."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from harness.analysis import compare
from harness.records import Store
from harness.reporting import write_report
from harness.reporting.figures import GLANCE_KEYS
from harness.reporting.grid import comparison_grid
from tests.reporting.browser import chromium
from tests.synthetic import write_record, write_study

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FRAMEWORKS, SEEDS = 4, 3


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    write_study(folder, seeds=SEEDS)
    write_record(folder, "jax", 1, termination="crashed", reason="<b>boom</b>", log_tail=("<script>alert(1)</script>",))
    write_report(folder, "demo")
    return folder


def opened(driver: Any, store: Path) -> None:
    driver.get((store / "demo.html").as_uri())
    until(driver, "return document.querySelectorAll('#timeline .main-svg').length > 0")


def until(driver: Any, script: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not driver.execute_script(script):
        assert time.monotonic() < deadline, f"never true: {script}"
        time.sleep(0.05)


def traces(driver: Any, plot: str) -> int:
    return int(driver.execute_script(f"return document.getElementById('{plot}').data.length"))


def drawn(driver: Any, plot: str, selector: str) -> int:
    return int(driver.execute_script(f"return document.querySelectorAll('#{plot} {selector}').length"))


def shapes(driver: Any, begin: str) -> list[str]:
    script = "return document.getElementById('timeline').layout.shapes.map((one) => one.name || '')"
    return [name for name in driver.execute_script(script) if name.startswith(begin)]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_page_draws_everything_without_error_or_network(store: Path, dark: bool) -> None:
    with chromium(dark=dark) as driver:
        opened(driver, store)
        assert traces(driver, "loss") == FRAMEWORKS * (SEEDS + 1) * 2
        assert traces(driver, "accuracy") == FRAMEWORKS * (SEEDS + 1) * 2
        assert traces(driver, "glance") == len(GLANCE_KEYS) * (1 + FRAMEWORKS)
        assert traces(driver, "breakdown") == 7
        assert drawn(driver, "loss", ".scatterlayer .trace .js-line") == FRAMEWORKS * (SEEDS + 1) * 2
        assert drawn(driver, "accuracy", ".scatterlayer .point") == FRAMEWORKS * SEEDS * 2 * 2
        assert drawn(driver, "breakdown", ".barlayer .point path") >= FRAMEWORKS * 7 - FRAMEWORKS
        assert driver.execute_script("return performance.getEntriesByType('resource').length") == 0
        background = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert (background == "rgb(19, 23, 26)") is dark
        assert [line for line in driver.get_log("browser") if line["level"] in ("SEVERE", "WARNING")] == []


def test_table_shows_the_numbers_of_compare(store: Path) -> None:
    grid = comparison_grid(compare(Store(store).records()))
    script = (
        "return [...document.querySelectorAll('#comparison-table tr')]"
        ".map((row) => [...row.cells].map((cell) => cell.innerText.trim().replace(/\\s+/g, ' ')))"
    )
    with chromium() as driver:
        opened(driver, store)
        rows = [[f"{cell.mean} {cell.spread}".strip() for cell in row] for row in grid.rows]
        assert driver.execute_script(script) == [list(grid.headers), *rows]


def test_no_column_of_the_comparison_is_cut_at_1400_pixels(store: Path) -> None:
    with chromium() as driver:
        metrics = {"width": 1400, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        opened(driver, store)
        box = "document.querySelector('#comparison .scroll')"
        wide, there = driver.execute_script(f"return [{box}.scrollWidth, {box}.clientWidth]")
        assert wide <= there


def test_phases_are_shaded_and_the_selector_changes_the_trial(store: Path) -> None:
    with chromium() as driver:
        opened(driver, store)
        select = "document.getElementById('trial')"
        # A completed trial is shown first, although the crashed one started before it.
        assert "crashed" not in driver.execute_script(f"return {select}.selectedOptions[0].text")
        names = [f"phase {p}" for p in ("import", "prepare", "build", "warm_up", "train", "evaluate", "train")]
        assert shapes(driver, "phase ") == [*names, "phase evaluate", "phase teardown"]
        assert drawn(driver, "timeline", ".shapelayer path") == 2 * 9 + 1
        before = driver.execute_script("return document.getElementById('timeline').data[0].x.length")
        crashed = driver.execute_script(
            f"return [...{select}.options].find((one) => one.text.includes('crashed')).value"
        )
        driver.execute_script(f"{select}.value = '{crashed}'; {select}.dispatchEvent(new Event('change'))")
        until(driver, "return document.getElementById('timeline').layout.shapes.length === 9")
        assert driver.execute_script("return document.getElementById('timeline').data[0].x.length") < before
        driver.find_element("id", "next").click()
        assert driver.execute_script(f"return {select}.value") != crashed


def test_colour_scheme_can_change_while_the_page_is_open(store: Path) -> None:
    colour = "return document.getElementById('loss').data.find((one) => one.meta === 'mean').line.color"
    with chromium() as driver:
        opened(driver, store)
        light = driver.execute_script(colour)
        features = [{"name": "prefers-color-scheme", "value": "dark"}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        until(driver, f"{colour} !== '{light}'")


def test_narrow_window_does_not_overflow_and_stacks_panels(store: Path) -> None:
    with chromium() as driver:
        metrics = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        opened(driver, store)
        assert driver.execute_script("return document.documentElement.scrollWidth") <= 390
        rows = "return ['glance', 'loss'].map((id) => document.getElementById(id).layout.grid.rows)"
        assert driver.execute_script(rows) == [len(GLANCE_KEYS), 2]
        metrics = {"width": 1400, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        until(driver, "return document.getElementById('loss').layout.grid.rows === 1")
        assert driver.execute_script(rows) == [1, 1]


def test_framework_stays_in_sight_while_the_table_is_scrolled(store: Path) -> None:
    with chromium() as driver:
        metrics = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        opened(driver, store)
        driver.execute_script("document.querySelector('.scroll').scrollLeft = 300")
        left = "return document.querySelector('#comparison-table tbody th').getBoundingClientRect().left"
        assert 0 <= driver.execute_script(left) < 40
