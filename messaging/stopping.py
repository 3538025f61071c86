"""A request to stop, and the time that is left."""

import time
from collections.abc import Callable
from math import ceil

STOP_SECONDS = 3
"""After SIGTERM, a service has this many seconds to finish its work.

If some work is unfinished then, Kafka and RabbitMQ deliver its messages again. But the run of a plain GET ends
`failed`.

docker-compose kills a container 10 s after SIGTERM. STOP_SECONDS is less than half of that time, because closing
connections takes time too.
"""


SLICE_SECONDS = 0.5
"""The longest time between two checks for an overdue stop, in seconds."""


class StopRequest:
    """Knows if a process must stop, and how much time is left."""

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
        """The seconds that a wait for the end of the work may still take, at least 0.1.

        The work must end within STOP_SECONDS. The wait for its end may take 1 s longer.
        """
        gone = 0.0 if self._since is None else time.monotonic() - self._since
        return max(0.1, STOP_SECONDS + 1 - gone)

    @property
    def overdue(self) -> bool:
        """True once STOP_SECONDS are over. Then the work must end."""
        return self._since is not None and time.monotonic() - self._since > STOP_SECONDS

    def wait(self, happens: Callable[[float], bool], seconds: float) -> bool:
        """Call `happens` again and again until it returns True. Each call gets the seconds that it may wait.

        Then return True. Return False after `seconds` in total, or earlier if `happens` returns early or the stop is
        overdue.
        """
        slices = max(1, ceil(seconds / SLICE_SECONDS))
        return any(not self.overdue and happens(seconds / slices) for _ in range(slices))
