"""Topics are made at start, where they are absent: Kafka is told not to make them by itself, with one partition."""

import logging
from collections.abc import Sequence

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import InvalidReplicationFactorError, KafkaError, TopicAlreadyExistsError

from messaging.lifecycle import STARTUP_SECONDS, Stopping, wait_for

log = logging.getLogger(__name__)


class TooFewBrokers(KafkaError):
    """Kafka has not as many brokers as REPLICATION_FACTOR says."""


def ensure_topics(
    names: Sequence[str],
    servers: str,
    config: dict,
    stopping: Stopping,
    options: dict[str, str] | None = None,
    seconds: float = STARTUP_SECONDS,
) -> None:
    """Wait for Kafka, then create those of the topics that are absent.

    With TOPIC_PARTITIONS and REPLICATION_FACTOR of the configuration; topics that exist stay as they are. Kafka with
    fewer brokers than REPLICATION_FACTOR ends the process, or, where the caller does not wait, raises TooFewBrokers.
    """
    partitions, copies = config["TOPIC_PARTITIONS"], config["REPLICATION_FACTOR"]

    def create() -> None:
        admin = KafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=10_000)
        try:
            for name in names:
                _create(admin, NewTopic(name, partitions, copies, topic_configs=options))
        finally:
            admin.close()

    # With one copy it passes: the only broker has just started and not registered yet.
    final = (InvalidReplicationFactorError,) if copies > 1 else ()
    try:
        wait_for(f"Kafka at {servers}", create, (KafkaError,), stopping, seconds, final)
    except final:
        problem = f"REPLICATION_FACTOR must be at most the number of Kafka brokers that run, not {copies}."
        if not seconds:
            raise TooFewBrokers(problem) from None
        log.critical(problem)
        raise SystemExit(1) from None


def _create(admin: KafkaAdminClient, topic: NewTopic) -> None:
    try:
        admin.create_topics([topic], timeout_ms=10_000)
        log.info("created topic %s with %d partitions", topic.name, topic.num_partitions)
    except TopicAlreadyExistsError:
        pass  # by an earlier start, or by the other service just now
