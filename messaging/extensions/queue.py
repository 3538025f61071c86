"""The connection that consumes calls from RabbitMQ. At a stop, it stays open until each call in work is finished."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import nameko.messaging
from amqp.exceptions import AccessRefused, NotAllowed
from eventlet import Timeout
from kombu import Connection, Message
from nameko.extensions import ProviderCollector
from nameko.utils import sanitize_url

from messaging.extensions.starting import STARTUP_SECONDS
from messaging.extensions.stopping import Stopping

log = logging.getLogger(__name__)

CALLS_AT_ONCE = 8
"""Calls take at most this many of nameko's 10 workers. Other calls wait in RabbitMQ for a free instance."""

RETRY_SECONDS = 1
"""The pause between two attempts to connect, and before a call goes back into its queue after `CallAgain`."""


class _Stopped(Exception):
    """Ends the greenthread that consumes calls. It is raised there when the time for a stop is over."""


class QueueConsumer(nameko.messaging.QueueConsumer):
    """Consumes calls. At a stop, stays connected until each call that has begun is finished."""

    stopping = Stopping()
    prefetch_count = CALLS_AT_ONCE

    def __init__(self) -> None:
        super().__init__()
        self._unanswered: set[Message] = set()
        self._waiting_since: float | None = time.monotonic()

    def start(self) -> None:
        if not self.stopping.asked:
            super().start()

    @contextmanager
    def establish_connection(self) -> Iterator[Connection]:
        try:
            with self.create_connection() as connection:
                # By default, kombu's pauses grow to 30 s. Then it may connect half a minute after RabbitMQ is back.
                connection.ensure_connection(self.on_connection_error, None, RETRY_SECONDS, 0, RETRY_SECONDS)
                yield connection
        except (AccessRefused, NotAllowed) as error:
            log.critical(
                "RabbitMQ refuses the user, password, virtual host or a permission of AMQP_URI: %s", error.reply_text
            )
            raise SystemExit(1) from None

    def run(self) -> None:
        try:
            super().run()
        except _Stopped:
            log.info("stopped without waiting any longer for calls or RabbitMQ")
            if not self._consumers_ready.ready():
                self._consumers_ready.send(None)  # otherwise the start would wait for RabbitMQ for ever

    def stop(self) -> None:
        """Wait until each call is finished and the connection is closed. The wait has a timeout."""
        if self._gt is None:
            return
        with Timeout(self.stopping.left, False):
            self._gt.wait()
            return
        self._gt.kill(_Stopped())

    def unregister_provider(self, provider: Any) -> None:
        # nameko's own method waits for a step of nameko's `on_iteration`, which is replaced below.
        ProviderCollector.unregister_provider(self, provider)

    def handle_message(self, provider: Any, body: Any, message: Message) -> None:
        self._unanswered.add(message)
        super().handle_message(provider, body, message)

    def holds(self, message: Message) -> bool:
        """Return False if the call has ended, or if RabbitMQ has taken it back because its connection was lost."""
        return message in self._unanswered

    def ack_message(self, message: Message) -> None:
        with suppress(OSError):  # the connection is lost: RabbitMQ has taken the call back
            super().ack_message(message)
        self._unanswered.discard(message)

    def requeue_message(self, message: Message) -> None:
        with suppress(OSError):  # as above
            super().requeue_message(message)
        self._unanswered.discard(message)

    def leave_message(self, message: Message) -> None:
        """Leave a call to the next instance. It goes back into its queue when the connection closes.

        If it were requeued now, RabbitMQ would deliver it to this instance again.
        """
        self._unanswered.discard(message)

    def on_iteration(self) -> None:
        if self.stopping.asked:
            while self._consumers:
                self._consumers.popitem()[1].cancel()
            if not self._unanswered:
                self.should_stop = True

    def on_consume_ready(self, connection: Any, channel: Any, consumers: Any, **kwargs: Any) -> None:
        super().on_consume_ready(connection, channel, consumers, **kwargs)
        for provider in self._providers:
            provider.leave_waiting_calls()
        self._unanswered.clear()  # RabbitMQ has taken back the calls of an earlier connection
        self._waiting_since = None

    def on_connection_error(self, exc: Exception, interval: float) -> None:
        if self._waiting_since is None:  # it was connected before
            log.warning("lost RabbitMQ, trying again in %d s: %s", interval, exc)
            return
        waited = time.monotonic() - self._waiting_since
        log.warning(
            "waiting for RabbitMQ at %s (%.0f of %d s): %s",
            sanitize_url(self.amqp_uri), waited, STARTUP_SECONDS, exc,
        )  # fmt: skip
        if waited > STARTUP_SECONDS:
            raise exc
