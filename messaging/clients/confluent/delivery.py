"""The results of messages that were handed to librdkafka together."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, Message

from messaging.clients.errors import ClientError

SHORTEST_SLEEP = 0.0005
LONGEST_SLEEP = 0.005

Failure = tuple[KafkaError, bytes | None, bytes | None]
"""The error of a message that was not acknowledged, with its key and value."""


@dataclass(slots=True)
class Part:
    """The messages of a delivery that go to one partition.

    librdkafka reports acknowledged messages in the order in which they were handed over.
    """

    indices: Sequence[int]
    left: int
    """How many of the messages are under way."""
    failed: list[Failure] = field(default_factory=list)
    newest: Message | None = None
    """The message that was acknowledged last."""

    def report(self, error: KafkaError | None, message: Message) -> None:
        """Note the result of one message. librdkafka calls this for every message, so it does very little."""
        self.left -= 1
        if error is None:
            self.newest = message
        else:
            self.failed.append((error, message.key(), message.value()))


class ConfluentDelivery:
    """A delivery with one part for each partition. At first, `failures` has the messages that were not handed over."""

    def __init__(
        self,
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        parts: Sequence[Part],
        failures: dict[int, ClientError],
        serve: Callable[[], object],
        explain: Callable[[Failure], ClientError],
    ):
        self._keys = keys
        self._values = values
        self._parts = parts
        self._failures = failures
        self._serve = serve
        self._explain = explain
        self._handed_over = time.time()
        self._is_done = False

    @property
    def done(self) -> bool:
        if not self._is_done:
            self._serve()
            self._is_done = not any(part.left for part in self._parts)
        return self._is_done

    def wait(self, seconds: float) -> bool:
        deadline, pause = time.monotonic() + seconds, SHORTEST_SLEEP
        while not self.done:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            # librdkafka's own wait would need another thread. For each report, both threads would compete for the GIL.
            time.sleep(min(pause, left))
            pause = min(2 * pause, LONGEST_SLEEP)
        return True

    @property
    def acknowledged(self) -> list[bool]:
        failures = self.failures
        if self._is_done and not failures:
            return [True] * len(self._keys)
        acknowledged = [False] * len(self._keys)
        for part in self._parts:
            sent = [index for index in part.indices if index not in failures]
            for index in sent[: len(sent) - part.left]:
                acknowledged[index] = True
        return acknowledged

    @property
    def acknowledged_at(self) -> int:
        latencies = [part.newest.latency() or 0 for part in self._parts if part.newest]
        return int((self._handed_over + max(latencies)) * 1e6) if latencies else 0

    @property
    def failures(self) -> Mapping[int, ClientError]:
        for part in self._parts:
            if part.failed:
                self._find(part)
        return self._failures

    def _find(self, part: Part) -> None:
        """Find the indices of the failed messages. For equal messages, it does not matter which index is used."""
        failed, part.failed = part.failed, []
        indices: dict[tuple[bytes | None, bytes | None], deque[int]] = {}
        for index in part.indices:
            if index not in self._failures:
                indices.setdefault((self._keys[index], self._values[index]), deque()).append(index)
        for failure in failed:
            _, key, value = failure
            self._failures[indices[key, value].popleft()] = self._explain(failure)
