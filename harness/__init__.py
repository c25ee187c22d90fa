"""dlgauge: a measurement harness for deep-learning frameworks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.records import load as load

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Give `harness.load` without paying for pandas at import."""
    if name == "load":
        from harness.records import load

        return load
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
