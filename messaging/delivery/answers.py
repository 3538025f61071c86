"""Messages that a handler has sent on: its batch is done once Kafka has acknowledged them."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from typing import NamedTuple

from messaging.clients.errors import ClientError, Refused
from messaging.clients.protocols import Delivery

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.1
"""How long `wait` waits if the client does not even take the messages."""


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
        self._delivery: Delivery | None = hand_over(columns)
        self.refused = 0
        """How many messages Kafka refuses for good, as far as `settled` has found."""

    def wait(self, seconds: float) -> bool:
        """Wait until each message was acknowledged or has failed, but no longer than this."""
        if self._delivery is None:
            time.sleep(min(seconds, RETRY_SECONDS))
            return False
        return self._delivery.wait(seconds)

    def settled(self) -> bool:
        """Return True if nothing is left to do: Kafka has acknowledged every message, or refused it for good.

        Hands over again what has failed for a passing reason, so this may stay False for a long time.
        """
        if self._delivery is None:
            self._try_again()
            return False
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
        self._keep(passing)
        self._try_again()
        return False

    def _keep(self, indices: Mapping[int, object]) -> None:
        """Keep the messages with these indices, and drop the others: they are done with."""
        kept = [index in indices for index in range(len(self._columns.keys))]
        keys, values, partitions = self._columns
        self._columns = Columns(
            list(compress(keys, kept)), list(compress(values, kept)), list(compress(partitions, kept))
        )

    def _try_again(self) -> None:
        try:
            self._delivery = self._hand_over(self._columns)
        except ClientError as error:
            self._delivery = None
            log.warning("%d messages cannot be handed over yet: %s", len(self._columns.keys), error)
