"""kafka-python's options, translated for librdkafka."""

from messaging import settings
from messaging.clients.confluent.options import consumer_options, producer_options


def test_only_the_options_in_the_table_are_translated():
    made = producer_options({"batch_size": 5, "max_request_size": 7, "retries": 1000, "buffer_memory": 1})

    assert made["batch.size"] == 5
    assert made["message.max.bytes"] == 7
    assert not [name for name in made if "." not in name and name not in ("acks", "log_level")]


def test_options_with_librdkafka_s_own_names_override_translated_ones():
    assert producer_options({"linger_ms": 5, "linger.ms": 7, "queue.buffering.backpressure.threshold": 2}).items() >= {
        "linger.ms": 7, "queue.buffering.backpressure.threshold": 2
    }.items()  # fmt: skip


def test_a_producer_is_idempotent_and_a_consumer_commits_nothing_by_itself():
    assert producer_options({"acks": 0, "max_in_flight_requests_per_connection": 1})["enable.idempotence"] is True
    assert producer_options({"acks": 0})["acks"] == "all"
    assert consumer_options({"enable_auto_commit": True})["enable.auto.commit"] is False


def test_the_session_timeout_is_at_most_max_poll_interval():
    assert consumer_options({"max_poll_interval_ms": 6000})["session.timeout.ms"] == 6000
    assert consumer_options({"max_poll_interval_ms": "60000"})["session.timeout.ms"] == 10_000


def test_the_session_timeout_and_the_poll_interval_are_at_least_6_s():
    made = consumer_options({"max_poll_interval_ms": 3000, "session_timeout_ms": 1000})

    assert (made["session.timeout.ms"], made["max.poll.interval.ms"]) == (6000, 6000)


def test_the_options_of_config_yml_are_translated():
    loaded = settings.load().kafka

    assert consumer_options(loaded.consumer).items() >= {
        "auto.offset.reset": "earliest", "max.poll.interval.ms": 30_000, "reconnect.backoff.max.ms": 1000
    }.items()  # fmt: skip
    assert producer_options(loaded.producer).items() >= {
        "message.timeout.ms": 120_000, "message.max.bytes": 2_097_152, "batch.size": 131_072
    }.items()  # fmt: skip
