"""Readiness: would a request succeed now? The checks ask RabbitMQ and Kafka."""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, TimeoutError
from functools import partial

from kombu import Connection

from api.rpc.connection import BROKEN, connect, count_instances
from api.rpc.errors import no_rabbitmq, not_running
from messaging.clients.errors import ClientError
from messaging.clients.protocols import Client

SERVICES = "ping", "pong"
CHECK_SECONDS = 2
"""How long a probe waits for all checks together, in seconds."""

Failing = Mapping[str, str]
"""The names of the parts that are not ready, each with a sentence."""


Checks = Mapping[str, Callable[[], Failing]]


class Readiness:
    """Checks each broker in a separate thread. At most one check of a broker runs at a time.

    If the check of one broker hangs, the check of the other broker is not delayed.
    """

    def __init__(self, checks: Checks):
        self._checks = checks
        self._lock = threading.Lock()
        self._answers: dict[str, Future[Failing]] = {}
        self._threads = {name: ThreadPoolExecutor(1, f"{name} check") for name in checks}

    def failing(self) -> Failing:
        """Return the parts that are not ready. This takes at most CHECK_SECONDS.

        The result is empty if all parts are ready.
        """
        deadline = time.monotonic() + CHECK_SECONDS
        failing: dict[str, str] = {}
        for name, answer in [(name, self._answer(name)) for name in self._checks]:
            try:
                failing |= answer.result(max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                failing[name] = f"{name} accepts connections, but does not answer. It may be overloaded or frozen."
        return failing

    def _answer(self, name: str) -> Future[Failing]:
        """Return the running check of `name`. If no check of `name` is running, start one.

        Probes at the same time share one check.
        """
        with self._lock:
            answer = self._answers.get(name)
            if answer is None or answer.done():
                answer = self._answers[name] = self._threads[name].submit(self._checks[name])
            return answer


def broker_checks(amqp_uri: str, kafka: Client) -> Checks:
    """Return a check for each broker, under the name of the broker."""
    return {"rabbitmq": partial(_check_rabbitmq, amqp_uri), "kafka": partial(_check_kafka, kafka)}


def _check_rabbitmq(amqp_uri: str) -> Failing:
    """Check RabbitMQ, and that both services take calls."""
    try:
        connection = Connection(amqp_uri)
        try:
            connect(connection, 1)
            with connection.channel() as channel:
                absent = [service for service in SERVICES if not count_instances(channel, service)]
            # If RabbitMQ is short of memory or disk space, it answers questions but takes no messages. Even then, it
            # takes the first message of a connection. Therefore this check sends two messages.
            for _ in range(2):
                connection.Producer().publish("", routing_key="nobody", confirm_timeout=1)
        finally:
            connection.collect(0.1)
    except BROKEN as error:
        return {"rabbitmq": no_rabbitmq(amqp_uri, error).detail}
    return {service: not_running(service).detail for service in absent}


def _check_kafka(kafka: Client) -> Failing:
    """Check Kafka, and that the consumers of both services have all partitions of their topics."""
    try:
        admin = kafka.admin(1.5)
        try:
            states = admin.group_states(SERVICES)
        finally:
            admin.close()
    except ClientError as error:
        how = "Start it with `docker-compose up broker`, or `make run`."
        return {"kafka": f"Kafka does not answer at {kafka.servers} ({error}). {how}"}
    return {
        f"{group} consumer": f"The consumer of {group} has no partitions yet. After a start this takes a few seconds."
        for group, state in states.items()
        if state != "Stable"
    }
