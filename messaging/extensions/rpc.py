"""RPC over RabbitMQ: nameko's entrypoint, with a limit on calls and an orderly stop.

There are three differences from nameko's own. First, calls cannot take all workers, because the Kafka consumer needs
one. Second, when a service must stop, it finishes the calls that it has begun, and leaves all others in their queue.
(nameko closes the connection at once. RabbitMQ then gives the unfinished calls to another instance, which carries them
out again.) Third, every wait for RabbitMQ has a timeout: at start, for a reply, and when stopping.
"""

import logging
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import nameko.messaging
import nameko.rpc
from amqp.exceptions import AccessRefused, AMQPError, MessageNacked
from eventlet import Timeout
from kombu import Connection, Message
from kombu.exceptions import OperationalError
from nameko.extensions import ProviderCollector
from nameko.utils import sanitize_url

from messaging.extensions.starting import STARTUP_SECONDS
from messaging.extensions.stopping import Stopping
from messaging.runs.outcome import CallAgain, Superseded

log = logging.getLogger(__name__)

CALLS_AT_ONCE = 8
"""Calls take at most this many of nameko's 10 workers. Other calls wait in RabbitMQ for a free instance."""

RETRY_SECONDS = 1
"""The pause between two attempts to connect, and before a call goes back into its queue."""

SUPERSEDED_SECONDS = 10
"""The pause before a call goes back if another instance sends its run now. Most runs are over by then."""

REDELIVERED = "redelivered"
"""The key in a worker's context data. Its value is True if RabbitMQ may have delivered the call twice."""


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
        with self.create_connection() as connection:
            # By default, kombu's pauses grow to 30 s. Then it may connect half a minute after RabbitMQ is back.
            try:
                connection.ensure_connection(self.on_connection_error, None, RETRY_SECONDS, 0, RETRY_SECONDS)
            except AccessRefused as error:
                log.critical("RabbitMQ refuses the user or password of AMQP_URI: %s", error.reply_text)
                raise SystemExit(1) from None
            yield connection

    def run(self) -> None:
        try:
            super().run()
        except _Stopped:
            log.info("stopped without waiting any longer for calls or RabbitMQ")

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
        """Return False if the call has ended, or if RabbitMQ has taken it back because the connection was lost."""
        return message in self._unanswered

    def ack_message(self, message: Message) -> None:
        super().ack_message(message)
        self._unanswered.discard(message)

    def requeue_message(self, message: Message) -> None:
        super().requeue_message(message)
        self._unanswered.discard(message)

    def leave_message(self, message: Message) -> None:
        """Leave a call to the next instance. It goes back into its queue when the connection closes.

        If it were requeued now, RabbitMQ would deliver it to this instance again.
        """
        self._unanswered.discard(message)

    def on_iteration(self) -> None:
        if self.stopping.asked:
            for provider in self._providers:
                provider.leave_waiting_calls()
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


class RpcConsumer(nameko.rpc.RpcConsumer):
    """Carries out at most CALLS_AT_ONCE calls at the same time. All other calls wait.

    This limit also applies to calls that RabbitMQ delivers again after a lost connection.
    """

    stopping = Stopping()
    queue_consumer = QueueConsumer()

    def __init__(self) -> None:
        super().__init__()
        self._running = 0
        self._waiting: deque[tuple[Any, Message]] = deque()

    def handle_message(self, body: Any, message: Message) -> None:
        if self._running >= CALLS_AT_ONCE:
            # If the connection is lost while the call waits, another instance may get it too. Mark it as redelivered.
            message.delivery_info["redelivered"] = True
        self._waiting.append((body, message))
        self._begin_calls()

    def _begin_calls(self) -> None:
        while self._waiting and self._running < CALLS_AT_ONCE and not self.stopping.asked:
            self._running += 1
            super().handle_message(*self._waiting.popleft())

    def leave_waiting_calls(self) -> None:
        """Leave the waiting calls to other instances.

        During a stop, nameko would reply "no such method" to each waiting call.
        """
        while self._waiting:
            self.queue_consumer.leave_message(self._waiting.popleft()[1])

    def ended(self) -> None:
        """Note that a call has ended. Begin one that waits."""
        self._running -= 1
        self._begin_calls()

    def handle_result(self, message: Message, result: Any, exc_info: Any) -> Any:
        try:
            return self._reply(message, result, exc_info)
        finally:
            self.ended()

    def _reply(self, message: Message, result: Any, exc_info: Any) -> Any:
        try:
            # RabbitMQ may be frozen, or take no messages. So wait no longer than a stop may take.
            with Timeout(self.stopping.left):
                return super().handle_result(message, result, exc_info)
        except (OSError, AMQPError, OperationalError, MessageNacked, Timeout) as error:  # nameko would end the service
            log.warning("a reply was lost because of RabbitMQ: %s", error)
            self.queue_consumer.ack_message(message)
            return result, exc_info


class Rpc(nameko.rpc.Rpc):
    """nameko's `rpc`, with the three differences at the top of this file."""

    stopping = Stopping()
    rpc_consumer = RpcConsumer()

    def stop(self) -> None:
        self.stopping.ask()
        super().stop()

    def handle_result(self, message: Message, worker_ctx: Any, result: Any, exc_info: Any) -> Any:
        error = exc_info[1] if exc_info else None
        if not isinstance(error, CallAgain | Superseded):
            return super().handle_result(message, worker_ctx, result, exc_info)
        try:
            self._give_away(message, error)
        finally:
            self.rpc_consumer.ended()
        return result, exc_info

    def _give_away(self, message: Message, error: Exception) -> None:
        """End the call here without a reply. It goes back into its queue.

        The call must go back even if another instance sends the run. If that instance has lost its connection to
        RabbitMQ, it has lost its call too. If it then fails, only this call can continue the run.
        """
        queue = self.rpc_consumer.queue_consumer
        put_back_at = time.monotonic() + (SUPERSEDED_SECONDS if isinstance(error, Superseded) else RETRY_SECONDS)
        while queue.holds(message) and not self.stopping.asked and time.monotonic() < put_back_at:
            time.sleep(0.1)
        if self.stopping.asked:
            queue.leave_message(message)
        else:
            queue.requeue_message(message)

    def unpack_message_headers(self, message: Message) -> dict[str, Any]:
        return {**super().unpack_message_headers(message), REDELIVERED: bool(message.delivery_info.get("redelivered"))}


rpc = Rpc.decorator
