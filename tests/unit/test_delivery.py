"""A delivery, with a client whose acknowledgements the test makes."""

import threading
import time

from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError
from kafka.future import Future
from kafka.producer.future import FutureProduceResult, FutureRecordMetadata

from messaging.delivery import Delivery


class Client:
    """Hands out kafka-python's own futures and keeps them for the test to resolve."""

    def __init__(self):
        self.handed_over: list[tuple] = []
        self.futures: list[Future] = []

    def __call__(self, keys, values, partitions) -> list[Future]:
        self.handed_over += zip(keys, values, partitions, strict=True)
        new = [FutureRecordMetadata(FutureProduceResult(TopicPartition("pong", 0)), 0, 0, None, 1, 1, -1) for _ in keys]
        self.futures += new
        return new


COLUMNS = [b"a", b"b", b"c"], [b"1", b"2", b"3"], [0, 0, 1]


def test_is_done_when_every_message_is():
    client = Client()
    delivery = Delivery(client, COLUMNS)
    client.futures[0].success(None)
    client.futures[2].success(None)
    assert not delivery.done
    assert not delivery.wait(0.01)

    client.futures[1].success(None)
    assert delivery.done
    assert delivery.wait(0)
    assert delivery.settled()
    assert (delivery.acknowledged, delivery.errors) == ([True] * 3, [])


def test_waiting_ends_with_the_last_acknowledgement():
    client = Client()
    delivery = Delivery(client, COLUMNS)

    def acknowledge():
        for future in client.futures:
            time.sleep(0.02)
            future._produce_future.success((0, 0, 0))

    threading.Thread(target=acknowledge).start()
    assert delivery.wait(5)


def test_a_failure_is_seen():
    client = Client()
    delivery = Delivery(client, COLUMNS)
    error = KafkaTimeoutError()
    client.futures[1].failure(error)
    client.futures[0].success(None)
    client.futures[2].success(None)

    assert delivery.done
    assert (delivery.acknowledged, delivery.errors) == ([True, False, True], [error])


def test_what_failed_for_a_passing_reason_is_sent_again_and_nothing_else():
    client = Client()
    delivery = Delivery(client, COLUMNS)
    client.futures[0].success(None)
    client.futures[1].failure(KafkaTimeoutError())
    client.futures[2].success(None)

    assert not delivery.settled()
    assert client.handed_over[3:] == [(b"b", b"2", 0)]
    client.futures[3].success(None)
    assert delivery.settled()


def test_what_is_refused_for_good_is_logged_and_left_out(caplog):
    client = Client()
    delivery = Delivery(client, COLUMNS)
    client.futures[0].success(None)
    client.futures[1].failure(MessageSizeTooLargeError())
    client.futures[2].failure(KafkaTimeoutError())

    assert not delivery.settled()
    assert client.handed_over[3:] == [(b"c", b"3", 1)]
    client.futures[3].success(None)
    assert delivery.settled()
    assert delivery.refused == 1
    assert "1 messages cannot be sent" in caplog.text
