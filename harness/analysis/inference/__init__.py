"""Which of two rows is better, and how certain that is: intervals, tests and rankings over blocks.

A block is a seed: its trials share initial weights and mini-batches and ran close together. The block, never a sample
inside a run, is the unit of everything here. docs/analysis-compare.md has the definitions.
"""

from __future__ import annotations

from harness.analysis.inference.families import Family, Judgement, Options, judge
from harness.analysis.inference.pairs import Pair

__all__ = ["Family", "Judgement", "Options", "Pair", "judge"]
