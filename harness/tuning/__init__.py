"""Finding learning-rate policies: short runs over a grid of rates, and searches through Optuna."""

from __future__ import annotations
