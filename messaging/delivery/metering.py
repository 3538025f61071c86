"""Counts the results of a producer's messages: acknowledged, failed (and why), or sent again."""

from collections import Counter
from collections.abc import Mapping, Sequence

from messaging.clients.errors import ClientError, Refused
from messaging.clients.protocols import Delivery, Partition, Producer
from messaging.clients.transactions import Membership, TransactionalProducer

REASONS = TOO_LARGE, REFUSED, UNAVAILABLE = "too_large", "refused", "unavailable"


class Meter:
    """Counts messages of this process, by topic."""

    def __init__(self) -> None:
        self.received: Counter[str] = Counter()
        """Messages that the handler has counted."""
        self.acknowledged: Counter[str] = Counter()
        self.failed: Counter[tuple[str, str]] = Counter()
        """Failed messages, by topic and reason. They may be sent again."""
        self.sent_again: Counter[str] = Counter()
        """Messages that were handed over again after they had failed, and messages of aborted transactions."""

    def begin(self, topic: str) -> None:
        """Begin to count a topic at 0, so that Prometheus sees the first message as an increase."""
        for counts in self.acknowledged, self.sent_again:
            counts[topic] += 0
        for reason in REASONS:
            self.failed[topic, reason] += 0

    def fail(self, topic: str, error: ClientError, count: int = 1) -> None:
        self.failed[topic, reason_of(error)] += count


def reason_of(error: ClientError) -> str:
    """Return why a message was not acknowledged, one of REASONS."""
    if error.too_large:
        return TOO_LARGE
    return REFUSED if isinstance(error, Refused) else UNAVAILABLE


class MeteredProducer:
    """A producer whose messages are counted."""

    def __init__(self, producer: Producer, meter: Meter):
        self._producer = producer
        self._meter = meter

    def partitions(self, topic: str) -> int:
        return self._producer.partitions(topic)

    def flush(self, seconds: float) -> bool:
        return self._producer.flush(seconds)

    def close(self, seconds: float) -> None:
        self._producer.close(seconds)

    @property
    def sent_again(self) -> Mapping[str, int]:
        return self._producer.sent_again

    def send(
        self,
        topic: str,
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        partitions: Sequence[int],
    ) -> Delivery:
        try:
            delivery = self._producer.send(topic, keys, values, partitions)
        except ClientError as error:
            self._meter.fail(topic, error, len(keys))
            raise
        return _MeteredDelivery(delivery, topic, len(keys), self._meter)


class _MeteredDelivery:
    """A delivery. It is counted when somebody first sees that it is done."""

    def __init__(self, delivery: Delivery, topic: str, count: int, meter: Meter):
        self._delivery = delivery
        self._topic = topic
        self._count = count
        self._meter = meter
        self._is_counted = False

    @property
    def done(self) -> bool:
        return self._noted(self._delivery.done)

    def wait(self, seconds: float) -> bool:
        return self._noted(self._delivery.wait(seconds))

    @property
    def acknowledged(self) -> Sequence[bool]:
        return self._delivery.acknowledged

    @property
    def acknowledged_at(self) -> int:
        return self._delivery.acknowledged_at

    @property
    def failures(self) -> Mapping[int, ClientError]:
        return self._delivery.failures

    def _noted(self, done: bool) -> bool:
        if done and not self._is_counted:
            self._is_counted = True
            failures = self._delivery.failures
            self._meter.acknowledged[self._topic] += self._count - len(failures)
            for error in failures.values():
                self._meter.fail(self._topic, error)
        return done


class MeteredTransactions:
    """Counts a transactional producer's messages. They count as acknowledged once their transaction is committed."""

    def __init__(self, producer: TransactionalProducer, meter: Meter):
        self._producer = producer
        self._meter = meter
        self._open: Counter[str] = Counter()
        self.start = producer.start
        self.partitions = producer.partitions
        self.begin = producer.begin
        self.close = producer.close

    def send(
        self,
        topic: str,
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        partitions: Sequence[int],
        seconds: float,
    ) -> None:
        if topic in self._meter.acknowledged:  # the states of runs are not counted
            self._open[topic] += len(keys)
        self._producer.send(topic, keys, values, partitions, seconds)

    def commit(
        self,
        seconds: float,
        offsets: Mapping[Partition, int] | None = None,
        membership: Membership | None = None,
    ) -> None:
        try:
            self._producer.commit(seconds, offsets, membership)
        except Refused as error:  # Kafka does not name the message, so all messages of the transaction count as failed
            for topic, count in self._open.items():
                self._meter.fail(topic, error, count)
            raise
        self._meter.acknowledged.update(self._open)
        self._open.clear()

    def abort(self, seconds: float) -> None:
        self._meter.sent_again.update(self._open)
        self._open.clear()
        self._producer.abort(seconds)
