"""What an adapter has to do beside computing: describe itself, forget, refuse by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.parity.contract_behaviours import contract_behaviours


@pytest.mark.parametrize("behaviour", [behaviour.name for behaviour in contract_behaviours()])
def test_it_behaves(behaviour: str, expect_ok: Callable[[str], None]) -> None:
    """See `harness.parity.contract_behaviours`."""
    expect_ok(behaviour)
