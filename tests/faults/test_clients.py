"""Clients of the API that are slow, many, or gone in the middle."""

import socket
import time
from contextlib import ExitStack

REQUEST = b"GET /ping/10/10 HTTP/1.1\r\nHost: x\r\n"


def connect(stack, sent: bytes) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", stack.port), timeout=10)
    client.sendall(sent)
    return client


def test_a_thousand_connections(trial):
    """A thousand connections that say nothing, or half a request"""
    stack = trial.stack
    with ExitStack() as clients, trial.fault():
        for number in range(1000):
            clients.enter_context(connect(stack, REQUEST if number % 2 else b""))
        answers = []
        for _ in range(5):
            began = time.monotonic()
            answers.append((stack.get("/healthz").status_code, stack.get("/ping/10/10").status_code))
            assert time.monotonic() - began < 5
        trial.start_both()
    trial.finish()

    assert answers == [(200, 200)] * 5


def test_requests_cut_off(trial):
    """Requests cut off in the middle"""
    stack = trial.stack
    with trial.fault():
        trial.start_both()
        for _ in range(50):
            connect(stack, REQUEST).close()
            connect(stack, REQUEST + b"\r\n").close()  # carried out, and nobody there to hear of it
        for _ in range(5):
            connect(stack, b"GET /runs/x/events HTTP/1.1\r\nHost: x\r\n\r\n").close()
        assert stack.get("/ping/10/10").status_code == 200
    trial.finish()
    assert "Traceback" not in stack.api.log
