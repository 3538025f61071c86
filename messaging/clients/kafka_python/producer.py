"""Sending with kafka-python: its future per message stays inside, a delivery comes out."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import repeat
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError
from kafka.future import Future

from messaging.clients.errors import ClientError, Refused, Unavailable
from messaging.clients.kafka_python.errors import translate, translated

SMALLEST_BATCH = 1024
"""Batches are not made smaller than this, in bytes."""

ERRORS = KafkaError, OSError, AssertionError
"""What kafka-python raises if it cannot take a message. A closed producer is an AssertionError, for example."""


class KafkaPythonDelivery:
    """Messages that were handed to kafka-python together, a future each.

    Kafka refuses whole batches. So each message of a batch that was too large is sent once more, alone.
    """

    def __init__(self, futures: list[Future], partitions: Sequence[int], send_alone: Callable[[int], Future]):
        self._futures = futures
        self.acknowledged_at = 0
        # The messages of a partition are acknowledged in their order, so its last one is enough.
        for future in dict(zip(partitions, futures, strict=True)).values():
            future.add_callback(self._note_time)
        self._send_alone: Callable[[int], Future] | None = send_alone
        self._splitting = threading.Lock()
        self._known = 0  # that many futures, from the first one on, are known to be done

    @property
    def done(self) -> bool:
        if not self._is_each_done():
            return False
        if self._send_alone is not None:
            with self._splitting:  # whoever asks meanwhile waits, because the refusals are not the last word
                self._split()
        return self._is_each_done()

    def _is_each_done(self) -> bool:
        futures = self._futures
        while self._known < len(futures) and futures[self._known].is_done:
            self._known += 1
        return self._known == len(futures)

    def _split(self) -> None:
        """Send the messages of batches that were too large again, alone, unless that was done before."""
        if self._send_alone is None:
            return
        for index, future in enumerate(self._futures):
            if isinstance(future.exception, MessageSizeTooLargeError):
                self._futures[index] = self._send_alone(index)
                self._futures[index].add_callback(self._note_time)
                self._known = min(self._known, index)
        self._send_alone = None  # it holds the messages

    def _note_time(self, _metadata: object) -> None:
        self.acknowledged_at = time.time_ns() // 1000

    def wait(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not self.done:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            with suppress(KafkaError):  # the failure of that future, for `failures`, or the end of the time
                self._futures[self._known].get(timeout=left)
        return True

    @property
    def acknowledged(self) -> list[bool]:
        return [future.is_done and future.exception is None for future in self._futures]

    @property
    def failures(self) -> Mapping[int, ClientError]:
        return {
            index: translate(future.exception)
            for index, future in enumerate(self._futures)
            if future.exception is not None
        }


class KafkaPythonProducer:
    """Safe to be used by many threads, as kafka-python's own producer is."""

    def __init__(self, options: Mapping[str, Any]):
        self._options = options
        self._batch_size = int(options.get("batch_size", KafkaProducer.DEFAULT_CONFIG["batch_size"]))
        self._lock = threading.Lock()
        self.sent_again: Counter[str] = Counter()
        with translated():
            self._producer = self._connect(**options)
        self._former: list[KafkaProducer] = []  # whose batches were too large
        self._alone: KafkaProducer | None = None

    def partitions(self, topic: str) -> int:
        with translated():
            return len(self._producer.partitions_for(topic) or ())

    def send(
        self,
        topic: str,
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        partitions: Sequence[int],
    ) -> KafkaPythonDelivery:
        producer = self._producer
        send = partial(producer.send, topic)

        def send_alone(index: int) -> Future:
            return self._send_alone(producer, topic, values[index], keys[index], partitions[index])

        futures: list[Future] = []
        try:
            if None in values and (None, None) in zip(keys, values, strict=True):
                futures.extend(map(partial(_send_if_possible, send), keys, values, partitions))
            else:
                futures.extend(map(send, values, keys, repeat(None), partitions))
        except ERRORS as error:
            reason = Unavailable(repr(error))
            if not futures:
                raise reason from error
            # Those before are under way, so the delivery must say what becomes of them.
            futures += [Future().failure(reason)] * (len(keys) - len(futures))
        return KafkaPythonDelivery(futures, partitions, send_alone)

    def flush(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        try:
            for producer in self._all():
                producer.flush(timeout=max(0.0, deadline - time.monotonic()))
        except KafkaError:
            return False
        return True

    def close(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for producer in self._all():
            producer.close(timeout=max(0.0, deadline - time.monotonic()))

    def _connect(self, **options: Any) -> KafkaProducer:
        """Return a new producer of the library, which tells of the batches that it sends again."""
        producer = KafkaProducer(**options)
        sensors = producer._sender._sensors
        record = sensors.record_retries

        def record_retries(topic: str, count: int) -> None:
            self.sent_again[topic] += count
            record(topic, count)

        sensors.record_retries = record_retries
        return producer

    def _all(self) -> list[KafkaProducer]:
        return [*self._former, self._producer, *filter(None, [self._alone])]

    def _send_alone(
        self, sent_by: KafkaProducer, topic: str, value: bytes | None, key: bytes | None, partition: int
    ) -> Future:
        try:
            with self._lock:
                if self._alone is None:
                    self._alone = self._connect(**{**self._options, "batch_size": 0})
                # A message that fills a batch was alone in it, so smaller batches would not help.
                if sent_by is self._producer and len(key or b"") + len(value or b"") < self._batch_size:
                    self._make_batches_smaller()
                self.sent_again[topic] += 1
            return self._alone.send(topic, value, key, None, partition)
        except ERRORS as error:
            return Future().failure(Unavailable(repr(error)))

    def _make_batches_smaller(self) -> None:
        """Go on with another producer, because kafka-python cannot change the size of its batches."""
        if self._batch_size > SMALLEST_BATCH:
            smaller = self._connect(**{**self._options, "batch_size": self._batch_size // 2})
            self._batch_size //= 2
            self._former.append(self._producer)
            self._producer = smaller


def _send_if_possible(send: Any, key: bytes | None, value: bytes | None, partition: int) -> Future:
    if key is None and value is None:
        return Future().failure(Refused("kafka-python cannot send a message that has neither a key nor a value"))
    return send(value, key, None, partition)
