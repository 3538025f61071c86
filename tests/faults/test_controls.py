"""Controls: designs that lose what was acknowledged. The same checks must find that, or they would find nothing."""

import re
import uuid
from itertools import compress

import pytest

from local.services import NAMEKO_RUN
from messaging.clients.protocols import Topic
from messaging.clients.topics import create_missing
from tests.integration.ledger import Ledger, produce
from tests.integration.processes import eventually
from tests.kafka import client_at


class Lost(AssertionError):
    """What the controls must come to, and no other failure."""


red = pytest.mark.xfail(strict=True, raises=Lost, reason="the control: it loses messages")


@pytest.fixture
def topic(brokers):
    """A new topic with one partition."""
    topic = f"control-{uuid.uuid4().hex[:8]}"
    create_missing(client_at(brokers.kafka_bootstrap), [Topic(topic, 1, 1)])
    return topic


@pytest.mark.parametrize("service", ["own", pytest.param("stock", marks=red)])
def test_a_service_killed_when_it_has_committed(start, brokers, topic, service):
    """The entrypoint of messaging/extensions, and nameko-kafka's with AT_LEAST_ONCE: a commit must mean done."""
    command = (*NAMEKO_RUN, f"tests.faults.stock:{service.title()}Service")
    numbers = {str(number) for number in range(20)}
    produce(brokers.kafka_bootstrap, topic, [(None, number.encode()) for number in numbers])
    with Ledger(brokers.kafka_bootstrap) as ledger:
        first = start("first", *command, TEST_TOPIC=topic)
        eventually(lambda: ledger.lag(f"{topic}-{service}", topic) == 0)
    first.kill()
    second = start("second", *command, TEST_TOPIC=topic)
    produce(brokers.kafka_bootstrap, topic, [(None, b"last")])
    eventually(lambda: "last" in handled(second))

    if lost := numbers - handled(first) - handled(second):
        raise Lost(lost)


def handled(process) -> set[str]:
    return {number for line in re.findall("^handled (.*)", process.log, re.M) for number in line.split()}


@pytest.mark.parametrize("acks", ["all", pytest.param(0, marks=red)])
def test_kafka_killed_before_it_has_stored(brokers, topic, acks):
    """The producer with the options of config.yml, and with acks=0: an acknowledgement must mean stored."""
    producer = client_at(brokers.kafka_bootstrap).producer(acks=acks)
    producer.partitions(topic)
    stored = {b"stored %d" % number for number in range(1000)}
    produce(brokers.kafka_bootstrap, topic, [(None, value) for value in stored])
    brokers.kafka.suspend()
    values = [b"%d" % number for number in range(1000)]
    delivery = producer.send(topic, [None] * 1000, values, [0] * 1000)
    eventually(lambda: all(delivery.acknowledged) or acks == "all")
    acknowledged = stored | set(compress(values, delivery.acknowledged))
    brokers.kafka.kill()
    producer.close(0)
    brokers.kafka.start()

    with Ledger(brokers.kafka_bootstrap) as ledger:
        eventually(lambda: ledger.count(topic) >= 1000, what="Kafka does not have its topics back")
        if lost := acknowledged - {record.value for record in ledger.records(topic)}:
            raise Lost(len(lost))
