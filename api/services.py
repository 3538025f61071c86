"""The nameko services as the API sees them: calls over RabbitMQ, through a pool of nameko's standalone proxies.

A proxy belongs to one thread at a time, has no heartbeat and does not survive a restart of RabbitMQ. So a proxy is
tried before it is used, by the question whether the service runs at all, and is thrown away after any error. No wait is
without a bound, also where RabbitMQ keeps its connections and says nothing.
"""

import collections
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from amqp.exceptions import AMQPError, ChannelError, NotFound
from kombu import Connection, Producer
from kombu.exceptions import OperationalError
from nameko.amqp.publish import Publisher, UndeliverableMessage
from nameko.exceptions import RemoteError, RpcTimeout, UnknownService
from nameko.rpc import RPC_QUEUE_TEMPLATE, MethodProxy, RpcReply
from nameko.standalone.rpc import PollingQueueConsumer, SingleThreadedReplyListener, StandaloneProxyBase
from nameko.utils import sanitize_url

from api.problems import Problem

log = logging.getLogger(__name__)

BROKEN = (OSError, AMQPError, OperationalError)
"""What a connection to RabbitMQ raises that cannot be made, or is no longer there."""

ANSWER_SECONDS = 4
"""How long RabbitMQ may take for what it answers by itself, at once; and to take a call."""

COMING_SECONDS = 3.5
"""How long a service may take to come back after RabbitMQ has, or while it is started anew."""


class NotTaken(Problem):
    """503: RabbitMQ did not say that it has taken a call, so the service may get it yet."""


class Services:
    """Calls ping and pong. Safe to be used by many threads; make it anew after a fork, or before its first use."""

    def __init__(self, config: dict):
        self._config = config
        self._timeout = config["REQUEST_TIMEOUT"]
        self._idle: collections.deque[_Proxy] = collections.deque()  # last in, first out: few stay in use

    @contextmanager
    def connected(self, service: str) -> Iterator[Callable[..., dict]]:
        """A function that calls the service's `send` and returns its five figures.

        Raises Problem: 503 if RabbitMQ or the service is not there or failed, 504 if it has not answered within
        REQUEST_TIMEOUT seconds.
        """
        with self._proxy(service) as (proxy, running):
            if not running and not proxy.wait_for(service, COMING_SECONDS):
                raise not_running(service)
            yield lambda *numbers, run_id: self._call(proxy, service, *numbers, run_id=run_id)

    def queue(self, service: str, num_messages: int, size: int, run_id: str) -> None:
        """Put a call of the service's `send` into its queue, on disk, for whenever it runs. Raises Problem 503."""
        with self._proxy(service) as (proxy, _):
            self._publish(proxy.send_method(service, _NoReply()), num_messages, size, run_id=run_id, queued=True)

    def _call(self, proxy: "_Proxy", service: str, *numbers: int, run_id: str) -> dict:
        # Not to disk: the caller waits, and asks again if RabbitMQ restarts.
        reply = self._publish(proxy.send_method(service, delivery_mode=1), *numbers, run_id=run_id)
        try:
            return reply.result()
        except BROKEN as error:
            raise Problem(
                503,
                f"The connection to RabbitMQ was lost while {service} was sending ({_say(error)}). What has begun goes"
                " on: see its link.",
            ) from None

    def _publish(self, method: MethodProxy, *numbers: int, **options) -> RpcReply:
        try:
            return method.call_async(*numbers, **options)
        except BROKEN as error:
            raise NotTaken(
                503,
                f"RabbitMQ did not take the call ({_say(error)}), so nothing is sent. Is it running, and not short of"
                " memory or disk space? `rabbitmq-diagnostics alarms` tells. Try again, with a new Idempotency-Key.",
            ) from None

    @contextmanager
    def _proxy(self, service: str) -> Iterator[tuple["_Proxy", bool]]:
        """A proxy that works, and whether the service runs; what goes wrong as Problem."""
        try:
            proxy, running = self._take(service)
            try:
                yield proxy, running
            except BaseException:
                proxy.discard()
                raise
            self._idle.append(proxy)
        except RpcTimeout:
            raise Problem(
                504,
                f"{service} has not answered within {self._timeout} s; the run goes on, see its link. Ask for fewer or"
                " smaller messages, for 202 with `Prefer: respond-async`, or raise REQUEST_TIMEOUT.",
            ) from None
        except UnknownService:
            raise not_running(service) from None
        except RemoteError as error:
            log.error("%s failed: %s", service, error)
            if error.exc_type == "TooLarge":  # the same again would end the same
                raise Problem(400, f"{error.value}.") from None
            raise Problem(503, f"{service} did not finish: {error.value}. Try again; its log says more.") from None
        except BROKEN as error:
            raise no_rabbitmq(self._config["AMQP_URI"], error) from None

    def _take(self, service: str) -> tuple["_Proxy", bool]:
        while True:
            try:
                proxy, fresh = self._idle.pop(), False
            except IndexError:
                proxy, fresh = _Proxy(self._config, self._timeout), True
            try:
                return proxy, proxy.instances(service) > 0
            except BROKEN as error:
                proxy.discard()
                if fresh or _timed_out(error):  # then it is not just this connection that is broken
                    raise


