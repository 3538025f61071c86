"""Options of the two Kafka extensions: what nameko-kafka 0.2.1 would drop or mix up."""

from types import SimpleNamespace

import pytest

from messaging.consumer import BatchConsumer
from messaging.producer import TopicProducer

CONFIG = {
    "KAFKA_CONSUMER": {"bootstrap_servers": "somewhere:9092"},
    "KAFKA_PRODUCER": {"bootstrap_servers": "somewhere:9092", "acks": "all"},
}


def bound(extension):
    extension.container = SimpleNamespace(config=CONFIG, service_name="ping")
    return extension


def test_options_that_are_false_are_kept():
    consumer = bound(BatchConsumer("topic", check_crcs=False, enable_auto_commit=False))
    producer = bound(TopicProducer("topic", acks=0, linger_ms=0))

    assert consumer._parse_config()["check_crcs"] is False
    assert consumer._parse_config()["enable_auto_commit"] is False
    assert producer._parse_config() == {"bootstrap_servers": "somewhere:9092", "acks": 0, "linger_ms": 0}


def test_the_group_is_the_service_unless_an_option_says_otherwise_and_does_not_leak_into_the_next_consumer():
    first, second = bound(BatchConsumer("a", group_id="mine")), bound(BatchConsumer("b"))

    assert [first._parse_config()["group_id"], second._parse_config()["group_id"]] == ["mine", "ping"]
    assert CONFIG["KAFKA_CONSUMER"] == {"bootstrap_servers": "somewhere:9092"}


@pytest.mark.parametrize("extension", [BatchConsumer, TopicProducer])
def test_an_option_that_does_not_exist_is_an_error(extension):
    with pytest.raises(TypeError, match="no_such_option"):
        extension("topic", no_such_option=1)
