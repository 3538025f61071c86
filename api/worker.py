"""Gunicorn's worker with threads, changed so that slow or silent clients occupy no thread.

Gunicorn 27 gives a new connection to a thread, and the thread waits for the request. If a thousand connections send
only half a request, they block all other connections. In this worker, the main loop reads the head of each request. A
thread gets the request when the head is complete. No thread waits for a body, because the API refuses requests with a
body. The main loop also closes connections, and does not block until the client closes its side. (This worker serves
HTTP/1 without TLS. For TLS or HTTP/2, put a proxy in front of the API.)
"""

import errno
import selectors
import socket
import struct
import time
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any

from gunicorn import http, util
from gunicorn.http.body import LengthReader
from gunicorn.http.message import Request
from gunicorn.workers.gthread import TConn, ThreadWorker

HEAD_SECONDS = 10
"""How long a client may take to send the head of a request."""

HEAD_BYTES = 64 * 1024

STALL_SECONDS = 10
"""How long a thread waits for its client to send or receive data, in seconds."""

CLOSE_SECONDS = 2
"""How long a client may take to close its side after the last response."""


class Connection(TConn):
    def close(self, graceful: bool = False) -> None:
        """Close the connection, if it is open."""
        if self.sock.fileno() != -1:
            super().close(graceful)


class Worker(ThreadWorker):
    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self._closing: deque[Connection] = deque()
        """Connections that wait until the client closes its side, ordered by their timeouts."""

    def accept(self, listener: socket.socket) -> None:
        try:
            client, address = listener.accept()
        except OSError as error:  # another worker was faster, or the client is gone, or no more files may be opened
            if error.errno in (errno.EMFILE, errno.ENFILE):
                # Another connection may close during this pause.
                # Gunicorn's own `accept` would raise the error, and the worker would exit.
                time.sleep(0.05)
            return
        for option in socket.SO_RCVTIMEO, socket.SO_SNDTIMEO:
            client.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", STALL_SECONDS, 0))
        self.nr_conns += 1
        self._await_head(Connection(self.cfg, client, address, listener.getsockname()))

    def on_client_socket_readable(self, connection: Connection, client: socket.socket) -> None:
        """Read the next request of a connection that was kept open."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(connection)
        self._await_head(connection)

    def enqueue_req(self, connection: Connection) -> None:
        """Give a connection to a thread when the head of the next request is complete.

        Gunicorn may already have read a part of this head.
        """
        head = connection.parser.unreader.take_buffered()
        if b"\r\n\r\n" in head:
            connection.parser.unreader.unread(head)
            super().enqueue_req(connection)
        else:
            connection.sock.setblocking(False)
            self._await_head(connection, head)

    def handle_request(self, request: Request, connection: Connection) -> object:
        """Serve a request in a thread. If the request has a body, close the connection: nobody reads the body."""
        reader = request.body.reader
        if not isinstance(reader, LengthReader) or reader.length:
            request.force_close()
            request._expected_100_continue = False  # do not ask for the body
        return super().handle_request(request, connection)

    def finish_request(self, connection: Connection, served: "Future[object]") -> None:
        """Keep or close a connection that a thread has served.

        To close a connection, gunicorn's own method would wait for the client and block the main loop.
        """
        if served.cancelled() or served.exception() or served.result():
            super().finish_request(connection, served)
        else:
            self._close(connection)

    def murder_pending(self) -> None:
        """Close the connections whose time is up."""
        super().murder_pending()
        while self._closing and self._closing[0].timeout < time.monotonic():
            self._closed(self._closing[0])

    def _await_head(self, connection: Connection, head: bytes = b"") -> None:
        connection.timeout = time.monotonic() + HEAD_SECONDS  # gunicorn closes the connection at this time
        self.pending_conns.append(connection)
        self.poller.register(connection.sock, selectors.EVENT_READ, partial(self._receive, connection, bytearray(head)))

    def _receive(self, connection: Connection, head: bytearray, client: socket.socket) -> None:
        try:
            received = client.recv(HEAD_BYTES)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        head += received
        complete = b"\r\n\r\n" in head
        if received and not complete and len(head) <= HEAD_BYTES:
            return
        self.poller.unregister(client)
        self.pending_conns.remove(connection)
        if received and complete:
            connection.parser = connection.parser or http.get_parser(self.cfg, client, connection.client)
            connection.parser.unreader.unread(bytes(head))
            connection.data_ready = True
            super().enqueue_req(connection)
            return
        if received:
            with suppress(OSError):
                util.write_error(client, 431, "Request Header Fields Too Large", f"More than {HEAD_BYTES} bytes.")
        self._close(connection)

    def _close(self, connection: Connection) -> None:
        """Close the server's side now, and the whole connection later.

        The worker waits until the client closes its side too, but at most CLOSE_SECONDS. Without this wait, the client
        could lose the response.
        """
        connection.timeout = time.monotonic() + CLOSE_SECONDS
        self._closing.append(connection)
        try:
            connection.sock.shutdown(socket.SHUT_WR)
            connection.sock.setblocking(False)
            self.poller.register(connection.sock, selectors.EVENT_READ, partial(self._drain, connection))
        except (OSError, ValueError):  # the client has gone, or gunicorn has closed the connection after an error
            self._closed(connection)

    def _drain(self, connection: Connection, client: socket.socket) -> None:
        """Discard what a client still sends."""
        try:
            received = client.recv(HEAD_BYTES)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            self._closed(connection)

    def _closed(self, connection: Connection) -> None:
        self._closing.remove(connection)
        with suppress(OSError, KeyError, ValueError):
            self.poller.unregister(connection.sock)
        self.nr_conns -= 1
        connection.close()

    def _cap_keepalive(self, deadline: float) -> None:
        """Limit the waits for heads to the deadline. Gunicorn calls this when the worker stops."""
        super()._cap_keepalive(deadline)
        for connection in self.pending_conns:
            connection.timeout = min(connection.timeout, deadline)
