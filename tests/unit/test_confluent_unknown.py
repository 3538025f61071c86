"""librdkafka does not know a topic, because a broker that has just started did not know it yet."""

from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError

from messaging.clients.confluent.limits import TopicLimits
from messaging.clients.confluent.producer import ConfluentProducer
from messaging.clients.errors import Unavailable
from messaging.clients.protocols import directly

UNKNOWN = KafkaError(KafkaError._UNKNOWN_TOPIC)


class Library:
    """librdkafka's producer. It knows the topic once it has asked Kafka, but only if the topic `is_known` there."""

    is_known = True

    def __init__(self, options):
        self.knows_topic = False
        self.taken = []

    def __len__(self):
        return 0

    def list_topics(self, topic=None, timeout=0):
        self.knows_topic = topic is not None and self.is_known
        return SimpleNamespace(topics={topic: SimpleNamespace(partitions=[0] * self.is_known, error=UNKNOWN)})

    def produce_batch(self, topic, messages, partition, on_delivery):
        if not self.knows_topic:
            for message in messages:
                message["_error"] = UNKNOWN
            return 0
        self.taken += [message["value"] for message in messages]
        return len(messages)


@pytest.fixture
def producer(monkeypatch):
    monkeypatch.setattr("messaging.clients.confluent.producers.Producer", Library)
    limits = TopicLimits(lambda: SimpleNamespace(batch_limit=lambda topic: 1_000_000, close=lambda: None))
    return ConfluentProducer({"batch.size": 100_000}, limits, directly)


def test_kafka_is_asked_and_the_messages_are_sent(producer):
    delivery = producer.send("pong", [None] * 3, [b"1", b"2", b"3"], [0] * 3)

    assert producer._producers.of("pong").taken == [b"1", b"2", b"3"]
    assert delivery.failures == {}


def test_a_topic_that_kafka_does_not_know_is_reported(producer, monkeypatch):
    monkeypatch.setattr(Library, "is_known", False)
    with pytest.raises(Unavailable, match="Unknown topic"):
        producer.send("pong", [None] * 3, [b"1", b"2", b"3"], [0] * 3)
