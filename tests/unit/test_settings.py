"""The settings: allowed values, the sentence that rejects other values, and the default of an empty setting."""

import pytest

from messaging import settings
from messaging.runs.request import check_limits
from messaging.runs.stamp import LARGEST_NUMBER, SIZE
from messaging.settings import AMQP_URI, API_HOSTS, KAFKA_SERVERS, NUMBERS

ADDRESSES = {"AMQP_URI": AMQP_URI, "KAFKA_BOOTSTRAP_SERVERS": KAFKA_SERVERS, "API_HOSTS": API_HOSTS}


def number_of(loaded: settings.Settings, name: str) -> int:
    return getattr(loaded, name.lower())


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch):
    for name in (*NUMBERS, *ADDRESSES, "KAFKA_CLIENT", "DELIVERY", "METRICS_HOST", "HEALTH_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_without_settings_the_defaults_apply():
    loaded = settings.load()

    assert {name: number_of(loaded, name) for name in NUMBERS} == {n: NUMBERS[n].default for n in NUMBERS}
    assert loaded.amqp_uri == "amqp://guest:guest@localhost:5672"
    assert loaded.kafka.servers == "localhost:9092"
    assert loaded.kafka.producer["bootstrap_servers"] == "localhost:9092"
    assert loaded.kafka.consumer["bootstrap_servers"] == "localhost:9092"


@pytest.mark.parametrize("name", NUMBERS | ADDRESSES)
def test_an_empty_setting_has_its_default(monkeypatch, name):
    default = settings.load()
    monkeypatch.setenv(name, " ")

    assert settings.load() == default


@pytest.mark.parametrize("name", NUMBERS)
def test_the_smallest_and_the_largest_number_are_accepted(monkeypatch, name):
    for value in NUMBERS[name].least, NUMBERS[name].most:
        monkeypatch.setenv(name, f" {value} ")
        assert number_of(settings.load(), name) == value


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["abc", "-1", "0", "1.5", "1e3", "1_0", "0x10", "true", "[", "٣", "9" * 5000])
def test_a_number_that_is_out_of_range_or_not_whole_ends_the_process_with_a_sentence(monkeypatch, name, value):
    monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit) as ended:
        settings.load()

    number = NUMBERS[name]
    assert ended.value.code == (
        f"{name} must be a whole number from {number.least} to {number.most}, not {value[:50]!r}."
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AMQP_URI", "amqps://user:p%2Fw@rabbit.example.org/vhost"),
        ("AMQP_URI", "pyamqp://localhost"),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:9092,b-1.example.org:9093, [::1]:65535"),
    ],
)
def test_valid_addresses_are_accepted(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    loaded = settings.load()

    assert value in (loaded.amqp_uri, loaded.kafka.servers)
    kafka = loaded.kafka
    assert kafka.servers == kafka.producer["bootstrap_servers"] == kafka.consumer["bootstrap_servers"]


@pytest.mark.parametrize("value", ["0.0.0.0", "127.0.0.1", "::1"])
def test_metrics_host_may_be_an_ip_address(monkeypatch, value):
    monkeypatch.setenv("METRICS_HOST", value)

    assert settings.load().metrics_host == value


def test_the_hosts_of_the_api_are_split_and_put_in_lower_case(monkeypatch):
    assert settings.load().api_hosts == frozenset()

    monkeypatch.setenv("API_HOSTS", "pingpong.Example.org, 10.0.0.1,[fd00::1]")
    assert settings.load().api_hosts == {"pingpong.example.org", "10.0.0.1", "[fd00::1]"}


@pytest.mark.parametrize(("given", "completed"), [("a:", "a:9092"), ("a:1, b: ,[::1]:", "a:1, b:9092 ,[::1]:9092")])
def test_an_empty_port_of_kafka_is_the_default_one(monkeypatch, given, completed):
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", given)

    assert settings.load().kafka.servers == completed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AMQP_URI", "localhost:5672"), ("AMQP_URI", "http://localhost"), ("AMQP_URI", "amqp://"),
        ("AMQP_URI", "amqp://localhost:port"), ("AMQP_URI", "amqp://localhost:99999"), ("AMQP_URI", "amqp://[::1"),
        ("KAFKA_BOOTSTRAP_SERVERS", "localhost"), ("KAFKA_BOOTSTRAP_SERVERS", "9092"),
        ("KAFKA_BOOTSTRAP_SERVERS", ":9092"), ("KAFKA_BOOTSTRAP_SERVERS", "a:9092,"),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:0"), ("KAFKA_BOOTSTRAP_SERVERS", "a:65536"),
        ("API_HOSTS", "https://example.org"), ("API_HOSTS", "example.org:8000"), ("API_HOSTS", "a,,b"),
        ("API_HOSTS", "a b"), ("API_HOSTS", "*"),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:1 b:2"), ("KAFKA_BOOTSTRAP_SERVERS", "kafka://a:9092"),
        ("METRICS_HOST", "localhost"), ("METRICS_HOST", "127.0.0.1:9100"),
    ],
)  # fmt: skip
def test_an_address_that_is_not_valid_ends_the_process_with_a_sentence(monkeypatch, name, value):
    monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit) as ended:
        settings.load()

    assert ended.value.code.startswith(f"{name} must be ")
    assert ended.value.code.endswith(f", not {value!r}.")


