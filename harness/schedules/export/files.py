"""A policy as a Python file that needs nothing but NumPy and one framework."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness import __version__

RATES_A_LINE = 6


@dataclass(frozen=True)
class _Target:
    """What a file is made of: the source of a module beside this one, and what stands after the rates."""

    module: str
    title: str
    use: str
    ending: str


_TARGETS = {
    "torch": _Target(
        "torch_table",
        "a torch.optim.lr_scheduler",
        """\
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)  # the scheduler sets the rate
    scheduler = FILE.scheduler(optimizer)
    for images, labels in batches:
        ...
        optimizer.step()
        scheduler.step()
""",
        '''\


def scheduler(optimizer):
    """The scheduler of an optimizer."""
    return RateTable(optimizer, RATES)
''',
    ),
    "keras": _Target(
        "keras_table",
        "a Keras LearningRateSchedule",
        "    model.compile(optimizer=keras.optimizers.SGD(learning_rate=FILE.schedule), ...)\n",
        "schedule = RateTable(RATES)\n",
    ),
    "optax": _Target(
        "optax_table",
        "an optax schedule",
        "    optimizer = optax.sgd(learning_rate=FILE.schedule)\n",
        "schedule = rate_table(RATES)\n",
    ),
}
PYTHON_TARGETS = tuple(_TARGETS)
"""Names of the forms that are Python files."""


def python_file(target: str, description: str, rates: NDArray[np.float64]) -> str:
    """The text of a Python module with `scheduler(optimizer)` (torch) or `schedule` (keras, optax).

    Its code is that of `torch_table`, `keras_table` or `optax_table`; the rates stand in it as text, with as few digits
    as give the same float64.

    Args:
        target: one of `PYTHON_TARGETS`.
        description: what the rates are, for its readers: the policy.
        rates: float64, shape `(steps,)`.

    Raises:
        KeyError: another target.
    """
    parts = _TARGETS[target]
    source = (Path(__file__).parent / f"{parts.module}.py").read_text(encoding="utf-8")
    head = f"Learning rates of {len(rates)} steps as {parts.title}; written by dlgauge {__version__}."
    return (
        f'"""{head} Use, where this file is FILE.py:\n\n{parts.use}"""\n'
        f"{_without_docstring(source).rstrip()}\n\n\n"
        f"POLICY = {description!r}\n\n"
        f"{_table(rates)}"
        f"{parts.ending}"
    )


def _without_docstring(source: str) -> str:
    docstring = ast.parse(source).body[0]
    return "\n".join(source.splitlines()[docstring.end_lineno :])


def _table(rates: NDArray[np.float64]) -> str:
    """The rates as text in a string: quick to load where a list of a million numbers would not be."""
    texts = [repr(rate) for rate in rates.tolist()]
    lines = [" ".join(texts[begin : begin + RATES_A_LINE]) for begin in range(0, len(texts), RATES_A_LINE)]
    return "\n".join(["RATES = np.array(", '    """', *lines, '""".split(),', "    dtype=np.float64,", ")", ""])
