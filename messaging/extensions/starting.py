"""The start of a service: it waits for Kafka, creates its topics, and connects."""

import atexit
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

EARLY_SECONDS = 0.01
"""The pause between two checks for a result, if eventlet woke the greenthread too early."""

# At exit, eventlet would wait until all of its native threads are idle, however long that takes. While Kafka is frozen,
# a call of librdkafka may take a minute. The threads are daemons, so Python ends without them.
atexit.unregister(tpool.killall)


def green(call: Callable[[], T], seconds: float | None = None) -> T:
    """Make a blocking call. eventlet lets other greenthreads run meanwhile. Raises Unavailable after `seconds`."""
    if seconds is None:
        return call()
    with Timeout(seconds, Unavailable(f"Kafka did not answer within {seconds} s")):
        return call()


def in_a_thread(call: Callable[[], T], seconds: float | None = None) -> T:
    """Make a blocking call of a C library in a native thread, because eventlet cannot interrupt C.

    Raises Unavailable after `seconds`. The thread then continues until the call returns.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def note() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)

    def wait() -> T:
        tpool.execute(note)
        # `execute` may return too early. eventlet's select() wakes this greenthread once for each ready socket of
        # kafka-python. Only the first wake-up ends the select(). Each later wake-up ends another wait of this
        # greenthread, for example the wait in `execute` (eventlet issue 551).
        while not results and not errors:
            time.sleep(EARLY_SECONDS)
        if errors:
            raise errors.pop()  # the list and an error in it would refer to each other, and stay in memory
        return results[0]

    return green(wait, seconds)


WAITING: dict[str, Waiting] = {"kafka-python": green, "confluent-kafka": in_a_thread}
"""How to make the blocking calls of each library."""


def client_of(container: Any) -> Client:
    """Return a client for the Kafka cluster in a service's settings."""
    kafka = settings_of(container).kafka
    return connect(kafka, WAITING[kafka.client])


def connected(container: Any, topics: Sequence[Topic], make: Callable[[Client], T], stop: StopRequest) -> T:
    """Wait for Kafka, create missing topics, and return the result of `make`.

    Exits the process with 0 if it is asked to stop meanwhile, and with 1 if the topics need more replicas than there
    are brokers. Raises the last error after STARTUP_SECONDS.
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
    """Make Python's garbage collector run less often. It took a quarter of the sending time.

    kafka-python makes several objects per message. They live until the acknowledgement. So the collector visits them
    and finds hardly any garbage. `gc.freeze` excludes the objects that exist now from all later passes.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
