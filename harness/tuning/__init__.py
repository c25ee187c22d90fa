"""Finding learning-rate policies: short runs over a grid of rates, and searches through Optuna; every run is a record."""

from __future__ import annotations
