"""One owner: only one instance at a time sends a run, even if RabbitMQ gives the call to a second one meanwhile."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.pair import Pair, configure
from tests.integration.processes import eventually

IN_FLIGHT = 10_000
"""At most this many messages of a sender may be under way, or acknowledged but not on record."""

RATE = 8_000
"""In messages per second."""

MESSAGES = 20 * RATE
"""A run lasts 20 s. `rabbitmqctl` takes half of that on a busy machine."""


@pytest.fixture
def pair(trial):
    """Two instances of ping, not started yet."""
    pair = Pair(trial.stack)
    yield pair
    pair.end()


@pytest.fixture
def rabbitmq(brokers):
    """RabbitMQ, which checks its acknowledgement timeouts twice a second instead of once a minute."""
    configure(brokers.rabbitmq, channel_tick_interval=500)
    yield brokers.rabbitmq
    configure(brokers.rabbitmq, channel_tick_interval=60_000)


def test_connections_closed(trial, pair):
    """RabbitMQ closes the connections of the sender"""
    pair.start()
    path = trial.start("ping", MESSAGES, rate=RATE)
    sender = pair.sender_of(path)
    with trial.fault():
        pair.close_connections(sender)
        eventually(lambda: len(pair.sent(path)) == 2, what="no other instance takes the run over")
    trial.finish()

    assert trial.duplicates <= IN_FLIGHT
    assert sender.running


def test_acknowledgement_timeout(trial, pair, rabbitmq):
    """RabbitMQ's acknowledgement timeout ends a long call"""
    configure(rabbitmq, consumer_timeout=1000)
    pair.start()
    # The open channels keep the timeout of 1 s. Channels that open later get RabbitMQ's default.
    configure(rabbitmq, consumer_timeout=30 * 60_000)
    path = trial.start("ping", MESSAGES, rate=RATE)
    sender = pair.sender_of(path)
    with trial.fault():
        eventually(lambda: len(pair.sent(path)) == 2, what="no other instance takes the run over")
    trial.finish()

    assert trial.duplicates <= IN_FLIGHT
    assert sender.running


def test_sender_frozen(trial, pair):
    """The sender frozen, and woken after another took over"""
    pair.start()
    path = trial.start("ping", 3 * trial.messages)
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


@pytest.mark.long
def test_ping_continues_an_old_run_after_many_newer_ones(trial):
    """ping killed, and back after 1,100 newer runs"""
    stack = trial.stack
    stack.api.terminate()
    # With its usual limits, the API could refuse some of the runs, or forget the first ones before the test ends.
    stack.port, stack.api = stack.start_api(RUNS_KEPT="5000", RUNS_PENDING="5000")
    stack.wait_until_ready()
    half_sent = trial.start("ping", 3 * trial.messages)
    eventually(lambda: trial.run(half_sent)["stages"]["sent"]["messages"] > 20_000)
    with trial.fault():
        stack.ping.kill()
        stopped = trial.start("ping", 1000)
        assert stack.request("DELETE", stopped).status_code == 202
        with ThreadPoolExecutor(8) as pool:
            newer = list(pool.map(lambda _: stack.request("POST", "/pong/1/10"), range(1100)))
        stack.ping = stack.start_service("ping")
    trial.finish(("done", "stopped"))
    run = trial.run(stopped)
    last = newer[-1].headers["Location"]
    eventually(lambda: trial.run(last)["state"] == "done", 300, "the last of 1,100 runs is not done")
    stack.api.terminate()  # the next test gets an API with the usual settings

    assert {answer.status_code for answer in newer} == {202}
    assert trial.duplicates <= IN_FLIGHT
    assert (run["state"], run["stages"]["sent"]["messages"]) == ("stopped", 0)
