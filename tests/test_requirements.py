"""The rule for skipped tests."""

from __future__ import annotations

import pytest

from tests.requirements import require


def test_available_requirement_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLGAUGE_REQUIRE", "browser")
    require("browser", True, "unused")


def test_missing_requirement_skips_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DLGAUGE_REQUIRE", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no Chromium"):
        require("browser", False, "no Chromium")


def test_missing_requirement_fails_where_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLGAUGE_REQUIRE", "containers, browser")
    with pytest.raises(pytest.fail.Exception, match="no Chromium"):
        require("browser", False, "no Chromium")


def test_other_names_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLGAUGE_REQUIRE", "containers")
    with pytest.raises(pytest.skip.Exception):
        require("browser", False, "no Chromium")
