"""A request to stop, and the time that is left."""

import time

STOP_SECONDS = 3
"""The seconds for a batch in hand and its acknowledgements after SIGTERM. The rest is redelivered later.

This is less than half of the 10 s that docker-compose gives a container, because closing connections takes time too."""


class StopRequest:
    """Knows if a process was told to stop, and how much time is left."""

    _since: float | None = None

    def ask(self) -> None:
        """Request the stop."""
        if self._since is None:
            self._since = time.monotonic()

    @property
    def asked(self) -> bool:
        return self._since is not None

    @property
    def left(self) -> float:
        """Seconds that are left to stop; at least 0.1."""
        gone = 0.0 if self._since is None else time.monotonic() - self._since
        return max(0.1, STOP_SECONDS + 1 - gone)

    @property
    def overdue(self) -> bool:
        """True once the time is over. Then no wait may go on."""
        return self._since is not None and time.monotonic() - self._since > STOP_SECONDS