def test_a_password_is_not_shown(monkeypatch):
    monkeypatch.setenv("AMQP_URI", "ampq://guest:sec@ret@localhost")

    with pytest.raises(SystemExit, match=r"not '\*\*\*@localhost'\.$"):
        settings.load()


CONFIG = {"KAFKA_CONSUMER": {}, "KAFKA_PRODUCER": {}}


def test_numbers_in_config_yml_itself_are_checked_too():
    assert settings.check(CONFIG | {"TOPIC_PARTITIONS": 8}).topic_partitions == 8

    with pytest.raises(SystemExit, match=r"^TOPIC_PARTITIONS must be .*, not 'True'"):
        settings.check(CONFIG | {"TOPIC_PARTITIONS": True})


def test_nameko_finds_the_default_address_of_rabbitmq_in_its_configuration():
    config = CONFIG | {"AMQP_URI": ""}
    settings.check(config)

    assert config["AMQP_URI"] == AMQP_URI.default


def test_the_limits_fit_the_client_and_the_stamps():
    # The headers of a record and of its batch have 88 bytes together.
    assert NUMBERS["MAX_SIZE"].most + SIZE + 88 <= settings.load().kafka.producer["max_request_size"]
    assert NUMBERS["MAX_MESSAGES"].most <= LARGEST_NUMBER


def test_a_run_within_both_limits_may_be_too_large_as_a_whole():
    limits = settings.load()
    check_limits(1_000_000, 1000, limits)
    check_limits(1000, 1_000_000, limits)

    with pytest.raises(ValueError, match=r"times size must be at most 1000000000 .*, not 1001000000"):
        check_limits(1_000_000, 1001, limits)


def test_exactly_once_needs_the_client_that_has_transactions(monkeypatch):
    monkeypatch.setenv("DELIVERY", "exactly-once")
    monkeypatch.setenv("KAFKA_CLIENT", "kafka-python")
    with pytest.raises(SystemExit) as ended:
        settings.load()
    assert ended.value.code == (
        "DELIVERY=exactly-once needs KAFKA_CLIENT=confluent-kafka, because kafka-python has no transactions."
    )

    monkeypatch.setenv("KAFKA_CLIENT", "confluent-kafka")
    assert settings.load().delivery == "exactly-once"


def test_a_delivery_that_does_not_exist_is_refused(monkeypatch):
    monkeypatch.setenv("DELIVERY", "at-most-once")
    with pytest.raises(SystemExit) as ended:
        settings.load()
    assert ended.value.code == "DELIVERY must be at-least-once or exactly-once, not 'at-most-once'."
