"""Limits how many long requests a process serves at the same time.

A long request waits for a run or follows a run. Each long request occupies one of gunicorn's threads.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from api.problems import Problem


class Places:
    """`count` places for one kind of long request. If no place is free, `refusal` tells the user what to do."""

    def __init__(self, count: int, refusal: str):
        self._free = threading.BoundedSemaphore(count)
        self._refusal = refusal

    def take(self) -> None:
        """Take a place. Raises Problem 503 if none is free."""
        if not self._free.acquire(blocking=False):
            raise Problem(503, self._refusal)

    def leave(self) -> None:
        self._free.release()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take a place until the end of the block. Raises Problem 503 if none is free."""
        self.take()
        try:
            yield
        finally:
            self.leave()
