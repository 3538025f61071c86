"""Creates topics. Kafka's auto-creation is off because it would create only one partition."""

import logging
from collections.abc import Sequence

from messaging.clients.protocols import Client, Topic

log = logging.getLogger(__name__)


def create_missing(client: Client, topics: Sequence[Topic]) -> None:
    """Create the topics that do not exist. Others do not change. Raises TooFewBrokers, Unavailable."""
    admin = client.admin()
    try:
        for topic in topics:
            if admin.create(topic):
                extra = {"topic": topic.name}
                log.info("created topic %s with %d partitions", topic.name, topic.partitions, extra=extra)
    finally:
        admin.close()
