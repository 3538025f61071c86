"""The settings: what they may be, what is said of others, and that an empty one has its default."""

import pytest

from messaging import config
from messaging.config import SETTINGS, Number
from messaging.limits import check_run
from messaging.stamp import LARGEST_NUMBER, SIZE

NUMBERS = [name for name, setting in SETTINGS.items() if isinstance(setting, Number)]


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch):
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)


def test_defaults():
    loaded = config.load()

    assert {name: loaded[name] for name in NUMBERS} == {name: SETTINGS[name].default for name in NUMBERS}
    assert loaded["AMQP_URI"] == "amqp://guest:guest@localhost:5672"
    assert loaded["KAFKA_PRODUCER"]["bootstrap_servers"] == "localhost:9092"
    assert loaded["KAFKA_CONSUMER"]["bootstrap_servers"] == "localhost:9092"


@pytest.mark.parametrize("name", SETTINGS)
def test_an_empty_setting_has_its_default(monkeypatch, name):
    default = config.load()
    monkeypatch.setenv(name, " ")

    assert config.load() == default


@pytest.mark.parametrize("name", NUMBERS)
def test_the_least_and_the_most_are_taken(monkeypatch, name):
    for value in SETTINGS[name].least, SETTINGS[name].most:
        monkeypatch.setenv(name, f" {value} ")
        assert config.load()[name] == value


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["abc", "-1", "0", "1.5", "1e3", "1_0", "0x10", "true", "[", "٣", "9" * 5000])
def test_a_number_that_is_none_or_out_of_range_ends_the_process_with_a_sentence(monkeypatch, name, value):
    monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit) as ended:
        config.load()

    setting = SETTINGS[name]
    assert ended.value.code == (
        f"{name} must be a whole number from {setting.least} to {setting.most}, not {value[:50]!r}."
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AMQP_URI", "amqps://user:p%2Fw@rabbit.example.org/vhost"),
        ("AMQP_URI", "pyamqp://localhost"),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:9092,b-1.example.org:9093, [::1]:65535"),
    ],
)
def test_addresses(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    loaded = config.load()

    assert value in (loaded["AMQP_URI"], loaded["KAFKA_PRODUCER"]["bootstrap_servers"])
    assert loaded["KAFKA_PRODUCER"]["bootstrap_servers"] == loaded["KAFKA_CONSUMER"]["bootstrap_servers"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AMQP_URI", "localhost:5672"), ("AMQP_URI", "http://localhost"), ("AMQP_URI", "amqp://"),
        ("AMQP_URI", "amqp://localhost:port"), ("AMQP_URI", "amqp://localhost:99999"), ("AMQP_URI", "amqp://[::1"),
        ("KAFKA_BOOTSTRAP_SERVERS", "localhost"), ("KAFKA_BOOTSTRAP_SERVERS", "9092"),
        ("KAFKA_BOOTSTRAP_SERVERS", ":9092"), ("KAFKA_BOOTSTRAP_SERVERS", "a:9092,"),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:0"), ("KAFKA_BOOTSTRAP_SERVERS", "a:65536"),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:1 b:2"), ("KAFKA_BOOTSTRAP_SERVERS", "kafka://a:9092"),
    ],
)  # fmt: skip
def test_what_is_no_address_ends_the_process_with_a_sentence(monkeypatch, name, value):
    monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit) as ended:
        config.load()

    assert ended.value.code.startswith(f"{name} must be ")
    assert ended.value.code.endswith(f", not {value!r}.")


def test_a_password_is_not_shown(monkeypatch):
    monkeypatch.setenv("AMQP_URI", "ampq://guest:sec@ret@localhost")

    with pytest.raises(SystemExit, match=r"not '\*\*\*@localhost'\.$"):
        config.load()


def test_numbers_of_config_yml_itself_are_checked_as_well():
    loaded = config.load() | {"TOPIC_PARTITIONS": 8}
    config.check(loaded)
    assert loaded["TOPIC_PARTITIONS"] == 8

    with pytest.raises(SystemExit, match=r"^TOPIC_PARTITIONS must be .*, not 'True'"):
        config.check(loaded | {"TOPIC_PARTITIONS": True})


def test_the_limits_stay_within_what_the_client_and_the_stamps_can_do():
    # The client counts 88 bytes for a record and its batch.
    assert SETTINGS["MAX_SIZE"].most + SIZE + 88 <= config.load()["KAFKA_PRODUCER"]["max_request_size"]
    assert SETTINGS["MAX_MESSAGES"].most <= LARGEST_NUMBER


def test_a_run_within_both_limits_may_be_too_large_as_a_whole():
    limits = config.load()
    check_run(1_000_000, 1000, limits)
    check_run(1000, 1_000_000, limits)

    with pytest.raises(ValueError, match=r"times size must be at most 1000000000 .*, not 1001000000"):
        check_run(1_000_000, 1001, limits)
