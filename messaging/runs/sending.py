"""The sending of a run: random messages of one size, each with a number and a time.

Kafka sets the pace, or in a paced run the schedule: each message is sent when it is due.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import compress
from typing import NamedTuple, Protocol

from pyroaring import BitMap

from messaging.runs.outcome import DeliveryFailed, RunStopped, TooLarge
from messaging.runs.payload import payloads
from messaging.runs.request import Request
from messaging.runs.schedule import Schedule
from messaging.runs.stamp import stamps

BLOCK_MESSAGES = 200
"""That many messages with consecutive numbers go to one partition, the next ones to the next partition."""

BLOCK_BYTES = 2**20
"""At most this much is handed over at once: large messages must leave other greenthreads their turns."""

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
    """Something to send with. Raises DeliveryFailed if Kafka does not answer, or if there is no room for more."""

    @property
    def partitions(self) -> int: ...
    def send(
        self, keys: Sequence[bytes | None], values: Sequence[bytes | None], partitions: Sequence[int]
    ) -> Delivery: ...


class Stop(Protocol):
    """Something that says when to stop; `overdue` ends even the wait for what is under way.

    It is asked before each block, may take its time, and raises DeliveryFailed if no more can be sent.
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
    """The time in the stamp of each message."""
    at: int
    """When the acknowledgement came."""


Report = Callable[[Acknowledged], object]
"""Told what Kafka has acknowledged."""


class Block(NamedTuple):
    """Messages that were handed over together, with the times in their stamps."""

    numbers: Sequence[int]
    partition: int
    sent_times: Sequence[int]
    delivery: Delivery


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
        self._schedule = schedule
        self._pending: deque[Block] = deque()
        self._error: str | None = None
        self._too_large = False
        self.first_sent: int | None = None
        """The time in the stamp of the first message, in microseconds since the epoch, as all times here."""
        self.last_acknowledged = 0
        self.acknowledged = 0
        self.failed = BitMap()
        """The numbers that were handed over and not acknowledged."""

    def send(self) -> None:
        """Send the messages and wait for Kafka's acknowledgements. Raises DeliveryFailed or RunStopped."""
        stopped = False
        partitions = self._out.partitions
        for numbers in self._due_blocks(self._schedule) if self._schedule else self._blocks():
            stopped = self._must_stop()
            if stopped or self._error:
                break
            if numbers:
                self._hand_over(numbers, partitions)
            while self._pending and self._pending[0].delivery.done:
                self._account(self._pending.popleft())
        self._await()
        self._raise_if_incomplete(stopped)

    def _must_stop(self) -> bool:
        try:
            return self._stop.asked
        except DeliveryFailed as error:
            self._error = str(error)
            return True

    def _blocks(self) -> Iterator[Sequence[int]]:
        """Yield sequence numbers to send at once: blocks, or parts of blocks if the messages are large."""
        count, size = self._request.num_messages, self._request.size
        step = max(1, min(BLOCK_MESSAGES, BLOCK_BYTES // max(size, 1)))
        for block in range(0, count, BLOCK_MESSAGES):
            end = min(block + BLOCK_MESSAGES, count)
            for start in range(block, end, step):
                numbers: Sequence[int] = range(start, min(start + step, end))
                if self._sent_before:
                    numbers = list(BitMap(numbers) - self._sent_before)
                if numbers:
                    yield numbers

    def _due_blocks(self, schedule: Schedule) -> Iterator[Sequence[int]]:
        """Yield what is due of the blocks. While nothing is due, yield nothing from time to time: look around then."""
        for numbers in self._blocks():
            while numbers:
                due, numbers = schedule.split(numbers)
                if not due:
                    schedule.wait_for(numbers[0])
                yield due

    def _hand_over(self, numbers: Sequence[int], partitions: int) -> None:
        run = self._request.run
        # Runs begin at different partitions, so that many small ones spread as well.
        partition = (run.int + numbers[0] // BLOCK_MESSAGES) % partitions
        if self._schedule:
            sent_times = list(map(self._schedule.due_at, numbers))
            keys = stamps(run.bytes, numbers, sent_times)
        else:
            sent_times = [time.time_ns() // 1000] * len(numbers)
            keys = stamps(run.bytes, numbers)
        self.first_sent = self.first_sent or sent_times[0]
        try:
            values = payloads(run.bytes, numbers, self._request.size)
            delivery = self._out.send(keys, values, [partition] * len(keys))
        except DeliveryFailed as error:
            self._error = str(error)
        else:
            self._pending.append(Block(numbers, partition, sent_times, delivery))

    def _await(self) -> None:
        deadline = time.monotonic() + ACKNOWLEDGE_SECONDS
        for block in self._pending:
            while time.monotonic() < deadline and not self._stop.overdue and not block.delivery.wait(0.2):
                pass
            self._account(block)
        self._pending.clear()

    def _account(self, block: Block) -> None:
        """Report what Kafka has acknowledged of a block, and keep the first reason for the rest."""
        is_acknowledged = block.delivery.acknowledged  # computed anew at each use
        acknowledged = list(compress(block.numbers, is_acknowledged))
        if acknowledged:
            at = block.delivery.acknowledged_at
            size = len(acknowledged) * self._request.size
            self.last_acknowledged = max(self.last_acknowledged, at)
            sent_times = list(compress(block.sent_times, is_acknowledged))
            self._report(Acknowledged(acknowledged, size, block.partition, sent_times, at))
        self.acknowledged += len(acknowledged)
        if len(acknowledged) == len(block.numbers):
            return
        self.failed |= BitMap(block.numbers) - BitMap(acknowledged)
        if not self._error:
            failure = next(iter(block.delivery.failures.values()), None)
            self._error = "Kafka did not answer in time" if failure is None else str(failure)
            self._too_large = failure is not None and failure.too_large

    def _raise_if_incomplete(self, stopped: bool) -> None:
        count, size = self._request.num_messages, self._request.size
        if self._too_large:
            raise TooLarge(
                f"Kafka acknowledged {self.acknowledged} of {count} messages: it does not take {size} bytes. Ask for"
                " smaller ones, lower MAX_SIZE, or raise Kafka's message.max.bytes"
            )
        if self._error:
            raise DeliveryFailed(f"Kafka acknowledged {self.acknowledged} of {count} messages, then: {self._error}")
        sent = len(self._sent_before) + self.acknowledged
        if stopped and sent < count:
            raise RunStopped(f"stopped; {sent} of {count} messages were sent")
