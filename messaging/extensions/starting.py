"""How a service starts: it waits for Kafka, creates its topics, and connects with eventlet's way of waiting."""

import gc
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from eventlet import Timeout, tpool

from messaging.clients import connect
from messaging.clients.errors import TooFewBrokers, Unavailable
from messaging.clients.protocols import Client, Topic, Waiting
from messaging.clients.topics import create_missing
from messaging.extensions.stopping import settings_of
from messaging.stopping import StopRequest

log = logging.getLogger(__name__)
T = TypeVar("T")

STARTUP_SECONDS = 120
"""How long a service waits for a broker at start. Then it exits, and compose or the user starts it again."""

RETRY_SECONDS = 2


def green(call: Callable[[], T], seconds: float | None = None) -> T:
    """Make a blocking call under eventlet, which lets other greenthreads run. Raises Unavailable after `seconds`."""
    if seconds is None:
        return call()
    with Timeout(seconds, Unavailable(f"Kafka did not answer within {seconds} s")):
        return call()


def in_a_thread(call: Callable[[], T], seconds: float | None = None) -> T:
    """Make a blocking call of a library in C, which eventlet cannot interrupt, in a native thread.

    Raises Unavailable after `seconds`; the thread then goes on by itself until the call returns.
    """
    return green(lambda: tpool.execute(call), seconds)


WAITING: dict[str, Waiting] = {"kafka-python": green, "confluent-kafka": in_a_thread}
"""How each library's blocking calls are made here."""


def client_of(container: Any) -> Client:
    """Return a client for the cluster of a service's settings."""
    kafka = settings_of(container).kafka
    return connect(kafka, WAITING[kafka.client])


def connected(container: Any, topics: Sequence[Topic], make: Callable[[Client], T], stop: StopRequest) -> T:
    """Wait for Kafka, create those of the topics that are missing, and return what `make` returns.

    Exits the process with 0 if it is asked to stop meanwhile, and with 1 if fewer brokers run than the topics want
    replicas. Raises Unavailable after STARTUP_SECONDS.
    """
    client = client_of(container)

    # With one replica TooFewBrokers is temporary: the only broker has not registered yet.
    temporary = TooFewBrokers if all(topic.replicas == 1 for topic in topics) else Unavailable
    started = time.monotonic()
    while True:
        if stop.asked:
            raise SystemExit(0)  # there is nothing to finish yet
        try:
            create_missing(client, topics)
            return make(client)
        except (Unavailable, temporary) as error:
            waited = time.monotonic() - started
            if waited >= STARTUP_SECONDS:
                log.critical("gave up on Kafka at %s after %.0f s: %s", client.servers, waited, error)
                raise
            log.warning("waiting for Kafka at %s (%.0f of %d s): %s", client.servers, waited, STARTUP_SECONDS, error)
        except TooFewBrokers as error:
            log.critical("%s", error)
            raise SystemExit(1) from None
        time.sleep(RETRY_SECONDS)


def calm_garbage_collector() -> None:
    """Have Python look for garbage less often; it took a quarter of the time of sending.

    kafka-python makes several objects per message that live until the acknowledgement, so most passes of the collector
    walk over all of them and find nothing. Objects that exist now are left out of the passes for good.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
