"""The messages that a handler has sent. Its batch is done when Kafka has acknowledged or refused each of them."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from messaging.clients.errors import ClientError, Refused
from messaging.clients.protocols import Delivery

log = logging.getLogger(__name__)

LONGEST_PAUSE = 5
"""The longest pause before failed messages are sent again, in seconds."""


class Columns(NamedTuple):
    """Messages as columns of equal length."""

    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    partitions: Sequence[int]

    def only(self, indices: Sequence[int]) -> "Columns":
        """Return the messages at these indices."""
        return Columns(
            [self.keys[index] for index in indices],
            [self.values[index] for index in indices],
            [self.partitions[index] for index in indices],
        )


class Answers:
    """The messages that a handler sends for one batch."""


@dataclass(frozen=True)
class PlannedAnswers(Answers):
    """Messages for the transaction that will commit their batch."""

    topic: str
    columns: Columns


class SentAnswers(Answers):
    """Messages on their way. Those that fail for a temporary reason are handed over again, after a pause.

    `on_again` gets the number of messages that were handed over again.
    """

    def __init__(
        self,
        hand_over: Callable[[Columns], Delivery],
        columns: Columns,
        clock: Callable[[], float] = time.monotonic,
        on_again: Callable[[int], object] = lambda count: None,
    ):
        self._hand_over = hand_over
        self._columns = columns
        self._on_again = on_again
        self._clock = clock
        self._indices: Sequence[int] = range(len(columns.keys))  # of the messages that are under way
        self._delivery: Delivery | None = hand_over(columns)
        self._acknowledged_at = 0  # the last acknowledgement of the earlier deliveries
        self._pause = 0.5
        self._again_at = 0.0
        self.refused: list[int] = []
        """The indices of the messages that Kafka refuses for good. `settled` adds them."""

    @property
    def acknowledged_at(self) -> int:
        """When the last acknowledgement arrived, in microseconds since the epoch."""
        return max(self._acknowledged_at, self._delivery.acknowledged_at if self._delivery else 0)

    def wait(self, seconds: float) -> bool:
        """Wait until each message was acknowledged or has failed, but no longer than this."""
        if self._delivery is not None:
            return self._delivery.wait(seconds)
        time.sleep(max(0.0, min(seconds, self._again_at - self._clock())))
        return False

    def settled(self) -> bool:
        """Return True if nothing is left to do: Kafka has acknowledged every message, or refused it for good.

        Messages that have failed for a temporary reason are handed over again, so this may stay False for a long time.
        """
        if self._delivery is None:
            self._try_again()
            return False
        if not self._delivery.done:
            return False
        failures = {self._indices[index]: error for index, error in self._delivery.failures.items()}
        refused = [index for index, error in failures.items() if isinstance(error, Refused)]
        if refused:
            self.refused += refused
            log.error("%d messages cannot be sent and are left out: %s", len(refused), failures[refused[0]])
        temporary = [index for index in failures if index not in set(refused)]
        if not temporary:
            return True
        log.warning("sending %d messages again in %.1f s: %s", len(temporary), self._pause, failures[temporary[0]])
        self._indices = temporary
        self._acknowledged_at = self.acknowledged_at
        self._retire()
        return False

    def _retire(self) -> None:
        self._delivery = None
        self._again_at = self._clock() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _try_again(self) -> None:
        if self._clock() < self._again_at:
            return
        try:
            self._delivery = self._hand_over(self._columns.only(self._indices))
        except ClientError as error:
            log.warning("%d messages cannot be handed over yet: %s", len(self._indices), error)
            self._retire()
        else:
            self._on_again(len(self._indices))
