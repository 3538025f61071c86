"""How a sender learns about claims, stops and failures of its runs while it sends. Kafka is in memory."""

import time
from uuid import uuid4

import pytest

from messaging.journal import claims as claims_module
from messaging.journal.claims import RECENT_MS, Claims
from messaging.journal.requests import PARTITION
from tests.unit.api_fakes import Records, asked, wait_until
from tests.unit.broker import Broker


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr("messaging.journal.tail.POLL_SECONDS", 0.01)


@pytest.fixture
def broker():
    return Broker()


@pytest.fixture
def claims(broker):
    claims = Claims(broker)
    yield claims
    claims.stop()
    wait_until(lambda: broker.readers == 0)


@pytest.fixture
def records():
    return Records(asked())


def milliseconds_ago(milliseconds: int) -> int:
    return time.time_ns() // 1_000_000 - milliseconds


def test_a_watched_run_has_its_claims_in_order_and_its_stop(broker, claims, records):
    claims.start()
    with claims.watched(records.request.run) as standing:
        for made in records.claim("one"), records.claim("two"), records.stop():
            broker.add(made)
        assert claims.catch_up(5)

    assert (standing.claims, standing.stopped) == (["one", "two"], True)


def test_a_failure_counts_only_if_no_claim_came_before_it(broker, claims):
    claims.start()
    early, late = Records(asked()), Records(asked())
    with claims.watched(early.request.run) as failed, claims.watched(late.request.run) as sent:
        for made in early.failed("first"), early.claim(), late.claim(), late.failed("too late"):
            broker.add(made)
        assert claims.catch_up(5)

    assert (failed.failed, sent.failed) == ("first", None)


def test_wait_for_claim_waits_until_the_claim_is_read_back(broker, claims, records):
    claims.start()
    with claims.watched(records.request.run) as standing:
        assert not claims.wait_for_claim(standing, "mine", 0.01)
        broker.add(records.claim("mine"))
        assert claims.wait_for_claim(standing, "mine", 5)


def test_a_watch_sees_only_records_of_its_run_that_arrive_during_the_watch(broker, claims, records):
    claims.start()
    broker.add(records.claim("before"))
    assert claims.catch_up(5)
    with claims.watched(records.request.run) as standing:
        broker.add(Records(asked()).claim("other"))
        assert claims.catch_up(5)
    broker.add(records.claim("after"))
    assert claims.catch_up(5)

    assert standing.claims == []


@pytest.mark.parametrize("end", ["stop", "failed"])
def test_a_run_that_was_ended_shortly_before_the_process_started_is_known(broker, claims, records, end):
    broker.add(getattr(records, end)())
    claims.start()
    assert claims.wait_until_reading(5)

    assert claims.is_ended(records.request.run)
    assert not claims.is_ended(uuid4())


def test_a_process_that_starts_does_not_read_old_records(broker, claims):
    for _ in range(1000):
        broker.add(Records(asked()).stop(), milliseconds_ago(RECENT_MS + 60_000))
    broker.add(Records(asked()).stop())
    claims.start()
    assert claims.catch_up(5)

    assert broker.reads[PARTITION] == 1


def test_of_the_runs_that_were_ended_only_the_newest_are_remembered(monkeypatch, broker, claims):
    monkeypatch.setattr(claims_module, "ENDED_KEPT", 10)
    ended = [Records(asked()) for _ in range(25)]
    for records in ended:
        broker.add(records.accepted())
        broker.add(records.stop())
        broker.add(records.stop())
    claims.start()
    assert claims.catch_up(5)

    assert [claims.is_ended(records.request.run) for records in ended] == [False] * 15 + [True] * 10


def test_records_of_unwatched_runs_are_not_decoded_unless_they_end_the_run(monkeypatch, broker, claims, records):
    decoded = []

    def decode(key, value, offset):
        decoded.append(offset)
        return original(key, value, offset)

    original = claims_module.decode
    monkeypatch.setattr(claims_module, "decode", decode)
    claims.start()
    with claims.watched(records.request.run):
        for _ in range(1000):
            other = Records(asked())
            broker.add(other.accepted())
            broker.add(other.queued())
            broker.add(other.claim())
        broker.add(records.claim())
        assert claims.catch_up(5)

    assert decoded == [3000]
