"""Keeps the librdkafka producers of a `ConfluentProducer`. It needs one for each batch size, see `limits.py`."""

from collections.abc import Mapping
from contextlib import suppress

from confluent_kafka import Producer

from messaging.clients.confluent.errors import translated
from messaging.clients.confluent.limits import TopicLimits
from messaging.clients.protocols import Waiting

CONNECT_SECONDS = 3


class Producers:
    def __init__(self, options: Mapping[str, object], limits: TopicLimits, waiting: Waiting):
        self._options = dict(options)
        self.limits = limits
        self._waiting = waiting
        self._by_size: dict[int, Producer] = {}
        self._retired: list[Producer] = []
        self._batch_size = int(str(options["batch.size"]))
        self._is_closed = False
        producer = self._of_size(self._batch_size)
        with translated():
            waiting(lambda: producer.list_topics(timeout=CONNECT_SECONDS))

    def of(self, topic: str) -> Producer:
        """Return the producer for a topic. Asks Kafka for the topic's limit the first time. Raises Unavailable."""
        if self._is_closed:
            return self._of_size(self._batch_size)
        return self._of_size(self.limits.batch_size([topic], self._batch_size))

    def retire(self, producer: Producer) -> None:
        """Use another producer from now on. After a fatal error, an idempotent producer can send nothing."""
        for size, each in list(self._by_size.items()):
            if each is producer:
                self._retired.append(self._by_size.pop(size))

    def all(self) -> list[Producer]:
        return [*self._by_size.values(), *self._retired]

    def close(self) -> None:
        """Close all producers, and drop the messages that are under way."""
        self._is_closed = True
        for producer in self.all():
            with suppress(RuntimeError):  # raised if it is closed already
                producer.purge()
                producer.poll(0)
                self._waiting(producer.close)

    def _of_size(self, size: int) -> Producer:
        if size not in self._by_size and not self._is_closed:
            with translated():
                self._by_size[size] = Producer({**self._options, "batch.size": size, "error_cb": _ignore})
        return self._by_size[size] if size in self._by_size else self.all()[0]


def _ignore(error: object) -> None:
    """Replaces librdkafka's log of errors. The errors of messages are in their reports."""
