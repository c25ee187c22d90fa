"""The one rule for tests that need something a machine may lack: skip with the reason, unless it is required.

`DLGAUGE_REQUIRE` holds a comma list of names (`containers,browser`). A test whose requirement is named there and is
not met fails instead of being skipped, so that a continuous-integration run cannot go green by leaving things out.
"""

from __future__ import annotations

import os

import pytest


def required_names() -> frozenset[str]:
    """The names in `DLGAUGE_REQUIRE`."""
    return frozenset(part.strip() for part in os.environ.get("DLGAUGE_REQUIRE", "").split(",") if part.strip())


def require(name: str, available: bool, why: str) -> None:
    """Skip the calling test, or fail it where `DLGAUGE_REQUIRE` names the requirement, unless it is available.

    Args:
        name: the requirement: `containers`, `browser`.
        available: whether this machine has it.
        why: what is missing; the reason that the test report shows.
    """
    if available:
        return
    if name in required_names():
        pytest.fail(f"{name} is required by DLGAUGE_REQUIRE, but {why}", pytrace=False)
    pytest.skip(f"{name}: {why}")
