"""A run: so many random messages of one size, sent as fast as Kafka takes them, and how fast that was."""

import os
import time
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import compress
from typing import TYPE_CHECKING, NamedTuple

from kafka.errors import KafkaError, MessageSizeTooLargeError
from pyroaring import BitMap

from messaging.delivery import Delivery, DeliveryFailed
from messaging.limits import check_run
from messaging.stamp import stamps

if TYPE_CHECKING:
    from messaging.producer import Topic

BLOCK_MESSAGES = 200
"""So many messages with consecutive numbers go to one partition, the next ones to the next partition."""

BLOCK_BYTES = 2**20
"""No more than this at once, so that large messages leave the other greenthreads their turns."""

POOL_BYTES = 4 * 2**20
"""Random bytes to cut payloads from: room for the largest message, and for a block of smaller ones."""

ACKNOWLEDGE_SECONDS = 150
"""How long to wait for the last acknowledgements; longer than the client's own `request_timeout_ms`."""

PUBLISH_SECONDS = 0.2
"""How often the state of the sending goes on record."""


class TooLarge(DeliveryFailed):
    """Kafka refuses messages of this size, however often they are sent."""


class RunStopped(Exception):
    """The run was ended early, by a user or because the service stops; the text says how far it was."""


class CallAgain(Exception):
    """The service stops, and the run goes on at the next instance: the call is to be put back into its queue."""

    def __init__(self):
        super().__init__("stopped, to go on at the next instance")


def send_run(topic: "Topic", num_messages: int, size: int, run_id: str, queued: bool = False) -> dict:
    """Send `num_messages` with `size` random bytes each and return once Kafka has acknowledged every one.

    `run_id` is a UUID as text. Messages that are on record as sent already, by an instance that did not come to the end
    of the run, are not sent again. A run that is `queued` has nobody waiting for the answer, so it outlasts this
    instance.

    Returns the five figures of the specification: `total time` in seconds from the first send to the last
    acknowledgement, `byte rate (MB/s)` in 10^6 bytes of value per second, `message rate (msg/s)`.

    Raises ValueError for numbers out of range, DeliveryFailed, RunStopped, CallAgain.
    """
    check_run(num_messages, size, topic.config)
    run = uuid.UUID(run_id)
    note = topic.recorder.sending
    now = time.time_ns() // 1000
    note(run, service=topic.service, num_messages=num_messages, size=size, created=now, outcome="sending")
    started = time.perf_counter()
    sending = Sending(topic, run, num_messages, size)
    try:
        sending.send()
        seconds = time.perf_counter() - started
        note(run, outcome="sent")
    except (DeliveryFailed, RunStopped, KafkaError) as error:
        if queued and topic.stopping.asked:
            raise CallAgain from None
        stopped = isinstance(error, RunStopped) and not topic.stopping.asked
        note(run, outcome="stopped" if stopped else "failed", reason=str(error), failed=sending.failed)
        raise
    finally:
        topic.recorder.wait(topic.recorder.publish(), seconds=1 if topic.stopping.asked else 10)
    return figures(num_messages, size, seconds)


def figures(num_messages: int, size: int, seconds: float) -> dict:
    """The five figures of the specification."""
    return {
        "num_messages": num_messages,
        "size": size,
        "total time": seconds,
        "byte rate (MB/s)": num_messages * size / seconds / 1e6,
        "message rate (msg/s)": num_messages / seconds,
    }


class Block(NamedTuple):
    """Messages that were handed to the client at once; `time_sent` in microseconds since the epoch."""

    numbers: Sequence[int]
    partition: int
    time_sent: int
    delivery: Delivery


