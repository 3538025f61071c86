"""Makes the messages of a run, block by block. Each message has a payload and a stamp. Each block has one partition."""

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pyroaring import BitMap

from messaging.runs.payload import payloads
from messaging.runs.request import Request
from messaging.runs.schedule import Schedule
from messaging.runs.stamp import stamps

BLOCK_MESSAGES = 200
"""This many messages with consecutive numbers go to one partition. The next ones go to the next partition."""

BLOCK_BYTES = 2**20
"""A block of large messages is handed over in parts. Other greenthreads can run between two parts.

A part has at most this many bytes, or one message."""


class Block(NamedTuple):
    """Messages that are handed over together. `sent_times` says when each is sent or due, in µs since the epoch."""

    numbers: Sequence[int]
    partition: int
    sent_times: Sequence[int]
    keys: Sequence[bytes]


class Blocks:
    """The blocks of one run, except for the numbers in `sent_before`. A paced run has a schedule."""

    def __init__(self, request: Request, sent_before: BitMap | None = None, schedule: Schedule | None = None):
        self._request = request
        self._sent_before = sent_before or BitMap()
        self._schedule = schedule

    def numbers(self) -> Iterator[Sequence[int]]:
        """Yield the numbers to send together. A paced run also yields empty sequences, so that the sender can stop."""
        return self._due(self._schedule) if self._schedule else self._all()

    def make(self, numbers: Sequence[int], partitions: int) -> Block:
        """Return a block with these numbers, for one of the topic's partitions."""
        run = self._request.run
        # Runs begin at different partitions, so that many small runs spread over all of them.
        partition = (run.int + numbers[0] // BLOCK_MESSAGES) % partitions
        if self._schedule:
            sent_times = list(map(self._schedule.due_at, numbers))
            return Block(numbers, partition, sent_times, stamps(run.bytes, numbers, sent_times))
        sent_times = [time.time_ns() // 1000] * len(numbers)
        return Block(numbers, partition, sent_times, stamps(run.bytes, numbers))

    def values(self, block: Block) -> Sequence[bytes]:
        """Return the payloads of a block. Each call returns the same ones."""
        return payloads(self._request.run.bytes, block.numbers, self._request.size)

    def _all(self) -> Iterator[Sequence[int]]:
        """Yield whole blocks, or parts of blocks if the messages are large."""
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

    def _due(self, schedule: Schedule) -> Iterator[Sequence[int]]:
        """Yield the due numbers of the blocks. While none is due, wait and yield empty sequences."""
        for numbers in self._all():
            while numbers:
                due, numbers = schedule.split(numbers)
                if not due:
                    schedule.wait_for(numbers[0])
                yield due
