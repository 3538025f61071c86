"""The nameko services as the API sees them: calls over RabbitMQ, through a pool of nameko's standalone proxies.

A proxy belongs to one thread at a time, has no heartbeat and does not survive a restart of RabbitMQ. So a proxy is
tried before it is used, by the question whether the service runs at all, and is thrown away after any error.
"""

import collections
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from amqp.exceptions import AMQPError, NotFound
from kombu.exceptions import OperationalError
from nameko.containers import WorkerContext
from nameko.exceptions import RemoteError, RpcTimeout, UnknownService
from nameko.rpc import RPC_QUEUE_TEMPLATE, MethodProxy, ServiceProxy
from nameko.standalone.rpc import StandaloneProxyBase
from nameko.utils import sanitize_url

from api.problems import Problem

log = logging.getLogger(__name__)

BROKEN = (OSError, AMQPError, OperationalError)
"""What a connection to RabbitMQ raises that cannot be made, or is no longer there."""


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
        with self._problems(service):
            proxy = self._take(service)
            try:
                yield lambda *numbers, run_id: proxy.service(service).send.call_async(*numbers, run_id=run_id).result()
            except BaseException:
                proxy.discard()
                raise
            self._idle.append(proxy)

    def queue(self, service: str, num_messages: int, size: int, run_id: str) -> None:
        """Put a call of the service's `send` into its queue, on disk, for whenever it runs. Raises Problem 503."""
        with self._problems(service):
            # No proxy: nobody listens for the reply.
            send = MethodProxy(_caller(self._config), service, "send", _NoReply(), confirm_timeout=5)
            send.call_async(num_messages, size, run_id=run_id, queued=True)

    @contextmanager
    def _problems(self, service: str) -> Iterator[None]:
        try:
            yield
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
            raise Problem(503, f"{service} did not finish: {error.value}. Try again; its log says more.") from None
        except BROKEN as error:
            raise no_rabbitmq(self._config["AMQP_URI"], error) from None

    def _take(self, service: str) -> "_Proxy":
        """A proxy that works, of a service that runs."""
        while True:
            try:
                proxy, fresh = self._idle.pop(), False
            except IndexError:
                proxy, fresh = _Proxy(self._config, self._timeout), True
            try:
                running = proxy.instances(service)
            except BROKEN:
                proxy.discard()
                if fresh:
                    raise
                continue
            if running:
                return proxy
            self._idle.append(proxy)
            raise not_running(service)


class _NoReply:
    """Stands where nameko wants a listener for replies; there is no queue of that name, so RabbitMQ drops them."""

    routing_key = "nobody"

    def get_reply_event(self, correlation_id: str) -> None:
        return None


def _caller(config: dict) -> WorkerContext:
    return WorkerContext(StandaloneProxyBase.ServiceContainer(config), None, StandaloneProxyBase.Dummy)


class _Proxy(StandaloneProxyBase):
    """One of nameko's standalone proxies: a connection to RabbitMQ and a queue for replies."""

    def __init__(self, config: dict, timeout: float):
        super().__init__(config, timeout=timeout)
        self._options = {
            # Nobody waits for the answer after that, so no instance need begin with it any more.
            "expiration": timeout,
            "delivery_mode": 1,  # not to disk: the caller waits, and asks again if RabbitMQ restarts
            "confirm_timeout": 5,
        }
        self.start()

    def service(self, name: str) -> ServiceProxy:
        return ServiceProxy(self._worker_ctx, name, self._reply_listener, **self._options)

    def instances(self, service: str) -> int:
        """How many instances of the service consume calls now."""
        return count_instances(self._reply_listener.queue_consumer.connection, service)

    def discard(self) -> None:
        try:
            self.stop()
        except Exception as error:  # it is broken already, whatever it says
            log.debug("discarded a proxy: %r", error)


def count_instances(connection, service: str) -> int:
    """How many instances of the service consume calls now, asked of RabbitMQ over a kombu connection."""
    with connection.channel() as channel:
        try:
            return channel.queue_declare(RPC_QUEUE_TEMPLATE.format(service), passive=True).consumer_count
        except NotFound:
            return 0


def not_running(service: str) -> Problem:
    return Problem(503, f"{service} is not running. Start it with `docker-compose up {service}`, or `make run`.")


def no_rabbitmq(uri: str, error: Exception) -> Problem:
    return Problem(
        503,
        f"RabbitMQ does not answer at {sanitize_url(uri)} ({error}). Start it with"
        " `docker-compose up rabbit`, or `make run`.",
    )
