"""Controls: designs that lose acknowledged messages, or change the order.

Each check passes for this project's design and must fail for a control. Otherwise the check would prove nothing.
"""

import re
import uuid
from contextlib import closing
from itertools import compress

import pytest

from client.verify.counting import Counter
from client.verify.reading import Reading
from local.services import NAMEKO_RUN
from messaging.clients.protocols import Topic
from messaging.clients.topics import create_missing
from messaging.runs.payload import payloads
from messaging.runs.stamp import stamps
from tests.integration.ledger import Ledger, produce
from tests.integration.processes import eventually
from tests.kafka import client_at

LIBRARY = "kafka-python"
"""The controls give wrong options to the producer of this library.

librdkafka's producer is idempotent, so its retries would keep the order even with five requests in flight.
"""


class Lost(AssertionError):
    """A control that loses messages must fail with this error. Any other failure fails the test."""


class Disordered(AssertionError):
    """The control that changes the order must fail with this error."""


red = pytest.mark.xfail(strict=True, raises=Lost, reason="the control: it loses messages")
overtaken = pytest.mark.xfail(strict=True, raises=Disordered, reason="the control: retries overtake each other")


@pytest.fixture
def topic(brokers):
    """A new topic with one partition."""
    topic = f"control-{uuid.uuid4().hex[:8]}"
    create_missing(client_at(brokers.kafka_bootstrap, library=LIBRARY), [Topic(topic, 1, 1)])
    return topic


@pytest.mark.parametrize("service", ["own", pytest.param("stock", marks=red)])
def test_a_service_killed_when_it_has_committed(start, brokers, topic, service):
    """Each message whose offset is committed must have been handled. The control has nameko-kafka's AT_LEAST_ONCE."""
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
def test_kafka_killed_before_it_stores_messages(brokers, topic, acks):
    """Each acknowledged message must have been stored. The control has acks=0."""
    producer = client_at(brokers.kafka_bootstrap, library=LIBRARY).producer(acks=acks)
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
        eventually(lambda: ledger.count(topic) >= 1000, what="Kafka has not loaded its messages again")
        if lost := acknowledged - {record.value for record in ledger.records(topic)}:
            raise Lost(len(lost))


@pytest.mark.parametrize(("in_flight", "times"), [(1, 1), pytest.param(5, 4, marks=[overtaken, pytest.mark.long])])
def test_kafka_killed_with_requests_under_way(brokers, topic, in_flight, times):
    """Retries must keep the order. The control has five requests at once."""
    for _ in range(times):  # with five requests in flight, a try may keep the order by chance
        if out_of_order := sent_when_kafka_was_killed(brokers, topic, in_flight):
            raise Disordered(out_of_order)


def sent_when_kafka_was_killed(brokers, topic: str, in_flight: int) -> int:
    """Kill Kafka while messages are under way. Return how many are out of order. None may be missing or changed."""
    client, run = client_at(brokers.kafka_bootstrap, library=LIBRARY), uuid.uuid4()
    producer = client.producer(max_in_flight_requests_per_connection=in_flight, batch_size=2000)
    producer.partitions(topic)
    brokers.kafka.suspend()
    keys, values = stamps(run.bytes, range(1000)), payloads(run.bytes, range(1000), 100)
    delivery = producer.send(topic, keys, values, [0] * 1000)
    assert not delivery.wait(1)  # now `in_flight` requests are under way
    brokers.kafka.kill()
    brokers.kafka.start()
    assert delivery.wait(60)
    producer.close(1)

    counter = Counter()
    tally = counter.expect(topic, run, 1000, 100)
    with closing(client.reader()) as reader:
        Reading(reader, [topic]).to_end(counter.add)
    assert (tally.distinct, tally.changed) == (1000, 0)
    return tally.out_of_order
