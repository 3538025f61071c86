"""Kafka killed and frozen, and its ZooKeeper killed."""

import time

import pytest

from tests.faults.trial import EXACTLY_ONCE
from tests.integration.processes import eventually, link


@pytest.mark.parametrize("seconds", [5, pytest.param(40, marks=pytest.mark.long)])
def test_kafka_killed(trial, seconds):
    """Kafka killed, back after {seconds} s"""
    kafka = trial.stack.brokers.kafka
    trial.start_both()
    with trial.fault():
        kafka.kill()
        time.sleep(seconds)
        kafka.start()
    trial.finish(("done", "failed"), 120)


@pytest.mark.parametrize("seconds", [15, pytest.param(60, marks=pytest.mark.long)])
def test_kafka_frozen(trial, seconds):
    """Kafka frozen for {seconds} s"""
    kafka = trial.stack.brokers.kafka
    trial.start_both()
    with trial.fault():
        kafka.suspend()
        began = time.monotonic()
        answer = trial.stack.get("/ping/1000/100")
        waited = time.monotonic() - began
        time.sleep(max(0, seconds - waited))
        kafka.resume()
    assert waited < 25
    assert answer.status_code == 504, answer.text  # the run has begun, and continues when Kafka does
    trial.follow(link(answer))
    # With exactly-once, a run that begins while Kafka is frozen may fail, with a reason, before it sends anything.
    trial.finish(("done", "failed") if EXACTLY_ONCE else ("done",), seconds=120)
    assert not trial.strangers, "the topics have messages of a run that no client knows"


def test_zookeeper_killed(trial):
    """ZooKeeper killed, back after more than 8 s"""
    zookeeper = trial.stack.brokers.zookeeper
    trial.start_both(times=3 if trial.long else 1)
    with trial.fault():
        zookeeper.kill()
        assert trial.stack.get("/ping/1000/100").status_code == 200  # new runs work too
        time.sleep(8)
        trial.start_both(times=3 if trial.long else 1)
        zookeeper.start()
    trial.finish()
    eventually(lambda: trial.stack.get("/readyz").status_code == 200)
