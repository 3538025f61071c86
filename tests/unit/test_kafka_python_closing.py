"""A producer of the kafka-python client can be closed even if the library's thread has already ended."""

from types import SimpleNamespace

import pytest

from messaging.clients.kafka_python.producer import KafkaPythonProducer

NOWHERE = {"bootstrap_servers": "127.0.0.1:1", "api_version": (2, 5)}


@pytest.mark.parametrize("gone", [False, True])
def test_a_thread_that_has_ended_already_is_no_error(gone):
    producer = KafkaPythonProducer(NOWHERE)
    thread = producer._producer._sender
    client = thread._client
    client._wake_w.close()  # the thread does this when it ends, and then sets the attribute to None
    if gone:
        client._wake_w = SimpleNamespace(close=client._wake_w.close)  # like None, this has no `sendall`

    producer.close(1)
    thread.join(10)
    assert not thread.is_alive()
