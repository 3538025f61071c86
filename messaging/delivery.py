"""Messages on their way to Kafka: handed to the client, not all acknowledged yet."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import compress

from kafka.errors import KafkaError, MessageSizeTooLargeError
from kafka.future import Future

log = logging.getLogger(__name__)

Columns = tuple[Sequence[bytes | None], Sequence[bytes | None], Sequence[int]]
"""Keys, values and partitions of messages, of equal length."""


class DeliveryFailed(Exception):
    """Kafka did not acknowledge every message; the text says how many it did, and why not the others."""


class Unsendable(ValueError):
    """A message that Kafka may hold, but kafka-python cannot send."""


class Delivery:
    """What was handed to the client in one go, in order; every future of it is looked at."""

    def __init__(self, hand_over: Callable[..., list[Future]], columns: Columns):
        self._hand_over = hand_over
        self._columns = columns
        self._futures = hand_over(*columns)
        self.refused = 0
        """How many messages cannot be sent at all, as far as `settled` has found."""
        self._known = 0  # that many futures, from the first one on, are known to be done

    @property
    def done(self) -> bool:
        """Whether each message was acknowledged or has failed."""
        futures = self._futures
        while self._known < len(futures) and futures[self._known].is_done:
            self._known += 1
        return self._known == len(futures)

    def wait(self, seconds: float) -> bool:
        """Wait until done, for so long at most; return `done`."""
        deadline = time.monotonic() + seconds
        while not self.done:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            with suppress(KafkaError):  # that future's failure, for `errors` to report, or the end of the time given
                self._futures[self._known].get(timeout=left)
        return True

    @property
    def errors(self) -> list[Exception]:
        """Why messages failed, one error each."""
        return [future.exception for future in self._futures if future.exception is not None]

    @property
    def acknowledged(self) -> list[bool]:
        """Of each message, in order, whether Kafka has acknowledged it."""
        return [future.is_done and future.exception is None for future in self._futures]

    def settled(self) -> bool:
        """Whether nothing is left to do: every message acknowledged, or refused for good, which is logged.

        What has failed for a passing reason is handed to the client again, so this may say no for as long as it takes.
        """
        if not self.done:
            return False
        errors = self.errors
        if not errors:
            return True
        refused = [error for error in errors if _is_final(error)]
        if refused:
            self.refused += len(refused)
            log.error("%d messages cannot be sent and are left out: %r", len(refused), refused[0])
        again = [f.exception is not None and not _is_final(f.exception) for f in self._futures]
        if not any(again):
            return True
        log.warning("sending %d messages again: %r", sum(again), next(e for e in errors if not _is_final(e)))
        self._columns = tuple(list(compress(column, again)) for column in self._columns)
        self._futures, self._known = self._hand_over(*self._columns), 0
        return False


def _is_final(error: Exception) -> bool:
    """Whether sending the same message again cannot succeed."""
    return isinstance(error, (MessageSizeTooLargeError, Unsendable))
