"""nameko's standalone proxy, with a timeout on every wait, and a pool of such proxies.

A proxy belongs to one thread at a time, has no heartbeat and does not survive a restart of RabbitMQ. So each proxy is
tried before its use: it asks if the service runs. After any error it is discarded.
"""

import collections
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from amqp.exceptions import ChannelError
from kombu import Connection, Producer
from nameko.amqp.publish import Publisher, UndeliverableMessage
from nameko.exceptions import RpcTimeout
from nameko.rpc import MethodProxy, RpcReply
from nameko.standalone.rpc import PollingQueueConsumer, SingleThreadedReplyListener, StandaloneProxyBase

from api.rpc.connection import BROKEN, connect, count_instances, timed_out

ANSWER_SECONDS = 4
"""How long RabbitMQ may take to answer a question, or to take a call."""

IDLE_SECONDS = 60
"""An unused connection is closed after this many seconds."""

POLL_SECONDS = 0.1
"""The pause between two questions while a service comes back."""


class _NoReply:
    """Replaces nameko's listener for replies. RabbitMQ drops the reply, because no queue is bound to `nobody`."""

    routing_key = "nobody"

    def get_reply_event(self, correlation_id: str) -> None:
        return None


class _Publisher(Publisher):
    """Publishes over the channel that was tried just now. nameko's own publisher takes any connection of a pool."""

    def __init__(self, *arguments: Any, channel: Any, **options: Any):
        super().__init__(*arguments, **options)
        self._channel = channel

    def publish(self, payload: dict[str, Any], extra_headers: dict[str, Any], **options: Any) -> None:
        try:
            Producer(self._channel, serializer=self.serializer).publish(
                payload,
                headers=extra_headers,
                delivery_mode=self.delivery_mode,
                confirm_timeout=ANSWER_SECONDS,
                **options,
            )
        except ChannelError as error:
            raise UndeliverableMessage() if "NO_ROUTE" in str(error) else error from None


class _SendMethod(MethodProxy):
    publisher_cls = _Publisher


class _Replies(PollingQueueConsumer):
    """Has one timeout for the whole wait. nameko's own consumer waits again after the connection was lost."""

    def _setup_consumer(self) -> None:
        connect(self.connection, ANSWER_SECONDS)
        super()._setup_consumer()

    def get_message(self, correlation_id: str) -> None:
        deadline = time.monotonic() + self.timeout
        while correlation_id not in self.replies:
            try:
                self.connection.drain_events(timeout=max(deadline - time.monotonic(), 0.001))
            except TimeoutError:
                raise RpcTimeout(self.timeout) from None
        body, message = self.replies.pop(correlation_id)
        self.provider.handle_message(body, message)


class _ReplyListener(SingleThreadedReplyListener):
    def __init__(self, timeout: float):
        super().__init__(timeout)
        self.queue_consumer = _Replies(timeout)


class Proxy(StandaloneProxyBase):
    """A connection to RabbitMQ, with a queue for replies. Raises one of BROKEN if the connection is lost."""

    def __init__(self, amqp_uri: str, timeout: float):
        super().__init__({"AMQP_URI": amqp_uri}, timeout=timeout, reply_listener_cls=_ReplyListener)
        self.start()
        self._connection: Connection = self._reply_listener.queue_consumer.connection
        # The channel stays open. A new channel for each call would take three more round trips.
        self._channel = self._connection.channel()

    def call(self, service: str, *arguments: object, to_disk: bool, **named: object) -> RpcReply:
        """Call the service's `send`. Raises UnknownService if it has no queue."""
        method = self._method(service, self._reply_listener, delivery_mode=2 if to_disk else 1)
        return method.call_async(*arguments, **named)

    def queue(self, service: str, *arguments: object, **named: object) -> None:
        """Put a call of `send` into the service's queue. RabbitMQ stores the call on disk. Nobody gets the reply."""
        self._method(service, _NoReply()).call_async(*arguments, **named)

    def _method(self, service: str, listener: object, **options: object) -> MethodProxy:
        return _SendMethod(self._worker_ctx, service, "send", listener, channel=self._channel, **options)

    def is_running(self, service: str, wait_seconds: float = 0) -> bool:
        """Return True if an instance of the service takes calls now, or within `wait_seconds`."""
        deadline = time.monotonic() + wait_seconds
        while not (instances := count_instances(self._channel, service)) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        return instances > 0

    def discard(self) -> None:
        self._connection.collect(0.1)  # does not wait for RabbitMQ's answer


class ProxyPool:
    """Proxies for many threads. Use the pool only after a fork, because processes cannot share a connection."""

    def __init__(self, amqp_uri: str, timeout: int, clock: Callable[[], float] = time.monotonic):
        self.amqp_uri = amqp_uri
        self._clock = clock
        self.timeout = timeout
        """The timeout of a call, in seconds."""
        self._idle: collections.deque[tuple[Proxy, float]] = collections.deque()
        """Each proxy with the time of its last use. The proxy with the newest time is taken first."""

    @contextmanager
    def proxy(self, service: str) -> Iterator[tuple[Proxy, bool]]:
        """Yield a proxy that was tried just now, and True if the service runs. Raises one of BROKEN."""
        proxy, is_running = self._take(service)
        try:
            yield proxy, is_running
        except BaseException:
            proxy.discard()
            raise
        self._idle.append((proxy, self._clock()))

    def close_idle(self) -> None:
        """Close the connections that were not used for IDLE_SECONDS."""
        while True:
            try:
                proxy, used = self._idle.popleft()
            except IndexError:
                return
            if self._clock() - used < IDLE_SECONDS:
                self._idle.appendleft((proxy, used))
                return
            proxy.discard()

    def _take(self, service: str) -> tuple[Proxy, bool]:
        while True:
            try:
                proxy, is_new = self._idle.pop()[0], False
            except IndexError:
                proxy, is_new = Proxy(self.amqp_uri, self.timeout), True
            try:
                return proxy, proxy.is_running(service)
            except BROKEN as error:
                proxy.discard()
                if is_new or timed_out(error):  # other connections would fail too
                    raise
