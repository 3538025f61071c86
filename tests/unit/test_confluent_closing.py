"""Clients of confluent-kafka that cannot connect: they must not leave sockets and threads behind."""

import gc
import os
import sys

import pytest

from local.ports import free_port
from messaging.clients import connect
from messaging.clients.errors import Unavailable
from messaging.settings import KafkaSettings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts the open files in /proc")


@pytest.fixture
def client(monkeypatch):
    """A client of a Kafka that does not run."""
    monkeypatch.setattr("messaging.clients.confluent.reader.ANSWER_SECONDS", 0.1)
    monkeypatch.setattr("messaging.clients.confluent.consumer.CONNECT_SECONDS", 0.1)
    options = {"request_timeout_ms": 35_000, "max_poll_interval_ms": 30_000}
    return connect(KafkaSettings(f"127.0.0.1:{free_port()}", options, {}, "confluent-kafka"))


@pytest.mark.parametrize("make", [lambda client: client.reader(), lambda client: client.consumer("group", ["topic"])])
def test_a_client_that_cannot_connect_leaves_no_open_files(client, make):
    gc.disable()
    try:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            with pytest.raises(Unavailable):
                make(client)
        assert len(os.listdir("/proc/self/fd")) == before
    finally:
        gc.enable()
