"""Every layer kind, option and optimizer, in a small network of its own, beside the NumPy reference."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.parity.contract_cases import contract_cases


@pytest.mark.parametrize("case", [case.name for case in contract_cases()])
def test_it_computes_what_the_reference_computes(case: str, expect_ok: Callable[[str], None]) -> None:
    """Weights, activations, gradients, losses and updates; skipped where the adapter says `Unsupported`."""
    expect_ok(case)
