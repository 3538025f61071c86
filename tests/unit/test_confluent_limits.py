"""How large the batches of a topic may be, and when Kafka is asked for the limit again."""

import pytest
from confluent_kafka import KafkaError

from messaging.clients.confluent.limits import BATCH_OVERHEAD, TopicLimits

TOO_LARGE = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)


class Admin:
    def __init__(self, **limits: int):
        self.limits = limits
        self.asked: list[str] = []

    def batch_limit(self, topic: str) -> int:
        self.asked.append(topic)
        return self.limits[topic]

    def close(self) -> None:
        pass


@pytest.fixture
def admin():
    return Admin(ping=1_000_000, pong=60_000)


@pytest.fixture
def limits(admin):
    return TopicLimits(lambda: admin)


def test_batches_fit_all_topics_and_kafka_is_asked_once_for_each_topic(limits, admin):
    assert limits.batch_size(["ping", "pong"], 131_072) == 60_000 - BATCH_OVERHEAD
    assert limits.batch_size(["ping"], 131_072) == 131_072
    assert admin.asked == ["ping", "pong"]


def test_all_messages_of_a_refused_batch_show_that_the_limit_was_lowered(limits, admin):
    limits.batch_size(["ping"], 131_072)
    admin.limits["ping"] = 50_000

    assert all(limits.is_outgrown("ping", TOO_LARGE, b"k", bytes(100)) for _ in range(3))
    assert limits.batch_size(["ping"], 131_072) == 50_000 - BATCH_OVERHEAD


def test_a_message_that_is_too_large_itself_does_not_show_that_the_limit_was_lowered(limits):
    limits.batch_size(["pong"], 131_072)

    assert not limits.is_outgrown("pong", TOO_LARGE, b"k", bytes(60_000))


def test_a_message_that_failed_for_another_reason_does_not_show_that_the_limit_was_lowered(limits):
    limits.batch_size(["ping"], 131_072)

    assert not limits.is_outgrown("ping", KafkaError(KafkaError._MSG_TIMED_OUT), b"k", b"v")
