"""A wrong setting ends a service or the API at once, with one message."""

import time
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace
from uuid import uuid4

import pytest

from local.services import API, PING, PONG, environment
from messaging import settings
from messaging.clients.errors import TooFewBrokers
from messaging.clients.protocols import Topic
from messaging.clients.topics import create_missing
from messaging.extensions.starting import client_of, connected
from messaging.extensions.stopping import SETTINGS
from messaging.stopping import StopRequest
from tests.integration.processes import LoggedProcess

# Settings are checked before anything connects, so no brokers are needed.
NOBODY = {"AMQP_URI": "amqp://127.0.0.1:1", "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "API_BIND": "127.0.0.1:0"}


@pytest.mark.parametrize("command", [PING, PONG, API], ids=["ping", "pong", "api"])
@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("TOPIC_PARTITIONS", "abc", "TOPIC_PARTITIONS must be a whole number from 1 to 1000, not 'abc'."),
        ("KAFKA_BOOTSTRAP_SERVERS", "[", "KAFKA_BOOTSTRAP_SERVERS must be host:port, or several with commas, not '['."),
    ],
)
def test_a_wrong_setting_ends_the_process_with_one_sentence(tmp_path, command, name, value, sentence):
    process = LoggedProcess(command, environment(NOBODY | {name: value}), tmp_path / "log")
    try:
        assert process.popen.wait(20) == 1
    finally:
        process.end()

    lines = [line for line in process.log.splitlines() if not line.endswith("] Starting gunicorn " + line.split()[-1])]
    assert lines == [sentence]


@pytest.fixture
def container(brokers):
    """Replaces a service's container. Only the settings are needed here."""
    loaded = settings.load()
    kafka = replace(loaded.kafka, servers=brokers.kafka_bootstrap)
    return SimpleNamespace(config={SETTINGS: replace(loaded, kafka=kafka)})


def test_more_replicas_than_brokers_fail_at_once(container, caplog):
    topic, started = Topic(f"copies-{uuid4()}", 1, 3), time.monotonic()

    with pytest.raises(TooFewBrokers):
        create_missing(client_of(container), [topic])
    with pytest.raises(SystemExit) as ended:
        connected(container, [topic], lambda client: client, StopRequest())

    assert time.monotonic() - started < 10
    assert ended.value.code == 1
    assert caplog.messages == [
        "REPLICATION_FACTOR is 3, but fewer Kafka brokers are running. Lower it, or start more brokers."
    ]


def test_existing_topics_do_not_change_with_the_settings(container, caplog):
    name = f"partitions-{uuid4()}"
    create_missing(client_of(container), [Topic(name, 1, 1)])
    caplog.clear()

    create_missing(client_of(container), [Topic(name, 2, 3)])

    assert not caplog.messages
    with closing(client_of(container).reader()) as reader:
        assert len(reader.partitions(name)) == 1
