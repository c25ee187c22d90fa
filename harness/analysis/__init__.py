"""From records to statements: statistics over seeds, comparisons, curves and timelines."""

from __future__ import annotations

from harness.analysis.columns import DEFAULT_KEYS, Column, all_keys
from harness.analysis.comparing import compare
from harness.analysis.comparison import Cell, Comparison, Excluded, Ratio, Value
from harness.analysis.references import TrialReference
from harness.analysis.statistics import PairedRatio, Statistics, summarise

__all__ = [
    "DEFAULT_KEYS",
    "Cell",
    "Column",
    "Comparison",
    "Excluded",
    "PairedRatio",
    "Ratio",
    "Statistics",
    "TrialReference",
    "Value",
    "all_keys",
    "compare",
    "summarise",
]
