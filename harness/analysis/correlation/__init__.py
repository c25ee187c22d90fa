"""How outcomes follow from factors: correlations, effects, models, shares of variance, knees, and lags inside runs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.analysis.correlation.analysis import Correlation, correlate

__all__ = ["Correlation", "correlate"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is asked for: numpy and scipy are heavy."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("harness.analysis.correlation.analysis"), name)
