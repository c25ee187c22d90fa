"""The run of the worker that all tests of the contract judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from harness.errors import DlgaugeError
from harness.parity.contract import check_adapter, find_framework
from harness.parity.verdict import Outcome, Verdict
from harness.study import load_frameworks


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """One message for a missing or unknown framework, before any test."""
    here = Path(__file__).parent
    if not any(item.path.parent == here for item in items):
        return
    try:
        name = config.getoption("--adapter", None)
        if name is None:
            raise DlgaugeError("no adapter to test", hint=f"name one with --adapter: {', '.join(load_frameworks())}")
        find_framework(name)
    except DlgaugeError as error:
        raise pytest.UsageError(str(error)) from None


@pytest.fixture(scope="session")
def verdicts(request: pytest.FixtureRequest) -> Mapping[str, Verdict]:
    """Every check of the contract by name, from one launch of the framework."""
    config = request.config
    try:
        return check_adapter(config.getoption("--adapter"), config.get_terminal_writer().line)
    except DlgaugeError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def expect_ok(verdicts: Mapping[str, Verdict]) -> Callable[[str], None]:
    """Fail the test, or skip it with the adapter's reason, unless the check of that name is all right."""

    def expect(check: str) -> None:
        verdict = verdicts[check]
        if verdict.outcome is Outcome.UNSUPPORTED:
            pytest.skip(verdict.text())
        if verdict.outcome is Outcome.FAILED:
            pytest.fail(verdict.text(), pytrace=False)

    return expect
