"""Frameworks by the names that a user gives."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from harness.errors import DlgaugeError
from harness.study.frameworks import FrameworkDescription


def choose_frameworks(known: dict[str, FrameworkDescription], names: Sequence[str]) -> list[FrameworkDescription]:
    """The frameworks of these names, all for none.

    Raises:
        DlgaugeError: an unknown name.
    """
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            guess = f"did you mean {near[0]!r}? " if near else ""
            raise DlgaugeError(f"unknown framework {name!r}", hint=f"{guess}known: {', '.join(sorted(known))}")
    return [known[name] for name in names] if names else list(known.values())
