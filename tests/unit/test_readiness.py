"""Readiness: several probes share a check, and a broker that hangs does not block them."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from api import readiness
from api.readiness import Readiness

PROBES = 8


class Check:
    """The check of a broker. It ends when the test sets `may_end`."""

    def __init__(self, failing=None):
        self.started = 0
        self.begun = threading.Semaphore(0)
        self.may_end = threading.Event()
        self._failing = failing or {}

    def __call__(self):
        self.started += 1
        self.begun.release()
        assert self.may_end.wait(10)
        return self._failing


@pytest.fixture
def slow():
    check = Check()
    yield check
    check.may_end.set()


@pytest.fixture
def pool():
    with ThreadPoolExecutor(PROBES) as pool:
        yield pool


def test_the_api_is_ready_if_no_check_fails():
    assert Readiness({"rabbitmq": dict, "kafka": dict}).failing() == {}


def test_each_part_that_is_not_ready_is_named():
    checks = {"rabbitmq": lambda: {"ping": "ping is not running"}, "kafka": lambda: {"kafka": "Kafka is away"}}

    assert Readiness(checks).failing() == {"ping": "ping is not running", "kafka": "Kafka is away"}


def test_probes_at_the_same_time_are_all_answered(slow, pool):
    ready = Readiness({"rabbitmq": slow})
    first = pool.submit(ready.failing)
    assert slow.begun.acquire(timeout=5)
    others = [pool.submit(ready.failing) for _ in range(PROBES - 1)]
    slow.may_end.set()

    assert [answer.result(5) for answer in (first, *others)] == [{}] * PROBES


def test_a_new_check_starts_once_the_last_one_is_over(slow):
    slow.may_end.set()
    ready = Readiness({"rabbitmq": slow})
    for count in 1, 2, 3:
        ready.failing()
        assert slow.started == count


def test_a_hanging_broker_is_reported_in_time_and_probes_share_its_check(monkeypatch, slow, pool):
    monkeypatch.setattr(readiness, "CHECK_SECONDS", 0.5)
    ready = Readiness({"rabbitmq": slow, "kafka": dict})
    for failing in [ready.failing(), *pool.map(lambda _: ready.failing(), range(PROBES))]:
        assert list(failing) == ["rabbitmq"]
        assert "does not answer" in failing["rabbitmq"]

    assert slow.started == 1


def test_all_brokers_are_asked_at_the_same_time(pool):
    rabbitmq, kafka = Check(), Check({"kafka": "Kafka is away"})
    answer = pool.submit(Readiness({"rabbitmq": rabbitmq, "kafka": kafka}).failing)
    assert rabbitmq.begun.acquire(timeout=5)
    assert kafka.begun.acquire(timeout=5)
    rabbitmq.may_end.set()
    kafka.may_end.set()

    assert answer.result(5) == {"kafka": "Kafka is away"}
