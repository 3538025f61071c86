"""The contract, kept by confluent-kafka."""

import pytest
from eventlet.patcher import is_monkey_patched

from messaging.clients.protocols import directly
from messaging.extensions.starting import in_a_thread
from tests.clients.contract import ClientContract
from tests.clients.parts.transactions import TransactionContract
from tests.kafka import client_at

GREEN = is_monkey_patched("thread")  # in the run of test_under_eventlet.py
WAITING = in_a_thread if GREEN else directly
LIBRARY = "confluent-kafka"


class TestConfluentKafka(ClientContract, TransactionContract):
    interruptible = GREEN
    splits_batches = False
    short_membership = {"max_poll_interval_ms": 6000}  # noqa: RUF012  # Kafka allows no shorter session

    @pytest.fixture
    def client(self, brokers):
        return client_at(brokers.kafka_bootstrap, WAITING, LIBRARY)

    @pytest.fixture
    def nowhere(self):
        """A client for an address without a Kafka."""
        return client_at("127.0.0.1:1", WAITING, LIBRARY)
