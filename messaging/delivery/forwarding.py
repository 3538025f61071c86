"""Sends a handler's batch to another topic, with the same keys and values.

The partition numbers stay the same too, modulo the other topic's number of partitions. So messages of one partition
keep their order.
"""

from collections.abc import Callable

from messaging.clients.protocols import Delivery, Producer
from messaging.delivery.answers import Answers, Columns, PlannedAnswers, SentAnswers
from messaging.delivery.metering import Meter
from messaging.runs.batch import Batch

Forward = Callable[[Batch], Answers]


class Forwarder:
    """Sends the answers immediately."""

    def __init__(self, topic: str, producer: Producer, meter: Meter):
        self._topic = topic
        self._producer = producer
        self._meter = meter

    def __call__(self, batch: Batch) -> Answers:
        columns = _columns(batch, self._producer.partitions(self._topic))
        return SentAnswers(self._hand_over, columns, on_again=self._note_again)

    def _hand_over(self, columns: Columns) -> Delivery:
        return self._producer.send(self._topic, *columns)

    def _note_again(self, count: int) -> None:
        self._meter.sent_again[self._topic] += count


class Planner:
    """Sends nothing itself. The transaction that commits the batch also sends the answers."""

    def __init__(self, topic: str, partitions: int):
        self._topic = topic
        self._partitions = partitions

    def __call__(self, batch: Batch) -> Answers:
        return PlannedAnswers(self._topic, _columns(batch, self._partitions))


def _columns(batch: Batch, partitions: int) -> Columns:
    return Columns(batch.keys, batch.values, [number % partitions for number in batch.partitions])
