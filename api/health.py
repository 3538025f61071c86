"""Readiness: whether a request would go through now, asked of both brokers."""

from concurrent.futures import ThreadPoolExecutor, TimeoutError

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from kombu import Connection

from api.services import BROKEN, connect, count_instances, no_rabbitmq, not_running

SERVICES = "ping", "pong"
CHECK_SECONDS = 4

# One each, so that a check that hangs does not hold up the other one.
_pools = {name: ThreadPoolExecutor(1, f"{name} check") for name in ("rabbitmq", "kafka")}


def check_ready(config: dict) -> dict[str, str]:
    """What is not ready, each with a sentence; empty if all is. Takes CHECK_SECONDS at most."""
    failing: dict[str, str] = {}
    for name, check in {"rabbitmq": _rabbitmq, "kafka": _kafka}.items():
        answer = _pools[name].submit(check, config)
        try:
            failing |= answer.result(CHECK_SECONDS / 2)
        except TimeoutError:
            answer.cancel()  # or they would queue up while nothing answers
            failing[name] = f"{name} accepts connections, but does not answer; it may be overloaded or frozen."
    return failing


def _rabbitmq(config: dict) -> dict[str, str]:
    """RabbitMQ, and whether both services take calls."""
    try:
        connection = Connection(config["AMQP_URI"])
        try:
            connect(connection, 1)
            absent = [service for service in SERVICES if not count_instances(connection, service)]
            # RabbitMQ answers questions, but takes no messages, while it is short of memory or disk space. The first
            # one of a connection it takes all the same.
            for _ in range(2):
                connection.Producer().publish("", routing_key="nobody", confirm_timeout=1)
        finally:
            connection.collect(0.1)
    except BROKEN as error:
        return {"rabbitmq": no_rabbitmq(config["AMQP_URI"], error).detail}
    return {service: not_running(service).detail for service in absent}


def _kafka(config: dict) -> dict[str, str]:
    """Kafka, and whether both services' consumers have all partitions of their topics."""
    servers = config["KAFKA_CONSUMER"]["bootstrap_servers"]
    try:
        admin = KafkaAdminClient(bootstrap_servers=servers, api_version=(2, 5, 0), request_timeout_ms=1500)
        try:
            groups = admin.describe_consumer_groups(SERVICES)
        finally:
            admin.close()
    except KafkaError as error:
        how = "Start it with `docker-compose up broker`, or `make run`."
        return {"kafka": f"Kafka does not answer at {servers} ({error!r}). {how}"}
    return {
        f"{group.group} consumer": f"The consumer of {group.group} has no partitions assigned yet; this takes seconds."
        for group in groups
        if group.state != "Stable"
    }
