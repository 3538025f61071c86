"""Looks at something regularly, in a separate thread. If there is no answer, only this thread waits."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

log = logging.getLogger(__name__)

PACE_SECONDS = 2
"""The seconds between two looks. Looks begin at multiples of PACE_SECONDS, so all processes look at the same time."""

WINDOW_SECONDS = 10
"""Rates and growth are computed over this time, in seconds."""

FRESH_SECONDS = 10
"""The maximum age of the newest look, in seconds. If the newest look is older, no look is used."""


class Look(Protocol):
    """The result of one look. `at` is its time, in seconds since the epoch."""

    @property
    def at(self) -> float: ...


T = TypeVar("T", bound=Look)


class Probe(Generic[T]):
    """Keeps the looks of the last WINDOW_SECONDS. The argument `look` raises an exception if there is no answer."""

    def __init__(self, name: str, look: Callable[[], T], clock: Callable[[], float] = time.time):
        self._name = name
        self._look = look
        self._clock = clock
        self._looks: deque[T] = deque(maxlen=WINDOW_SECONDS // PACE_SECONDS + 1)

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"{self._name} metrics", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(until_next(self._clock(), PACE_SECONDS))
            self.look()

    def look(self) -> None:
        """Add one look. If there is no answer, drop all earlier looks."""
        try:
            self._looks.append(self._look())
        except Exception as error:  # any exception: this thread must continue
            log.debug("no new metrics from %s: %r", self._name, error)
            self._looks.clear()

    def recent(self) -> Sequence[T]:
        """Return the looks of the last WINDOW_SECONDS, the newest last.

        If the newest look is older than FRESH_SECONDS, return no looks.
        """
        looks = list(self._looks)
        if not looks or self._clock() - looks[-1].at > FRESH_SECONDS:
            return ()
        return [look for look in looks if looks[-1].at - look.at <= WINDOW_SECONDS + PACE_SECONDS / 2]


def until_next(now: float, pace: float) -> float:
    """Return the seconds until the next multiple of `pace`."""
    return pace - now % pace
