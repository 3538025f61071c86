"""The outbox hands messages over while there is room, and raises DeliveryFailed if Kafka does not answer."""

import pytest

from messaging.clients.errors import Unavailable
from messaging.delivery.outbox import IN_FLIGHT_BYTES, Outbox, cost_of
from messaging.runs.outcome import DeliveryFailed
from messaging.stopping import StopRequest
from tests.unit.fakes import Delivery

HALF = IN_FLIGHT_BYTES // 2


class SettledWhenWaitedFor(Delivery):
    """Kafka acknowledges this delivery as soon as the outbox waits for it."""

    def wait(self, seconds: float) -> bool:
        self.acknowledge()
        return super().wait(seconds)


class Producer:
    """Keeps the delivery of each send. While it is `down`, Kafka does not answer."""

    def __init__(self, delivery=Delivery) -> None:
        self.deliveries: list[Delivery] = []
        self.down = False
        self._delivery = delivery

    def partitions(self, topic: str) -> int:
        if self.down:
            raise Unavailable("no metadata")
        return 4

    def send(self, topic, keys, values, partitions) -> Delivery:
        if self.down:
            raise Unavailable("no metadata")
        self.deliveries.append(self._delivery(len(keys)))
        return self.deliveries[-1]


class Overdue(StopRequest):
    """A stop that is overdue, so waits must end."""

    overdue = True


def test_messages_are_handed_over_while_there_is_room():
    producer = Producer()
    outbox = Outbox("pong", producer, StopRequest())
    first = outbox.send([b"k"], [b"v"], [0])
    second = outbox.send([b"k"], [bytes(HALF)], [0])

    assert producer.deliveries == [first, second]
    assert outbox.partitions == 4


def test_the_next_messages_wait_until_earlier_ones_make_room():
    producer = Producer(SettledWhenWaitedFor)
    outbox = Outbox("pong", producer, StopRequest())
    for _ in range(5):
        outbox.send([b"k"], [bytes(HALF)], [0])

    assert [delivery.done for delivery in producer.deliveries] == [True, True, True, True, False]


def test_messages_larger_than_the_room_are_sent_alone():
    producer = Producer(SettledWhenWaitedFor)
    outbox = Outbox("pong", producer, StopRequest())
    outbox.send([b"k"], [bytes(2 * IN_FLIGHT_BYTES)], [0])
    outbox.send([b"k"], [b"v"], [0])

    assert [delivery.done for delivery in producer.deliveries] == [True, False]


def test_the_wait_for_room_ends_when_stopping_is_overdue():
    outbox = Outbox("pong", Producer(), Overdue())
    outbox.send([b"k"], [bytes(HALF)], [0])

    with pytest.raises(DeliveryFailed, match="no room for more messages of topic pong"):
        outbox.send([b"k"], [bytes(HALF)], [0])


def test_delivery_fails_if_kafka_does_not_answer():
    producer = Producer()
    producer.down = True
    outbox = Outbox("pong", producer, StopRequest())

    with pytest.raises(DeliveryFailed, match="no metadata"):
        outbox.send([b"k"], [b"v"], [0])
    with pytest.raises(DeliveryFailed, match="no metadata"):
        _ = outbox.partitions


def test_the_cost_of_messages_grows_with_their_number_and_their_values():
    assert cost_of([b"k"], [None]) == cost_of([None], [b""]) > 0
    assert cost_of([b"k"] * 3, [b"12345", None, b"1"]) == 3 * cost_of([b"k"], [None]) + 6
