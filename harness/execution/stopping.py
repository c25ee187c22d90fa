"""A request to stop: noted while a trial runs, so that nothing is cut in the middle of its clean-up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class StopRequest:
    """What a signal handler and the study share.

    Attributes:
        requested: somebody asked to stop.
    """

    def __init__(self) -> None:
        self.requested = False
        self._noting = False

    def ask(self) -> None:
        """Note the request; outside of `noting` raise it at once. Further requests change nothing.

        Raises:
            KeyboardInterrupt: nothing is running that has to be ended in good order.
        """
        if self.requested:
            return
        self.requested = True
        if not self._noting:
            raise KeyboardInterrupt

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Within this a request is noted and not raised: whoever waits looks at `requested`."""
        self._noting = True
        try:
            yield
        finally:
            self._noting = False
