"""A user has lowered the limit of topic `ping`, so Kafka refuses larger messages."""

import pytest

from tests.faults.commands import kafka_command
from tests.faults.trial import CONFLUENT, EXACTLY_ONCE

LIMIT = 60_000
"""In bytes. It is a limit for each batch, and clients put many messages into one."""


@pytest.fixture(scope="module", autouse=True)
def limit(brokers, _stack):
    """Topic `ping` with the limit, while this module runs."""
    _stack.wait_until_ready()  # so the topic exists
    change = "--alter", "--entity-type", "topics", "--entity-name", "ping"
    kafka_command(brokers, "kafka-configs", *change, "--add-config", f"max.message.bytes={LIMIT}")
    if CONFLUENT and not EXACTLY_ONCE:
        _stack.restart()  # librdkafka cannot split a batch under way, so its messages would come after later ones
    yield
    kafka_command(brokers, "kafka-configs", *change, "--delete-config", "max.message.bytes")


def test_messages_that_fit(trial):
    """Kafka takes smaller batches than are sent to it"""
    trial.start("ping", 10_000)
    trial.start("pong", 10_000)
    trial.finish()

    assert trial.duplicates == 0


def test_messages_that_do_not_fit(trial):
    """Kafka refuses messages for good"""
    stack = trial.stack
    trial.start_both()
    answers_refused = trial.start("ping", 50, 100_000)
    refused = trial.start("pong", 50, 100_000)
    trial.finish(("done", "failed"))

    states = [stack.get(path).json()["state"] for path in trial.paths]
    assert states == ["done", "done", "failed", "failed"]
    run = stack.get(answers_refused).json()
    assert "Kafka refused 50 messages at pong_answered" in run["reason"]
    assert {name: (stage["distinct"], stage["failed"]) for name, stage in run["stages"].items()} == {
        "sent": (50, 0),
        "pong_received": (50, 0),
        "pong_answered": (0, 50),
        "ping_received": (0, 0),
    }
    run = stack.get(refused).json()
    assert "Kafka acknowledged 0 of 50 messages: it does not take 100000 bytes" in run["reason"]
    sent = run["stages"]["sent"]
    assert (sent["distinct"], sent["missing"], sent["failed"] > 0) == (0, 50, True)
