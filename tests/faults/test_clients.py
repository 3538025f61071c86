"""Clients of the API that are slow or many, or that leave in the middle of a request."""

import resource
import socket
import struct
import time
from contextlib import ExitStack

REQUEST = b"GET /ping/10/10 HTTP/1.1\r\nHost: localhost\r\n"


ALIVE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
BODY = REQUEST + b"Content-Length: 1000000\r\n\r\n"
SAID = b"", REQUEST, ALIVE + REQUEST, ALIVE.replace(b"1.1", b"1.0"), BODY
RESET = struct.pack("ii", 1, 0)


def connect(stack, sent: bytes) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", stack.port), timeout=10)
    client.sendall(sent)
    return client


def test_a_thousand_connections(trial):
    """A thousand open connections: each sends nothing, half a request or a whole one"""
    stack = trial.stack
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # this process needs an open file for each connection too
    with ExitStack() as clients, trial.fault():
        for number in range(1000):
            clients.enter_context(connect(stack, SAID[number % len(SAID)]))
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
            connect(stack, REQUEST + b"\r\n").close()  # complete, so the run is carried out without its client
            with connect(stack, REQUEST + b"x" * 100_000) as client:  # the head of this request is too large
                # With this option, the client resets the connection at the end of the block.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        for _ in range(5):
            connect(stack, b"GET /runs/x/events HTTP/1.1\r\nHost: localhost\r\n\r\n").close()
        assert stack.get("/ping/10/10").status_code == 200
    trial.finish()
    assert "Traceback" not in stack.api.log
    assert "Exception in worker process" not in stack.api.log
