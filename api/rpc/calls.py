"""Calls to ping and pong for the rest of the API. A caller waits for the service's figures, or only queues the call."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from nameko.exceptions import RemoteError, RpcTimeout, UnknownService, deserialize_to_instance

from api.problems import Problem
from api.rpc.connection import BROKEN
from api.rpc.errors import ConnectionLost, NotAnswered, NotTaken, no_rabbitmq, not_finished, not_running
from api.rpc.proxy import Proxy, ProxyPool
from messaging.runs.outcome import StoppedForGood, TooLarge
from messaging.runs.request import Request

log = logging.getLogger(__name__)

COMING_SECONDS = 3.5
"""The API waits this many seconds for a service that is not running. RabbitMQ or the service may be restarting."""

Figures = Mapping[str, float]
"""The service's reply. The client gets it unchanged."""

# If the service raises one of these exceptions, nameko raises it here too. By default nameko raises RemoteError.
deserialize_to_instance(TooLarge)
deserialize_to_instance(StoppedForGood)


class Calls:
    """Safe for threads. Every method can raise Problem."""

    def __init__(self, pool: ProxyPool):
        self._pool = pool

    @contextmanager
    def connected(self, service: str) -> Iterator[Callable[[Request, bool, Callable[[], None]], Figures]]:
        """Yield a function that makes the service send, and calls its last argument when RabbitMQ has taken the call.

        The Problem is 503 if RabbitMQ or the service is down or has failed, 504 if there is no reply in time, 400 if
        Kafka refuses messages of this size, 409 if a user has stopped the run.
        """
        with self._problems(service), self._pool.proxy(service) as (proxy, is_running):
            if not is_running and not proxy.is_running(service, COMING_SECONDS):
                raise not_running(service)
            yield partial(_call, proxy)

    def queue(self, request: Request) -> None:
        """Put a call into the service's queue. Nobody waits for the reply. Raises Problem 503."""
        with self._problems(request.service), self._pool.proxy(request.service) as (proxy, _):
            try:
                proxy.queue(request.service, *_numbers(request), **_run(request, on_record=True), queued=True)
            except BROKEN as error:
                raise NotTaken(error) from None

    @contextmanager
    def _problems(self, service: str) -> Iterator[None]:
        """Turn exceptions into problems."""
        try:
            yield
        except RpcTimeout:
            raise NotAnswered(service, self._pool.timeout) from None
        except UnknownService:
            raise not_running(service) from None
        except TooLarge as error:
            log.error("%s failed: %s", service, error)
            raise Problem(400, f"{error}.") from None  # not 503, because the same request would fail again
        except StoppedForGood as error:
            raise Problem(409, f"The run was {error}. Its link shows what was received.") from None
        except RemoteError as error:
            log.error("%s failed: %s", service, error)
            raise not_finished(service, error.value) from None
        except BROKEN as error:
            raise no_rabbitmq(self._pool.amqp_uri, error) from None


def _call(proxy: Proxy, request: Request, on_record: bool, on_taken: Callable[[], None]) -> Figures:
    run = _run(request, on_record)
    try:
        # Only calls of recorded runs go to disk. If RabbitMQ loses any other call, the waiting client gets an error.
        reply = proxy.call(request.service, *_numbers(request), to_disk=on_record, **run)
    except BROKEN as error:
        raise NotTaken(error) from None
    on_taken()
    try:
        figures: Figures = reply.result()
    except BROKEN as error:
        raise ConnectionLost(request.service, error) from None
    return figures


def _run(request: Request, on_record: bool) -> dict[str, object]:
    """Return the call's named arguments. They include `created` if the run is on record, and `rate` if it is paced."""
    members: dict[str, object] = {"run_id": str(request.run)}
    if on_record:
        members["created"] = request.created
    if request.rate is not None:
        members["rate"] = request.rate
    return members


def _numbers(request: Request) -> tuple[int, int]:
    return request.num_messages, request.size
