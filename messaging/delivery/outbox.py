"""Sends to one topic and limits the bytes under way, so that memory stays small."""

import time
from collections import deque
from collections.abc import Sequence

from messaging.clients.errors import ClientError
from messaging.clients.protocols import Delivery, Producer
from messaging.runs.outcome import DeliveryFailed
from messaging.stopping import StopRequest

IN_FLIGHT_BYTES = 4 * 2**20
"""At most this many bytes may be unacknowledged. kafka-python's own `buffer_memory` limits batches, not bytes.

This is enough to keep Kafka busy. More would only cost memory, and time for garbage collection."""

MESSAGE_OVERHEAD = 1024
"""The client adds about this many bytes to a message's key and value. So at most 4,096 messages are in flight."""

ROOM_SECONDS = 150
"""The longest wait for room, in seconds. It is longer than the client's own timeout for acknowledgements."""


def cost_of(keys: Sequence[bytes | None], values: Sequence[bytes | None]) -> int:
    """Return about how many bytes these messages take while they are under way."""
    return len(keys) * MESSAGE_OVERHEAD + sum(map(len, filter(None, values)))


class Outbox:
    """Hands messages of a topic to the client, once there is room. Safe to be used by many greenthreads."""

    def __init__(self, topic: str, producer: Producer, stop: StopRequest):
        self.topic = topic
        self._producer = producer
        self._stop = stop
        self._in_flight: deque[tuple[Delivery, int]] = deque()
        self._in_flight_bytes = 0

    @property
    def partitions(self) -> int:
        """How many partitions the topic has. Raises DeliveryFailed."""
        try:
            return self._producer.partitions(self.topic)
        except ClientError as error:
            raise DeliveryFailed(str(error)) from error

    def send(self, keys: Sequence[bytes | None], values: Sequence[bytes | None], partitions: Sequence[int]) -> Delivery:
        """Hand messages over once there is room. Raises DeliveryFailed if there is none within ROOM_SECONDS."""
        cost = cost_of(keys, values)
        self._make_room(cost)
        try:
            delivery = self._producer.send(self.topic, keys, values, partitions)
        except ClientError as error:
            raise DeliveryFailed(str(error)) from error
        self._in_flight.append((delivery, cost))
        self._in_flight_bytes += cost
        time.sleep(0)  # lets the client's sender, heartbeats and other calls run
        return delivery

    def _make_room(self, cost: int) -> None:
        deadline = time.monotonic() + ROOM_SECONDS
        while self._in_flight and self._in_flight_bytes + cost > IN_FLIGHT_BYTES:
            oldest, _ = self._in_flight[0]
            if not oldest.wait(0.2) and (time.monotonic() > deadline or self._stop.overdue):
                raise DeliveryFailed(
                    f"There is no room for more messages of topic {self.topic}, because Kafka has not acknowledged"
                    " earlier ones. Is it running?"
                )
            while self._in_flight and self._in_flight[0][0].done:
                self._in_flight_bytes -= self._in_flight.popleft()[1]
