"""Blocking calls in native threads, and eventlet's select(), which can wake a greenthread too early."""

import gc
import socket
import time
import weakref
from contextlib import suppress

import eventlet
import pytest
from eventlet import tpool
from eventlet.green import select

from local.waiting import wait_until
from messaging.extensions.starting import in_a_thread


@pytest.fixture
def woken_too_early():
    """Return a function. It makes a call in a greenthread that eventlet wakes too early, and returns its result."""
    pairs = [socket.socketpair() for _ in range(2)]
    for sender, _ in pairs:
        sender.send(b"1")

    def after_select(call):
        # This ends at the first ready socket. The second socket wakes the greenthread again, during the call.
        select.select([receiver for _, receiver in pairs], [], [])
        return call()

    # Without this line, the call would run setup(), and the early wake-up would end a wait in setup(). In these tests,
    # the early wake-up must end the wait for the result.
    tpool.setup()
    yield lambda call: eventlet.spawn(after_select, call).wait()
    tpool.killall()
    for one in (one for pair in pairs for one in pair):
        one.close()


def test_the_result_of_a_call_is_awaited_even_if_eventlet_wakes_its_greenthread_too_early(woken_too_early):
    assert woken_too_early(lambda: in_a_thread(lambda: time.sleep(0.1) or "result")) == "result"


def test_after_an_error_the_client_is_freed_without_the_garbage_collector():
    class Client:
        def connect(self):
            raise ValueError("no answer")

    client = Client()
    left = weakref.ref(client)
    gc.disable()
    try:
        with suppress(ValueError):
            in_a_thread(client.connect)
        del client
        wait_until(lambda: left() is None, 5)
        assert left() is None
    finally:
        gc.enable()
        tpool.killall()


def test_the_error_of_a_call_is_raised_even_if_eventlet_wakes_its_greenthread_too_early(woken_too_early):
    def fail():
        time.sleep(0.1)
        raise ValueError("failed")

    with pytest.raises(ValueError, match="failed"):
        woken_too_early(lambda: in_a_thread(fail))
