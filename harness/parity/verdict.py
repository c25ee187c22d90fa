"""What one check of the adapter contract came to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from harness.parity.causes import Cause
from harness.parity.comparing import Difference


class Outcome(StrEnum):
    """Of one check; `unsupported` is the adapter's own refusal, with its reason."""

    OK = "ok"
    UNSUPPORTED = "unsupported"
    FAILED = "failed"


@dataclass(frozen=True)
class Verdict:
    """The outcome of a check.

    Attributes:
        reason: of a refusal, or of a failure other than a difference: an adapter's error with its traceback.
        violation: the first difference beyond its tolerance.
        causes: known real differences between frameworks that show like this one.
        largest: the largest difference of all, None where nothing was compared.
    """

    check: str
    outcome: Outcome
    reason: str | None = None
    violation: Difference | None = None
    causes: tuple[Cause, ...] = ()
    largest: Difference | None = None

    def text(self) -> str:
        """The outcome for people: one line, more where there are causes or a traceback."""
        if self.violation is not None:
            size = self.violation.detail or f"{self.violation.relative:.1e} (tolerance {self.violation.tolerance:.0e})"
            first = f"FAILED: differs first in {self.violation.quantity} of {self.violation.name}: {size}"
            return "\n  ".join([first, *(f"known: {cause.name}: {cause.text}" for cause in self.causes)])
        if self.outcome is Outcome.FAILED:
            return f"FAILED: {self.reason}"
        if self.outcome is Outcome.UNSUPPORTED:
            return f"unsupported: {self.reason}"
        if self.largest is None:
            return "ok"
        where = f"{self.largest.quantity} of {self.largest.name}"
        return f"ok (largest difference {self.largest.relative or 0.0:.1e}, {where})"

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "check": self.check,
            "outcome": str(self.outcome),
            "reason": self.reason,
            "violation": _plain(self.violation),
            "causes": [{"name": cause.name, "text": cause.text} for cause in self.causes],
            "largest": _plain(self.largest),
        }


def _plain(difference: Difference | None) -> dict[str, Any] | None:
    if difference is None:
        return None
    return {
        "quantity": difference.quantity,
        "name": difference.name,
        "relative": difference.relative,
        "tolerance": difference.tolerance,
        "detail": difference.detail,
    }
