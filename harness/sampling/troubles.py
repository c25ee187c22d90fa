"""What went wrong while sampling: counted by kind, never raised in the loop."""

from __future__ import annotations

import errno

from harness.sampling.schema import ERROR_BITS

GONE = frozenset({errno.ESRCH, errno.ENOENT, errno.ENODEV})
"""Errors of files that vanish with their process or cgroup."""


class Troubles:
    """Errors by kind (see `ERROR_BITS`), and the bits of the sample being taken."""

    def __init__(self) -> None:
        self.bits = 0
        self.by_kind: dict[str, dict[str, object]] = {}
        self._counts: dict[str, int] = {}

    def note(self, kind: str, error: BaseException | str) -> None:
        """Count an error and set its bit in the current sample; the first message of a kind is kept."""
        self.bits |= ERROR_BITS[kind]
        count = self._counts.get(kind, 0) + 1
        self._counts[kind] = count
        if count == 1:
            self.by_kind[kind] = {"first": error if isinstance(error, str) else f"{type(error).__name__}: {error}"}

    def take_bits(self) -> int:
        """The bits since the last call."""
        bits, self.bits = self.bits, 0
        return bits

    def summary(self) -> dict[str, dict[str, object]]:
        """Kind -> count and first message."""
        return {kind: {"count": self._counts[kind], **entry} for kind, entry in self.by_kind.items()}
