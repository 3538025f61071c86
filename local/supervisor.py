"""Keeps a service or a broker running. Gives up if it ends three times in a row before it is ready."""

import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from . import LocalError

RESTART_SECONDS = 1
ATTEMPTS = 3
"""The supervisor gives up after a process has ended this many times in a row before it was ready."""


class Running(Protocol):
    """A process that was started."""

    @property
    def pid(self) -> int | None: ...
    def ending(self) -> str | None:
        """Return how it ended, such as `by signal 9`. None while it runs."""

    def last_words(self) -> str:
        """Return the last line that the process has printed, or where its log is. Call this after its end."""


P = TypeVar("P", bound=Running)


class Supervisor(Generic[P]):
    """Watches one process. `launch` starts it, or returns None if that is not possible yet.

    `is_ready` returns True if the newest start has succeeded. Call `start` and `watch` in a thread that lives as long
    as the process, because Linux ends a service when the thread that started it ends.
    """

    def __init__(
        self,
        name: str,
        launch: Callable[[], P | None],
        is_ready: Callable[[], bool],
        say: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
    ):
        self.name = name
        self._launch = launch
        self._is_ready = is_ready
        self._say = say
        self._clock = clock
        self._failures = 0
        self._start_at = 0.0
        self._was_ready = False
        self.process: P | None = None
        """None before the first start, and from the end of a process until the next start."""

    def start(self) -> None:
        self.process = self._launch()
        self._was_ready = False
        if self.process:
            self._say(f"  {self.name}, process {self.process.pid}")

    def watch(self) -> None:
        """Check the process once. If it has ended, a later call restarts it. Raises LocalError when giving up."""
        if not self.process:
            if self._clock() >= self._start_at:
                self.start()
            return
        self._was_ready = self._was_ready or self._is_ready()
        if how := self.process.ending():
            self._has_ended(self.process, how)

    def _has_ended(self, process: P, how: str) -> None:
        self._failures = 0 if self._was_ready else self._failures + 1
        if self._failures == ATTEMPTS:
            raise LocalError(
                f"{self.name} ended {ATTEMPTS} times before it was ready, so everything was stopped. "
                f"The last time it ended {how}: {process.last_words() or 'it printed nothing.'}"
            )
        self._say(f"{self.name} ended by itself, {how}. It will be started again.")
        self.process = None
        self._start_at = self._clock() + RESTART_SECONDS
