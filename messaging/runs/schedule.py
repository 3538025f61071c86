"""The schedule of a paced run: message i is due at start + i / rate. Times are in microseconds since the epoch.

The times come from the wall clock, because it is about the same at all instances. If another instance takes the run
over, it uses the same start.
"""

import time
from bisect import bisect_left
from collections.abc import Sequence

SHORTEST_SECONDS = 0.001
"""The shortest wait, in seconds. At a high rate, several messages become due meanwhile and are sent together."""

LONGEST_SECONDS = 0.1
"""The longest wait, in seconds. After it, a sender checks whether it must stop."""


class WallClock:
    """The time of day, and how to wait. Tests use a clock whose `sleep` returns at once."""

    def now(self) -> int:
        return time.time_ns() // 1000

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


WALL_CLOCK = WallClock()


class Schedule:
    """The schedule of one run: `rate` in messages per second, `start` is when message 0 is due."""

    def __init__(self, rate: int, start: int, clock: WallClock = WALL_CLOCK):
        self.start = start
        self._rate = rate
        self._clock = clock

    def due_at(self, number: int) -> int:
        """Return when the message with this number is due."""
        return self.start + number * 1_000_000 // self._rate

    def split(self, numbers: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
        """Split ascending numbers into those that are due now, and the others."""
        elapsed = self._clock.now() - self.start
        first_not_due = -(-(elapsed + 1) * self._rate // 1_000_000)
        index = bisect_left(numbers, first_not_due)
        return numbers[:index], numbers[index:]

    def wait_for(self, number: int) -> None:
        """Wait until this message is due, but no longer than LONGEST_SECONDS."""
        seconds = (self.due_at(number) - self._clock.now()) / 1e6
        self._clock.sleep(min(max(seconds, SHORTEST_SECONDS), LONGEST_SECONDS))

    def behind(self, number: int, at: int) -> float:
        """Return by how many seconds the message is late at this time. 0 if it is not late."""
        return max(0, at - self.due_at(number)) / 1e6
