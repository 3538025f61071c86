"""The options of a Kafka extension override the settings, but only for this extension."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from messaging import settings
from messaging.clients import connect, kafka_python
from messaging.delivery.journal import Journal
from messaging.extensions import TopicProducer
from messaging.extensions import consumer as consumer_module
from messaging.extensions import topics as topics_module
from messaging.extensions.consumer import BatchConsumer
from messaging.extensions.stopping import SETTINGS

KAFKA = settings.KafkaSettings(
    "somewhere:9092", {"auto_offset_reset": "earliest", "check_crcs": True}, {"acks": "all", "retries": 9}
)


class Client:
    """Notes the options that the extensions ask for."""

    def __init__(self) -> None:
        self.consumers: dict[str, dict] = {}
        self.producers: list[dict] = []

    def consumer(self, group, topics, **options):
        self.consumers[group] = options
        return SimpleNamespace()

    def producer(self, **options):
        self.producers.append(options)
        return SimpleNamespace(partitions=lambda topic: 1)


@pytest.fixture
def client(monkeypatch):
    """The client with which the extensions connect."""
    client = Client()
    for module in consumer_module, topics_module:
        monkeypatch.setattr(module, "connected", lambda container, topics, make, stop: make(client))
    return client


@pytest.fixture
def set_up():
    """Sets up an extension in a service called ping."""
    container = SimpleNamespace(config={SETTINGS: settings.load()}, service_name="ping")

    def set_up(extension):
        extension.container = container
        extension.journal = SimpleNamespace(opened=lambda: Journal(None, None, None, None))
        extension.setup()
        return extension

    return set_up


@pytest.fixture
def opened(monkeypatch):
    """A kafka-python client whose methods return only options, instead of a producer, consumer or reader."""
    monkeypatch.setattr(kafka_python, "KafkaPythonProducer", lambda options: options)
    monkeypatch.setattr(kafka_python, "KafkaPythonConsumer", lambda topics, options, waiting: options)
    monkeypatch.setattr(kafka_python, "KafkaPythonReader", lambda options, waiting: options)
    return connect(KAFKA)


def test_options_that_are_false_are_kept(client, set_up):
    set_up(BatchConsumer("topic", check_crcs=False, enable_auto_commit=False))
    set_up(TopicProducer("topic", acks=0, linger_ms=0))

    assert client.consumers == {"ping": {"check_crcs": False, "enable_auto_commit": False}}
    assert client.producers == [{"acks": 0, "linger_ms": 0}]


def test_the_group_is_the_name_of_the_service_unless_the_consumer_has_option_group_id(client, set_up):
    set_up(BatchConsumer("a", group_id="mine"))
    set_up(BatchConsumer("b"))

    assert client.consumers == {"mine": {"group_id": "mine"}, "ping": {}}


def test_options_of_an_extension_override_the_settings_and_do_not_leak_into_the_next_extension(opened):
    ours = {"bootstrap_servers": "somewhere:9092", "socket_options": kafka_python.SOCKET_OPTIONS}
    assert opened.producer(acks=0, linger_ms=0) == ours | {"acks": 0, "retries": 9, "linger_ms": 0}
    assert opened.consumer("ping", ["a"], check_crcs=False) == ours | {
        "auto_offset_reset": "earliest", "check_crcs": False, "group_id": "ping"
    }  # fmt: skip
    assert opened.consumer("ping", ["a"], group_id="mine")["group_id"] == "mine"
    assert opened.consumer("pong", ["b"])["group_id"] == "pong"
    assert opened.producer()["acks"] == "all"


def test_a_reader_has_no_group(opened):
    assert opened.reader()["group_id"] is None


def test_everything_connects_to_the_servers_of_the_settings(opened):
    moved = connect(replace(KAFKA, servers="elsewhere:9092"))

    assert moved.servers == "elsewhere:9092"
    for options in moved.producer(), moved.reader(), moved.consumer("ping", ["a"]):
        assert options["bootstrap_servers"] == "elsewhere:9092"


def test_nameko_s_own_options_do_not_reach_kafka(client, set_up):
    set_up(BatchConsumer("topic", expected_exceptions=ValueError, max_poll_records=10))

    assert client.consumers == {"ping": {"max_poll_records": 10}}


@pytest.mark.parametrize("extension", [BatchConsumer, TopicProducer])
def test_an_option_that_does_not_exist_is_an_error(extension):
    with pytest.raises(TypeError, match="no_such_option"):
        extension("topic", no_such_option=1)
