"""A user has lowered the size limit of topic `ping`. Kafka refuses everything that is larger."""

import pytest

from tests.faults.commands import kafka_command
from tests.faults.trial import CONFLUENT, EXACTLY_ONCE

LIMIT = 60_000
"""In bytes. Kafka applies it to each batch of a producer, and such a batch has many messages."""


@pytest.fixture(scope="module", autouse=True)
def limit(brokers, _stack):
    """Topic `ping` has the limit while the tests of this module run."""
    _stack.heal()  # starts what the previous test has stopped. Then the topic exists.
    change = "--alter", "--entity-type", "topics", "--entity-name", "ping"
    kafka_command(brokers, "kafka-configs", *change, "--add-config", f"max.message.bytes={LIMIT}")
    if CONFLUENT and not EXACTLY_ONCE:
        # The running services remember the old limit. If Kafka refused a batch, they would send its messages again,
        # in another order. Services that start now ask Kafka for the new limit.
        _stack.restart()
    yield
    kafka_command(brokers, "kafka-configs", *change, "--delete-config", "max.message.bytes")


def test_messages_that_fit(trial):
    """Kafka's limit is smaller than the usual batch"""
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
    assert "Kafka refused messages at pong_answered: 50" in run["reason"]
    assert {name: (stage["distinct"], stage["failed"]) for name, stage in run["stages"].items()} == {
        "sent": (50, 0),
        "pong_received": (50, 0),
        "pong_answered": (0, 50),
        "ping_received": (0, 0),
    }
    run = stack.get(refused).json()
    assert "Kafka acknowledged 0 of 50 messages: it does not take messages of 100000 bytes" in run["reason"]
    sent = run["stages"]["sent"]
    assert (sent["distinct"], sent["missing"], sent["failed"] > 0) == (0, 50, True)
