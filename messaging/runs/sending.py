"""Sends a run: random messages of one size, each with a number and a time.

A run sends as fast as Kafka takes its messages. In a paced run, each message is sent when it is due.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from typing import NamedTuple, Protocol

from pyroaring import BitMap

from messaging.runs.blocks import Block, Blocks
from messaging.runs.outcome import DeliveryFailed, RunStopped, TooLarge
from messaging.runs.request import Request
from messaging.runs.schedule import Schedule

ACKNOWLEDGE_SECONDS = 150
"""How long to wait for the last acknowledgements; longer than the client's own timeout."""


class Failure(Protocol):
    """Why a message was not acknowledged. `str` gives the reason."""

    @property
    def too_large(self) -> bool: ...


class Delivery(Protocol):
    """Messages on their way to Kafka."""

    @property
    def done(self) -> bool: ...
    @property
    def acknowledged(self) -> Sequence[bool]: ...
    @property
    def acknowledged_at(self) -> int: ...
    @property
    def failures(self) -> Mapping[int, Failure]: ...
    def wait(self, seconds: float) -> bool: ...


class Out(Protocol):
    """Sends messages. Raises DeliveryFailed if Kafka does not answer, or if there is no room for more."""

    @property
    def partitions(self) -> int: ...
    def send(
        self, keys: Sequence[bytes | None], values: Sequence[bytes | None], partitions: Sequence[int]
    ) -> Delivery: ...


class Stop(Protocol):
    """Says when to stop.

    The sender reads `asked` before each block. Reading it may take a while, and raises DeliveryFailed if no more
    messages can be sent. Once `overdue` is true, the sender no longer waits for acknowledgements.
    """

    @property
    def asked(self) -> bool: ...
    @property
    def overdue(self) -> bool: ...


class Acknowledged(NamedTuple):
    """Messages that Kafka has acknowledged. Times are in microseconds since the epoch."""

    numbers: Sequence[int]
    size: int
    """Of all payloads together, in bytes."""
    partition: int
    sent_times: Sequence[int]
    """When each message was sent, or was due in a paced run."""
    at: int
    """When the acknowledgement came."""


Report = Callable[[Acknowledged], object]
"""Gets the messages that Kafka has acknowledged."""


class Sending:
    """Sends one run, except for the numbers in `sent_before`. A paced run has a schedule."""

    def __init__(
        self,
        request: Request,
        out: Out,
        stop: Stop,
        report: Report,
        sent_before: BitMap | None = None,
        schedule: Schedule | None = None,
    ):
        self._request = request
        self._out = out
        self._stop = stop
        self._report = report
        self._sent_before = sent_before or BitMap()
        self._blocks = Blocks(request, sent_before, schedule)
        self._pending: deque[tuple[Block, Delivery]] = deque()
        self._error: str | None = None
        self._too_large = False
        self.first_sent: int | None = None
        """When the first message was sent or due. All times here are in microseconds since the epoch."""
        self.last_acknowledged = 0
        self.acknowledged = 0
        self.failed = BitMap()
        """The numbers that were handed over and not acknowledged."""

    def send(self) -> None:
        """Send the messages and wait for Kafka's acknowledgements. Raises DeliveryFailed or RunStopped."""
        stopped = False
        partitions = self._out.partitions
        for numbers in self._blocks.numbers():
            stopped = self._must_stop()
            if stopped or self._error:
                break
            if numbers:
                self._hand_over(numbers, partitions)
            while self._pending and self._pending[0][1].done:
                self._account(*self._pending.popleft())
        self._await()
        self._raise_if_incomplete(stopped)

    def _must_stop(self) -> bool:
        try:
            return self._stop.asked
        except DeliveryFailed as error:
            self._error = str(error)
            return True

    def _hand_over(self, numbers: Sequence[int], partitions: int) -> None:
        block = self._blocks.make(numbers, partitions)
        self.first_sent = self.first_sent or block.sent_times[0]
        try:
            delivery = self._out.send(block.keys, self._blocks.values(block), [block.partition] * len(block.keys))
        except DeliveryFailed as error:
            self._error = str(error)
        else:
            self._pending.append((block, delivery))

    def _await(self) -> None:
        deadline = time.monotonic() + ACKNOWLEDGE_SECONDS
        for block, delivery in self._pending:
            while time.monotonic() < deadline and not self._stop.overdue and not delivery.wait(0.2):
                pass
            self._account(block, delivery)
        self._pending.clear()

    def _account(self, block: Block, delivery: Delivery) -> None:
        """Report the acknowledged messages of a block.

        If Kafka did not acknowledge the whole block, store the reason. An earlier reason is not replaced.
        """
        is_acknowledged = delivery.acknowledged  # a property: each use computes it
        acknowledged = list(compress(block.numbers, is_acknowledged))
        if acknowledged:
            at = delivery.acknowledged_at
            size = len(acknowledged) * self._request.size
            self.last_acknowledged = max(self.last_acknowledged, at)
            sent_times = list(compress(block.sent_times, is_acknowledged))
            self._report(Acknowledged(acknowledged, size, block.partition, sent_times, at))
        self.acknowledged += len(acknowledged)
        if len(acknowledged) == len(block.numbers):
            return
        self.failed |= BitMap(block.numbers) - BitMap(acknowledged)
        if not self._error:
            failure = next(iter(delivery.failures.values()), None)
            self._error = "Kafka did not answer in time" if failure is None else str(failure)
            self._too_large = failure is not None and failure.too_large

    def _raise_if_incomplete(self, stopped: bool) -> None:
        count = self._request.num_messages
        sent = len(self._sent_before) + self.acknowledged
        if self._error:
            raise incomplete(self._request, sent, self._error, self._too_large)
        if stopped and sent < count:
            raise RunStopped(f"stopped; {sent} of {count} messages were sent")


def incomplete(request: Request, acknowledged: int, error: str, too_large: bool) -> DeliveryFailed:
    """Return the error for the caller if Kafka has not acknowledged every message."""
    known = f"Kafka acknowledged {acknowledged} of {request.num_messages} messages"
    if not too_large:
        return DeliveryFailed(f"{known}, then: {error}")
    return TooLarge(
        f"{known}: it does not take messages of {request.size} bytes. Ask for smaller ones, lower MAX_SIZE, or raise"
        " Kafka's message.max.bytes"
    )
