"""Fake deliveries, topics, answers, clocks and journals. The test decides when something is acknowledged."""

import time
from collections.abc import Callable, Mapping, Sequence

from messaging.clients.errors import ClientError
from messaging.runs.batch import Batch
from messaging.runs.outcome import DeliveryFailed


class Delivery:
    """A delivery of this many messages. Each one is under way until the test decides its result."""

    def __init__(self, count: int):
        self._count = count
        self.acknowledged_at = 0
        self._acknowledged: set[int] = set()
        self._failures: dict[int, ClientError] = {}

    def acknowledge(self, *indices: int) -> None:
        """Say that Kafka has acknowledged these messages. Without indices: all that have not failed."""
        self._acknowledged |= set(indices or range(self._count)) - set(self._failures)
        self.acknowledged_at = time.time_ns() // 1000

    def fail(self, error: ClientError, *indices: int) -> None:
        """Say that these messages have failed. Without indices, all of them have."""
        self._failures |= dict.fromkeys(indices or range(self._count), error)

    @property
    def done(self) -> bool:
        return len(self._acknowledged) + len(self._failures) == self._count

    def wait(self, seconds: float) -> bool:
        return self.done

    @property
    def acknowledged(self) -> Sequence[bool]:
        return [index in self._acknowledged for index in range(self._count)]

    @property
    def failures(self) -> Mapping[int, ClientError]:
        return self._failures


class Clock:
    """A clock that moves only when the test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class WallClock:
    """The time of day, in microseconds since the epoch. Sleeping takes no time: it moves the clock."""

    def __init__(self, at: int = 1_700_000_000_000_000) -> None:
        self.at = at
        self.naps: list[float] = []
        self.on_sleep: Callable[[], object] = lambda: None

    def now(self) -> int:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.at += round(seconds * 1e6)
        self.on_sleep()


class Topic:
    """Notes the messages of runs. By default, each message is acknowledged immediately.

    With `error`, all messages fail. With `silent`, none is acknowledged. With `full`, `send` raises DeliveryFailed. If
    `partitions` is an exception, the number of partitions is unknown.
    """

    def __init__(
        self,
        partitions: int | Exception = 4,
        error: ClientError | None = None,
        silent: bool = False,
        full: str | None = None,
    ):
        self._partitions = partitions
        self.messages: list[tuple[bytes, bytes, int]] = []
        self.largest = 0
        self._error = error
        self._silent = silent
        self._full = full

    @property
    def partitions(self) -> int:
        if isinstance(self._partitions, Exception):
            raise self._partitions
        return self._partitions

    def send(self, keys: Sequence[bytes], values: Sequence[bytes], partitions: Sequence[int]) -> Delivery:
        if self._full:
            raise DeliveryFailed(self._full)
        self.messages += zip(keys, values, partitions, strict=True)
        self.largest = max(self.largest, sum(map(len, values)))
        delivery = Delivery(len(keys))
        if self._error:
            delivery.fail(self._error)
        elif not self._silent:
            delivery.acknowledge()
        return delivery


class Answers:
    """Answers of a handler. They are under way until the test says that they are done. Waiting takes no time."""

    def __init__(self, done: bool = False, refused: Sequence[int] = ()):
        self.done = done
        self.refused = refused
        self.acknowledged_at = 0
        self.waits: list[float] = []

    def settled(self) -> bool:
        return self.done

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        return self.done


class Journal:
    """Counts batches. By default, each count is on record immediately.

    While `holds_back` is true, only `acknowledge` puts counts on record.
    """

    def __init__(self) -> None:
        self.mark = 0
        self.received_batches: list[Batch] = []
        self.answers: list[tuple[int, list[int]]] = []
        """For each answered batch, the number of its messages and the indices of the refused answers."""
        self.holds_back = False
        self._acknowledged = 0

    def received(self, batch: Batch) -> None:
        self.mark += 1
        self.received_batches.append(batch)

    def answered(self, batch: Batch, refused: Sequence[int], at: int) -> None:
        self.mark += 1
        self.answers.append((len(batch), list(refused)))

    def recorded(self, mark: int) -> bool:
        return not self.holds_back or mark <= self._acknowledged

    def acknowledge(self) -> None:
        """Put everything so far on record. From now on, nothing gets on record by itself."""
        self.holds_back = True
        self._acknowledged = self.mark

    def flush(self, seconds: float) -> bool:
        return self.recorded(self.mark)
