"""Measures stalls of a service's event loop. It stalls while one greenthread does not let the others run."""

import time
from collections import deque
from collections.abc import Callable

import eventlet

SLEEP_SECONDS = 0.1
WINDOW_SECONDS = 60


class Stalls:
    """Remembers how late a greenthread woke up, in seconds, over the last WINDOW_SECONDS."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], object] = eventlet.sleep):
        self._clock = clock
        self._sleep = sleep
        self._longest: deque[tuple[int, float]] = deque()
        """The longest stall of each second."""

    def add(self, seconds: float) -> None:
        now = int(self._clock())
        if self._longest and self._longest[-1][0] == now:
            seconds = max(seconds, self._longest.pop()[1])
        self._longest.append((now, seconds))
        self._forget()

    @property
    def longest(self) -> float:
        self._forget()
        return max((seconds for _, seconds in self._longest), default=0.0)

    def watch(self) -> None:
        """For ever: sleep, and measure how late the sleep ends."""
        while True:
            slept_at = self._clock()
            self._sleep(SLEEP_SECONDS)
            self.add(max(0.0, self._clock() - slept_at - SLEEP_SECONDS))

    def _forget(self) -> None:
        while self._longest and self._longest[0][0] < self._clock() - WINDOW_SECONDS:
            self._longest.popleft()
