"""Sending with kafka-python. Its futures, one per message, stay inside. The caller gets a delivery."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import repeat
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.future import Future

from messaging.clients.errors import ClientError, Refused, Unavailable
from messaging.clients.kafka_python.errors import translate, translated
from messaging.clients.kafka_python.quiet import stop_measuring
from messaging.clients.kafka_python.splitting import split_large_batches

ERRORS = KafkaError, OSError, AssertionError
"""The errors of kafka-python if it cannot take a message. For example, a closed producer raises an AssertionError."""


class KafkaPythonDelivery:
    """Messages that were handed to kafka-python together. Each one has a future."""

    def __init__(self, futures: Sequence[Future], partitions: Sequence[int]):
        self._futures = futures
        self._known = 0  # the number of leading futures that are done
        self._seen_at = 0  # when `done` saw the newest acknowledgement
        self._acknowledged_at = 0
        # Kafka acknowledges the messages of a partition in the order of sending, so the last one's future is enough.
        for future in dict(zip(partitions, futures, strict=True)).values():
            future.add_callback(self._note_time)

    @property
    def done(self) -> bool:
        futures, known = self._futures, self._known
        while self._known < len(futures) and futures[self._known].is_done:
            self._known += 1
        if any(future.exception is None for future in futures[known : self._known]):
            self._seen_at = time.time_ns() // 1000
        return self._known == len(futures)

    @property
    def acknowledged_at(self) -> int:
        # `_acknowledged_at` is 0 if the last message of each partition failed or is under way.
        if not (self._acknowledged_at or self._seen_at) and any(self.acknowledged):
            self._seen_at = time.time_ns() // 1000
        return self._acknowledged_at or self._seen_at

    def _note_time(self, _metadata: object) -> None:
        self._acknowledged_at = time.time_ns() // 1000

    def wait(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not self.done:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            with suppress(KafkaError):  # time is up, or the future has failed, which `failures` shows
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
    """Safe to be used by many threads, because kafka-python's producer is."""

    def __init__(self, options: Mapping[str, Any]):
        self.sent_again: Counter[str] = Counter()
        with translated():
            self._producer = KafkaProducer(**options)
        stop_measuring(self._producer)
        self._count_retries()
        split_large_batches(self._producer)

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
        send = partial(self._producer.send, topic)
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
            # The messages before this one are under way, so the delivery must report their results.
            futures += [Future().failure(reason)] * (len(keys) - len(futures))
        return KafkaPythonDelivery(futures, partitions)

    def flush(self, seconds: float) -> bool:
        try:
            self._producer.flush(timeout=seconds)
        except KafkaError:
            return False
        return True

    def close(self, seconds: float) -> None:
        # kafka-python tells its thread to end, and then wakes it through a socket. If the thread has ended already, the
        # socket is closed (OSError) or gone (AttributeError).
        with suppress(OSError, AttributeError):
            self._producer.close(timeout=seconds)

    def _count_retries(self) -> None:
        sensors = self._producer._sender._sensors
        record = sensors.record_retries

        def record_retries(topic: str, count: int) -> None:
            self.sent_again[topic] += count
            record(topic, count)

        sensors.record_retries = record_retries


def _send_if_possible(send: Any, key: bytes | None, value: bytes | None, partition: int) -> Future:
    if key is None and value is None:
        return Future().failure(Refused("kafka-python cannot send a message that has neither a key nor a value"))
    return send(value, key, None, partition)
