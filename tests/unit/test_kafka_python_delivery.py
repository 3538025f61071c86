"""A delivery of the kafka-python client, with that library's own futures, which the test resolves."""

import threading
import time

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError
from kafka.producer.future import FutureProduceResult, FutureRecordMetadata

from messaging.clients.errors import Refused, TooLarge, Unavailable
from messaging.clients.kafka_python.producer import KafkaPythonDelivery


@pytest.fixture
def requests():
    """The results of three messages. The test sets them."""
    return [FutureProduceResult(TopicPartition("pong", 0)) for _ in range(3)]


@pytest.fixture
def futures(requests):
    """kafka-python's futures of the three messages."""
    return [FutureRecordMetadata(request, 0, 0, None, 1, 1, -1) for request in requests]


@pytest.fixture
def delivery(futures):
    return KafkaPythonDelivery(futures, [0, 0, 1])


STORED = 0, 0, 0


def test_a_delivery_is_done_when_every_message_is_acknowledged(delivery, requests):
    requests[0].success(STORED)
    requests[2].success(STORED)
    assert not delivery.done
    assert not delivery.wait(0.01)
    assert list(delivery.acknowledged) == [True, False, True]

    requests[1].success(STORED)
    assert delivery.done
    assert delivery.wait(0)
    assert (list(delivery.acknowledged), delivery.failures) == ([True] * 3, {})


def test_waiting_ends_with_the_last_acknowledgement(delivery, requests):
    waiting = threading.Event()

    def acknowledge():
        waiting.wait(5)
        for request in requests:
            request.success(STORED)

    acknowledging = threading.Thread(target=acknowledge)
    acknowledging.start()
    assert not delivery.wait(0)
    waiting.set()

    assert delivery.wait(5)
    acknowledging.join()


def test_a_failure_has_the_index_of_its_message_and_is_one_of_our_errors(delivery, requests):
    requests[1].failure(KafkaTimeoutError("too late"))
    requests[0].success(STORED)
    requests[2].failure(MessageSizeTooLargeError())

    assert delivery.done
    assert delivery.wait(0)
    assert list(delivery.acknowledged) == [True, False, False]
    assert {index: type(error) for index, error in delivery.failures.items()} == {1: Unavailable, 2: TooLarge}
    assert "too late" in str(delivery.failures[1])


def test_a_message_that_is_too_large_is_refused_for_good_and_one_that_timed_out_is_not(delivery, requests):
    requests[0].failure(KafkaTimeoutError())
    requests[1].failure(MessageSizeTooLargeError())
    requests[2].success(STORED)

    assert delivery.done
    assert [isinstance(delivery.failures[index], Refused) for index in (0, 1)] == [False, True]


def test_the_time_of_the_last_acknowledgement_is_noted(delivery, requests):
    before = time.time_ns() // 1000
    for request in requests:
        request.success(STORED)

    assert before <= delivery.acknowledged_at <= time.time_ns() // 1000


def test_the_time_of_an_acknowledgement_is_noted_even_if_the_last_messages_fail(delivery, requests):
    before = time.time_ns() // 1000
    requests[0].success(STORED)
    assert not delivery.done
    noted = delivery.acknowledged_at
    requests[1].failure(KafkaTimeoutError())
    requests[2].failure(KafkaTimeoutError())

    assert delivery.done
    assert before <= delivery.acknowledged_at == noted <= time.time_ns() // 1000


def test_there_is_no_time_of_an_acknowledgement_if_all_messages_fail(delivery, requests):
    for request in requests:
        request.failure(KafkaTimeoutError())

    assert delivery.done
    assert delivery.acknowledged_at == 0


def test_an_acknowledgement_has_a_time_although_nobody_has_waited_for_it(delivery, requests):
    before = time.time_ns() // 1000
    requests[0].success(STORED)

    assert delivery.acknowledged == [True, False, False]
    assert before <= delivery.acknowledged_at <= time.time_ns() // 1000
