"""One owner: one instance at a time sends a run, also when RabbitMQ hands its call to another one meanwhile."""

import pytest

from tests.faults.pair import Pair, configure
from tests.integration.processes import eventually

MANY = 200_000
IN_FLIGHT = 10_000
"""The most messages that a sender may have under way, or acknowledged and not on record."""


@pytest.fixture
def pair(trial):
    """Two instances of ping, not started."""
    pair = Pair(trial.stack)
    yield pair
    pair.end()


@pytest.fixture
def rabbitmq(brokers):
    """RabbitMQ, which looks at its acknowledgement timeouts twice a second instead of every minute."""
    configure(brokers.rabbitmq, channel_tick_interval=500)
    yield brokers.rabbitmq
    configure(brokers.rabbitmq, channel_tick_interval=60_000)


def test_connections_closed(trial, pair):
    """RabbitMQ closes the connections of the sender, and another instance goes on"""
    pair.start()
    path = trial.start("ping", MANY)
    sender = pair.sender_of(path)
    with trial.fault():
        pair.close_connections(sender)
        eventually(lambda: len(pair.sent(path)) == 2, what="no other instance takes the run over")
    trial.finish()

    assert trial.duplicates <= IN_FLIGHT
    assert sender.running


def test_acknowledgement_timeout(trial, pair, rabbitmq):
    """RabbitMQ's acknowledgement timeout ends the call of a sender, and another instance goes on"""
    configure(rabbitmq, consumer_timeout=1000)
    pair.start()
    configure(rabbitmq, consumer_timeout=30 * 60_000)  # for the channels that open from now on
    path = trial.start("ping", MANY)
    sender = pair.sender_of(path)
    with trial.fault():
        eventually(lambda: len(pair.sent(path)) == 2, what="no other instance takes the run over")
    trial.finish()

    assert trial.duplicates <= IN_FLIGHT
    assert sender.running


def test_sender_frozen(trial, pair):
    """The sender is frozen, another instance goes on, and the sender wakes"""
    pair.start()
    path = trial.start("ping", MANY)
    sender = pair.sender_of(path)
    with trial.fault():
        sender.freeze()
        before = pair.sent(path)[sender.pid]
        pair.close_connections(sender)
        eventually(lambda: len(pair.sent(path)) == 2, what="no other instance takes the run over")
        sender.resume()
    trial.finish()

    assert trial.duplicates <= IN_FLIGHT
    assert pair.sent(path)[sender.pid] - before <= IN_FLIGHT
