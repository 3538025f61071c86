"""A setting that is wrong ends a service or the API at once, with one sentence."""

import time
from uuid import uuid4

import pytest

from local.services import API, PING, PONG, environment
from messaging import config
from messaging.lifecycle import Stopping
from messaging.topics import TooFewBrokers, ensure_topics
from tests.integration.processes import LoggedProcess

# The check comes before all else, so there need be no brokers.
NOBODY = {"AMQP_URI": "amqp://127.0.0.1:1", "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "API_BIND": "127.0.0.1:0"}


@pytest.mark.parametrize("command", [PING, PONG, API], ids=["ping", "pong", "api"])
@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("TOPIC_PARTITIONS", "abc", "TOPIC_PARTITIONS must be a whole number from 1 to 1000, not 'abc'."),
        ("KAFKA_BOOTSTRAP_SERVERS", "[", "KAFKA_BOOTSTRAP_SERVERS must be host:port, or several with commas, not '['."),
    ],
)
def test_a_wrong_setting_ends_it_with_one_sentence(tmp_path, command, name, value, sentence):
    process = LoggedProcess(command, environment(NOBODY | {name: value}), tmp_path / "log")
    try:
        assert process.popen.wait(20) == 1
    finally:
        process.end()

    lines = [line for line in process.log.splitlines() if not line.endswith("] Starting gunicorn " + line.split()[-1])]
    assert lines == [sentence]


def test_more_copies_than_brokers_are_not_waited_for(brokers, caplog):
    settings = config.load() | {"REPLICATION_FACTOR": 3}
    topic, started = f"copies-{uuid4()}", time.monotonic()

    with pytest.raises(TooFewBrokers):
        ensure_topics([topic], brokers.kafka_bootstrap, settings, Stopping(), seconds=0)
    with pytest.raises(SystemExit) as ended:
        ensure_topics([topic], brokers.kafka_bootstrap, settings, Stopping())

    assert time.monotonic() - started < 10
    assert ended.value.code == 1
    assert caplog.messages == ["REPLICATION_FACTOR must be at most the number of Kafka brokers that run, not 3."]


def test_topics_that_exist_stay_as_they_are_whatever_the_settings_say(brokers, caplog):
    settings, topic = config.load() | {"TOPIC_PARTITIONS": 1}, f"partitions-{uuid4()}"
    ensure_topics([topic], brokers.kafka_bootstrap, settings, Stopping())
    caplog.clear()

    more = settings | {"TOPIC_PARTITIONS": 2, "REPLICATION_FACTOR": 3}
    ensure_topics([topic], brokers.kafka_bootstrap, more, Stopping())

    assert not caplog.messages
