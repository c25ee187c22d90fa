"""A request to stop: noted while a trial runs, so that nothing is cut in the middle of its clean-up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

BY_THE_USER = "stopped by the user"


class StopRequest:
    """What a signal handler, or whoever watches a trial, shares with what it may stop.

    Args:
        outer: a request that holds here too: who may stop one trial obeys the one that stops them all.
    """

    def __init__(self, outer: StopRequest | None = None) -> None:
        self._outer = outer
        self._own: str | None = None
        self._noting = False

    @property
    def requested(self) -> bool:
        """Somebody asked to stop."""
        return self.reason is not None

    @property
    def reason(self) -> str | None:
        """Why, for the record of what is stopped; None where nobody asked."""
        return (self._outer and self._outer.reason) or self._own

    def ask(self, reason: str = BY_THE_USER) -> None:
        """Note the request; outside of `noting` raise it at once. Further requests change nothing.

        Raises:
            KeyboardInterrupt: nothing is running that has to be ended in good order.
        """
        if self.requested:
            return
        self._own = reason
        if not self._noting:
            raise KeyboardInterrupt

    def withdraw(self) -> None:
        """Forget what was asked of this request itself; what `outer` was asked stays."""
        self._own = None

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Within this a request is noted and not raised: whoever waits looks at `requested`."""
        before, self._noting = self._noting, True
        try:
            with self._outer.noting() if self._outer else nullcontext():
                yield
        finally:
            self._noting = before
