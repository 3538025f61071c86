"""Controls: designs that lose what was acknowledged. The same checks must find that, or they would find nothing."""

import re
import uuid

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from local.services import NAMEKO_RUN
from messaging import config
from tests.integration.ledger import Ledger, produce
from tests.integration.processes import eventually


class Lost(AssertionError):
    """What the controls must come to, and no other failure."""


red = pytest.mark.xfail(strict=True, raises=Lost, reason="the control: it loses messages")


@pytest.fixture
def topic(brokers):
    """A new topic with one partition."""
    topic = f"control-{uuid.uuid4().hex[:8]}"
    admin = KafkaAdminClient(bootstrap_servers=brokers.kafka_bootstrap)
    admin.create_topics([NewTopic(topic, 1, 1)])
    admin.close()
    return topic


@pytest.mark.parametrize("service", ["own", pytest.param("stock", marks=red)])
def test_a_service_killed_when_it_has_committed(start, brokers, topic, service):
    """The entrypoint of messaging/consumer.py, and nameko-kafka's with AT_LEAST_ONCE: a commit must mean done."""
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
    options = config.load()["KAFKA_PRODUCER"] | {"bootstrap_servers": brokers.kafka_bootstrap, "acks": acks}
    producer = KafkaProducer(**options)
    producer.partitions_for(topic)
    stored = {b"stored %d" % number for number in range(1000)}
    produce(brokers.kafka_bootstrap, topic, [(None, value) for value in stored])
    brokers.kafka.suspend()
    futures = [producer.send(topic, b"%d" % number) for number in range(1000)]
    eventually(lambda: all(future.succeeded() for future in futures) or acks == "all")
    acknowledged = stored | {b"%d" % number for number, future in enumerate(futures) if future.succeeded()}
    brokers.kafka.kill()
    producer.close(timeout=0)
    brokers.kafka.start()

    with Ledger(brokers.kafka_bootstrap) as ledger:
        eventually(lambda: ledger.count(topic) >= 1000, what="Kafka does not have its topics back")
        if lost := acknowledged - {record.value for record in ledger.records(topic)}:
            raise Lost(len(lost))
