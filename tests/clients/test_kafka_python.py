"""Tests that kafka-python keeps the contract of clients."""

import pytest
from eventlet.patcher import is_monkey_patched

from messaging.clients.protocols import directly
from messaging.extensions.starting import green
from tests.clients.contract import ClientContract
from tests.kafka import client_at

GREEN = is_monkey_patched("thread")  # true when test_under_eventlet.py runs this file
WAITING = green if GREEN else directly
LIBRARY = "kafka-python"


class TestKafkaPython(ClientContract):
    interruptible = GREEN

    @pytest.fixture
    def client(self, brokers):
        return client_at(brokers.kafka_bootstrap, WAITING, LIBRARY)

    @pytest.fixture
    def nowhere(self):
        """A client for an address without a Kafka."""
        return client_at("127.0.0.1:1", WAITING, LIBRARY)
