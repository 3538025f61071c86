"""A request to stop ends the waits of a service."""

import time

from messaging.stopping import SLICE_SECONDS, STOP_SECONDS, StopRequest


def after(calls: int):
    """Return a condition that is true at call number `calls`, and a list. Each call adds its seconds to the list."""
    told = []

    def happens(seconds: float) -> bool:
        told.append(seconds)
        return len(told) == calls

    return happens, told


def test_a_wait_ends_when_its_condition_is_true():
    happens, told = after(3)

    assert StopRequest().wait(happens, 10)
    assert len(told) == 3
    assert max(told) <= SLICE_SECONDS


def test_a_wait_lasts_until_its_timeout():
    happens, told = after(1000)

    assert not StopRequest().wait(happens, 10.2)
    assert 10 < sum(told) < 10.3


def test_a_wait_without_time_checks_its_condition_once():
    happens, told = after(1)

    assert StopRequest().wait(happens, -1)
    assert len(told) == 1


def test_a_wait_ends_once_the_stop_is_overdue(monkeypatch):
    # Given a service that is told to stop while it waits
    stop, start = StopRequest(), time.monotonic()
    told = []

    def happens(seconds: float) -> bool:
        stop.ask()
        told.append(seconds)
        monkeypatch.setattr(time, "monotonic", lambda: start + sum(told))
        return False

    assert not stop.wait(happens, 100)
    assert STOP_SECONDS <= sum(told) <= STOP_SECONDS + 2 * SLICE_SECONDS