class Sending:
    """The sending of one run: what is under way, and what has come of the rest."""

    def __init__(self, topic: "Topic", run: uuid.UUID, num_messages: int, size: int):
        self._topic = topic
        self._run = run
        self._num_messages = num_messages
        self._size = size
        self._sent_before = topic.recorder.sent_before(run)
        self._pending: deque[Block] = deque()
        self._error: str | None = None
        self._too_large = False
        self.acknowledged = 0
        self.failed = 0

    def send(self) -> None:
        """Send what was not sent before and wait for the acknowledgements. Raises DeliveryFailed or RunStopped."""
        topic, partitions, values = self._topic, self._topic.partitions, _Values(self._size)
        next_publication = time.monotonic() + PUBLISH_SECONDS
        ended = False
        for numbers in self._blocks():
            ended = topic.stopping.asked or topic.recorder.stop_asked(self._run)
            if ended or self._error:
                break
            # Runs begin at different partitions, so that many small ones spread as well.
            partition = (self._run.int + numbers[0] // BLOCK_MESSAGES) % partitions
            time_sent = time.time_ns() // 1000
            keys = stamps(self._run.bytes, numbers)
            try:
                delivery = topic.send(keys, values.cut(len(keys)), [partition] * len(keys))
            except KafkaError as error:
                self._error = str(error)
                break
            self._pending.append(Block(numbers, partition, time_sent, delivery))
            while self._pending and self._pending[0].delivery.done:
                self._account(self._pending.popleft())
            if time.monotonic() >= next_publication:
                next_publication = time.monotonic() + PUBLISH_SECONDS
                topic.recorder.publish()
        self._await()
        if self._too_large:
            raise TooLarge(
                f"Kafka does not take messages of {self._size} bytes. Ask for smaller ones, lower MAX_SIZE, or raise"
                " Kafka's message.max.bytes"
            )
        if self._error:
            raise DeliveryFailed(
                f"Kafka acknowledged {self.acknowledged} of {self._num_messages} messages, then: {self._error}"
            )
        done = len(self._sent_before) + self.acknowledged
        if ended and done < self._num_messages:
            raise RunStopped(f"stopped; {done} of {self._num_messages} messages were sent")

    def _blocks(self) -> Iterator[Sequence[int]]:
        """Sequence numbers to be sent at once: blocks, or parts of them where messages are large."""
        step = max(1, min(BLOCK_MESSAGES, BLOCK_BYTES // max(self._size, 1)))
        for block in range(0, self._num_messages, BLOCK_MESSAGES):
            end = min(block + BLOCK_MESSAGES, self._num_messages)
            for start in range(block, end, step):
                numbers = range(start, min(start + step, end))
                if self._sent_before:
                    numbers = list(BitMap(numbers) - self._sent_before)
                if numbers:
                    yield numbers

    def _await(self) -> None:
        deadline = time.monotonic() + ACKNOWLEDGE_SECONDS
        for block in self._pending:
            while time.monotonic() < deadline and not self._topic.stopping.overdue and not block.delivery.wait(0.2):
                pass
            self._account(block)
        self._pending.clear()

    def _account(self, block: Block) -> None:
        """Put on record what Kafka has acknowledged of a block, and note why it has not the rest."""
        acknowledged = list(compress(block.numbers, block.delivery.acknowledged))
        if acknowledged:
            size = len(acknowledged) * self._size
            self._topic.recorder.sent(self._run, acknowledged, size, block.partition, block.time_sent)
        self.acknowledged += len(acknowledged)
        self.failed += len(block.numbers) - len(acknowledged)
        if len(acknowledged) < len(block.numbers) and not self._error:
            errors = block.delivery.errors
            self._error = repr(errors[0]) if errors else "it did not answer in time"
            self._too_large = bool(errors) and isinstance(errors[0], MessageSizeTooLargeError)


@cache
def _pool(size: int) -> bytes:
    return os.urandom(size)


class _Values:
    """Payloads of one size, cut from random bytes that are made once: random, or compression would flatter."""

    def __init__(self, size: int):
        self._size = size
        self._pool = _pool(max(POOL_BYTES, size + 1))
        self._at = 0

    def cut(self, count: int) -> list[bytes]:
        pool, size, step = self._pool, self._size, self._size + 1
        if self._at + count * step > len(self._pool):
            self._at = 0
        starts = range(self._at, self._at + count * step, step)
        self._at = starts.stop
        return [pool[start : start + size] for start in starts]
