"""Tests that confluent-kafka keeps the contract of clients."""

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from eventlet.patcher import is_monkey_patched

from messaging.clients.protocols import Partition, directly
from messaging.extensions.starting import in_a_thread
from tests.clients.contract import ClientContract
from tests.clients.kit import until
from tests.clients.parts.transactions import TransactionContract
from tests.kafka import client_at

GREEN = is_monkey_patched("thread")  # true when test_under_eventlet.py runs this file
WAITING = in_a_thread if GREEN else directly
LIBRARY = "confluent-kafka"


class TestConfluentKafka(ClientContract, TransactionContract):
    interruptible = GREEN
    splits_batches = False
    # librdkafka allows no interval below the session timeout, and Kafka allows no session timeout below 6 s.
    short_membership = {"max_poll_interval_ms": 6000}  # noqa: RUF012

    @pytest.fixture
    def client(self, brokers):
        return client_at(brokers.kafka_bootstrap, WAITING, LIBRARY)

    @pytest.fixture
    def nowhere(self):
        """A client for an address without a Kafka."""
        return client_at("127.0.0.1:1", WAITING, LIBRARY)

    def test_committed_offsets_can_be_read_while_a_transaction_with_newer_ones_is_open(
        self, brokers, new_topic, group, reader
    ):
        partition = Partition(new_topic(), 0)
        servers = {"bootstrap.servers": brokers.kafka_bootstrap}
        producer, consumer = Producer(servers | {"transactional.id": group}), Consumer(servers | {"group.id": group})
        producer.init_transactions(10)
        producer.begin_transaction()
        offsets = [TopicPartition(partition.topic, 0, 7)]
        producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), 10)

        assert reader.committed(group, [partition]) == {partition: 0}
        producer.commit_transaction(10)
        until(lambda: reader.committed(group, [partition]) == {partition: 7})
        consumer.close()