class _NoReply:
    """Stands where nameko wants a listener for replies; there is no queue of that name, so RabbitMQ drops them."""

    routing_key = "nobody"

    def get_reply_event(self, correlation_id: str) -> None:
        return None


class _Publisher(Publisher):
    """Publishes over the proxy's connection, which was tried just now; nameko's own takes any of a pool."""

    def __init__(self, *arguments, connection: Connection, **options):
        super().__init__(*arguments, **options)
        self._connection = connection

    def publish(self, payload: dict, extra_headers: dict, **options) -> None:
        try:
            Producer(self._connection.default_channel, serializer=self.serializer).publish(
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
    """nameko's, but with one bound for the whole wait, and no second one after the connection was lost."""

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


class _Proxy(StandaloneProxyBase):
    """One of nameko's standalone proxies: a connection to RabbitMQ and a queue for replies."""

    def __init__(self, config: dict, timeout: float):
        super().__init__(config, timeout=timeout, reply_listener_cls=_ReplyListener)
        self.start()

    @property
    def _connection(self) -> Connection:
        return self._reply_listener.queue_consumer.connection

    def send_method(self, service: str, listener: object = None, **options) -> MethodProxy:
        listener = listener or self._reply_listener
        return _SendMethod(self._worker_ctx, service, "send", listener, connection=self._connection, **options)

    def instances(self, service: str) -> int:
        """How many instances of the service consume calls now."""
        return count_instances(self._connection, service)

    def wait_for(self, service: str, seconds: float) -> bool:
        """Whether the service runs, after waiting for it so long at most."""
        deadline = time.monotonic() + seconds
        while not (running := self.instances(service)) and time.monotonic() < deadline:
            time.sleep(0.1)
        return running > 0

    def discard(self) -> None:
        self._connection.collect(0.1)  # without waiting for RabbitMQ's farewell


def connect(connection: Connection, seconds: float) -> None:
    """Connect to RabbitMQ, with this bound for whatever is asked of it from then on."""
    connection.transport_options = {"read_timeout": seconds, "write_timeout": seconds, "confirm_publish": True}
    connection.connect_timeout = seconds / 2
    # Two attempts in all; kombu's own would go on for ever.
    connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, interval_max=0)


def count_instances(connection: Connection, service: str) -> int:
    """How many instances of the service consume calls now, asked of RabbitMQ over a kombu connection."""
    with connection.channel() as channel:
        try:
            return channel.queue_declare(RPC_QUEUE_TEMPLATE.format(service), passive=True).consumer_count
        except NotFound:
            return 0


def _timed_out(error: Exception) -> bool:
    return isinstance(error, (TimeoutError, BlockingIOError))  # the latter from a socket with a read timeout


def _say(error: Exception) -> str:
    return "no answer in time" if _timed_out(error) else str(error)


def not_running(service: str) -> Problem:
    return Problem(503, f"{service} is not running. Start it with `docker-compose up {service}`, or `make run`.")


def no_rabbitmq(uri: str, error: Exception) -> Problem:
    return Problem(
        503,
        f"RabbitMQ does not answer at {sanitize_url(uri)} ({_say(error)}). Start it with"
        " `docker-compose up rabbit`, or `make run`.",
    )
