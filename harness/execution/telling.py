"""Telling an observer what happens, so that no failure of it ends the trial."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

_LOG = logging.getLogger(__name__)


class Teller:
    """Calls methods of one observer until one of them fails.

    A terminal that has gone (a broken pipe, a full disk) is no reason to lose the trial, nor is a defect of what only
    watches it; the latter is told on standard error. What is no `Exception`, as `KeyboardInterrupt`, passes.
    """

    def __init__(self) -> None:
        self._listening = True

    def tell(self, method: Callable[[Value], None], value: Value) -> None:
        """Call `method(value)`, unless an earlier call failed."""
        if not self._listening:
            return
        try:
            method(value)
        except OSError:
            self._listening = False
        except Exception as error:  # noqa: BLE001  what only watches has no say in the trial
            self._listening = False
            _LOG.warning("the trial goes on unwatched: its observer failed: %s: %s", type(error).__name__, error)
