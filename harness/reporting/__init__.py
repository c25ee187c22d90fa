"""What people look at: tables, and a page with curves and timelines. Heavy libraries are imported when used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.reporting.page import write_report
    from harness.reporting.studies import comparison_text

__all__ = ["comparison_text", "write_report"]

_HOME = {"comparison_text": "studies", "write_report": "page"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
