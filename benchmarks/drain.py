"""Measures how fast consumers handle all messages.

`drain` repeatedly asks how many messages are left.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import BenchmarkError
from benchmarks.observer import POLL_SECONDS
from local.waiting import wait_until

STALLED_SECONDS = 30


@dataclass
class Drain:
    """The measured part of a drain.

    This part begins when the number of remaining messages decreases for the first time. It ends when none remain.
    """

    messages: int
    """Messages that were left after the first decrease."""
    seconds: float
    """The time from the first decrease until no messages are left."""

    @property
    def rate(self) -> float:
        """Messages per second. Messages of the first decrease do not count."""
        if not self.seconds:
            raise BenchmarkError("All messages were gone before their rate could be measured. Measure more messages.")
        return self.messages / self.seconds


def drain(left: Callable[[], int]) -> Drain:
    """Call `left()` every POLL_SECONDS until the result is 0. Each call takes a few ms.

    Raises BenchmarkError if the result does not change for STALLED_SECONDS.
    """
    at_first = left()
    first = latest = (at_first, time.perf_counter())

    def changed() -> tuple[int, float] | None:
        seen = left(), time.perf_counter()
        return seen if seen[0] != latest[0] else None

    while latest[0] > 0:
        time.sleep(POLL_SECONDS)
        seen = wait_until(changed, STALLED_SECONDS, POLL_SECONDS)
        if not seen:
            raise BenchmarkError(f"{latest[0]} messages are left, and nothing has changed for {STALLED_SECONDS} s.")
        first = first if latest[0] < at_first else seen
        latest = seen
    return Drain(first[0] - latest[0], latest[1] - first[1])
