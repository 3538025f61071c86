"""Messages that a handler has sent on: its batch is done once Kafka has acknowledged them."""

import logging
from collections.abc import Callable, Sequence
from itertools import compress
from typing import NamedTuple

from messaging.clients.errors import Refused
from messaging.clients.protocols import Delivery

log = logging.getLogger(__name__)


class Columns(NamedTuple):
    """Messages as columns of equal length."""

    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    partitions: Sequence[int]


class Answers:
    """Messages that must reach Kafka: what has failed for a passing reason is handed over again."""

    def __init__(self, hand_over: Callable[[Columns], Delivery], columns: Columns):
        self._hand_over = hand_over
        self._columns = columns
        self._delivery = hand_over(columns)
        self.refused = 0
        """How many messages Kafka refuses for good, as far as `settled` has found."""

    def wait(self, seconds: float) -> bool:
        """Wait until each message was acknowledged or has failed, but no longer than this."""
        return self._delivery.wait(seconds)

    def settled(self) -> bool:
        """Return True if nothing is left to do: Kafka has acknowledged every message, or refused it for good.

        Hands over again what has failed for a passing reason, so this may stay False for a long time.
        """
        if not self._delivery.done:
            return False
        failures = self._delivery.failures
        refused = [error for error in failures.values() if isinstance(error, Refused)]
        if refused:
            self.refused += len(refused)
            log.error("%d messages cannot be sent and are left out: %s", len(refused), refused[0])
        passing = {index: error for index, error in failures.items() if not isinstance(error, Refused)}
        if not passing:
            return True
        log.warning("sending %d messages again: %s", len(passing), next(iter(passing.values())))
        again = [index in passing for index in range(len(self._columns.keys))]
        keys, values, partitions = self._columns
        self._columns = Columns(
            list(compress(keys, again)), list(compress(values, again)), list(compress(partitions, again))
        )
        self._delivery = self._hand_over(self._columns)
        return False
