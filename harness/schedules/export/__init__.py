"""A learning-rate policy as an object of a framework, for programs that train without dlgauge.

Every object is made from the policy's trace, the float64 rate of each step, and not from its formula written a second
time in the framework's own arithmetic: it gives the rate of every step exactly, rounded once to the framework's
precision (float32 in Keras and JAX; Torch keeps float64). After the last of the steps the rate stays what it was.

`torch_scheduler`, `keras_schedule` and `optax_schedule` need the framework in the running interpreter and import it
when they are called. `python_file` and `csv_lines` give the same for an interpreter without dlgauge.
"""

from __future__ import annotations

from harness.schedules.export.csv_form import csv_lines
from harness.schedules.export.files import PYTHON_TARGETS, python_file
from harness.schedules.export.objects import keras_schedule, optax_schedule, torch_scheduler

__all__ = ["PYTHON_TARGETS", "csv_lines", "keras_schedule", "optax_schedule", "python_file", "torch_scheduler"]
