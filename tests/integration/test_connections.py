"""How the API's server treats the connections of its clients. This needs no brokers."""

import socket
import time
from contextlib import ExitStack

import pytest

from local.ports import free_port
from local.services import API, api_address, environment
from tests.integration.processes import LoggedProcess, eventually

NOBODY = {"AMQP_URI": "amqp://127.0.0.1:1", "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
ALIVE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
LENGTH = b"Content-Length: 1000000"
CHUNKED = b"Transfer-Encoding: chunked"
THREADS = 2 * 128
"""The threads of both processes of the API."""


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    """The port of an API that reaches no brokers."""
    port = free_port()
    log = tmp_path_factory.mktemp("api") / "log"
    process = LoggedProcess(API, environment(NOBODY | api_address(port)), log)
    try:
        eventually(lambda: ask(port, ALIVE).startswith(b"HTTP/1.1 200"))
        yield port
    finally:
        process.end()


def connect(port: int, sent: bytes) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.sendall(sent)
    return client


def ask(port: int, request: bytes) -> bytes:
    """Return everything that the server sends until the body of /healthz arrives or the connection ends."""
    with connect(port, request) as client:
        return read(client)


def is_closed_by_server(client: socket.socket) -> bool:
    try:
        client.send(b"x")
    except ConnectionError:
        return True
    return False


def read(client: socket.socket) -> bytes:
    received = b""
    while b"alive" not in received and (more := client.recv(65536)):
        received += more
    return received


def post(*headers: bytes) -> bytes:
    return b"\r\n".join([b"POST /ping/10/10 HTTP/1.1", b"Host: localhost", *headers, b"", b""])


@pytest.mark.parametrize("body", [LENGTH, CHUNKED], ids=["long", "chunked"])
@pytest.mark.parametrize("expect", [[], [b"Expect: 100-continue"]], ids=["", "expect"])
def test_a_request_with_a_body_is_refused_before_its_body_comes(port, body, expect):
    head, _, problem = ask(port, post(body, *expect)).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in head.lower()
    assert b'"status": 413' in problem


def test_a_request_with_an_empty_body_is_like_one_without_a_body(port):
    answers = ask(port, ALIVE[:-2] + b"Content-Length: 0\r\n\r\n")

    assert answers.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" not in answers.lower()


def test_a_client_gets_the_response_even_if_it_sends_the_whole_body_first(port):
    assert ask(port, post(LENGTH) + b"x" * 1_000_000).startswith(b"HTTP/1.1 413 ")


def test_bodies_that_never_come_block_no_threads(port):
    with ExitStack() as clients:
        silent = [clients.enter_context(connect(port, post((LENGTH, CHUNKED)[n % 2]))) for n in range(3 * THREADS)]
        began = time.monotonic()
        alive = ask(port, ALIVE)
        seconds = time.monotonic() - began
        answers = {read(client)[:13] for client in silent}

    assert alive.startswith(b"HTTP/1.1 200 ")
    assert seconds < 10
    assert answers == {b"HTTP/1.1 413 "}


def test_the_server_closes_a_connection_that_its_client_does_not_close(port):
    with connect(port, ALIVE[:-2] + b"Connection: close\r\n\r\n") as client:
        assert b"alive" in read(client)
        assert client.recv(1) == b""
        eventually(lambda: is_closed_by_server(client))
