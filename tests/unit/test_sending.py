"""How a run is split into messages and sent. A fake topic keeps the messages."""

import uuid
from types import SimpleNamespace

import pytest
from pyroaring import BitMap

from messaging.clients.errors import TooLarge as MessageTooLarge
from messaging.clients.errors import Unavailable
from messaging.runs.outcome import DeliveryFailed, RunStopped, TooLarge
from messaging.runs.payload import payloads
from messaging.runs.request import Request
from messaging.runs.sending import Sending
from messaging.runs.stamp import unpack
from messaging.stopping import StopRequest
from tests.unit.fakes import Topic

RUN = uuid.uuid4()


@pytest.fixture
def topic():
    return Topic()


@pytest.fixture
def acknowledged():
    """The numbers that were reported as acknowledged."""
    return []


@pytest.fixture
def sending(topic, acknowledged):
    """Creates the sending of a run, with everything that it needs."""

    def sending(count: int, size: int, run=RUN, topic=topic, stop=None, sent_before=()) -> Sending:
        def report(block):
            acknowledged.extend(block.numbers)

        request = Request(run, "ping", count, size, created=0)
        return Sending(request, topic, stop or StopRequest(), report, BitMap(sent_before))

    return sending


@pytest.mark.parametrize(
    ("count", "size"), [(1, 0), (1, 1), (199, 10), (200, 10), (201, 10), (12_345, 3), (7, 1_000_000)]
)
def test_every_message_is_sent_once_with_its_number_and_exactly_its_size(topic, sending, count, size):
    sending(count, size).send()

    stamped = [unpack(key) for key, _, _ in topic.messages]
    assert [number for _, number, _ in stamped] == list(range(count))
    assert {id for id, _, _ in stamped} == {RUN.bytes}
    assert {len(value) for _, value, _ in topic.messages} == {size}


def test_a_run_spreads_over_all_partitions_in_blocks(sending):
    topic = Topic(partitions=3)
    sending(6000, 10, topic=topic).send()

    partitions = [partition for _, _, partition in topic.messages]
    assert [partitions.count(number) for number in range(3)] == [2000, 2000, 2000]
    assert len(set(partitions[:200])) == 1
    assert partitions[200] != partitions[0]


def test_each_payload_belongs_to_its_number(topic, sending):
    sending(1000, 100, sent_before=[*range(500), 700]).send()

    numbers = [unpack(key)[1] for key, _, _ in topic.messages]
    assert [value for _, value, _ in topic.messages] == payloads(RUN.bytes, numbers, 100)


def test_each_part_of_a_block_has_at_most_1_mib(topic, sending):
    sending(20, 400_000).send()

    assert topic.largest <= 2**20


def test_all_acknowledged_messages_are_reported(sending, acknowledged):
    run = sending(1234, 5)
    run.send()

    assert acknowledged == list(range(1234))
    assert (run.acknowledged, list(run.failed)) == (1234, [])


def test_a_report_has_the_total_size_of_its_messages_and_their_partition(topic):
    reports = []
    request = Request(RUN, "ping", 5, 10, created=0)
    Sending(request, topic, StopRequest(), reports.append).send()

    (report,) = reports
    assert (list(report.numbers), report.size, report.partition) == ([0, 1, 2, 3, 4], 50, topic.messages[0][2])
    assert max(report.sent_times) <= report.at
    assert report.sent_times == pytest.approx([unpack(key)[2] for key, _, _ in topic.messages], abs=1_000_000)


def test_messages_sent_before_are_not_sent_again(topic, sending):
    sending(1000, 5, sent_before=[*range(500), 700]).send()

    assert [unpack(key)[1] for key, _, _ in topic.messages] == [*range(500, 700), *range(701, 1000)]


def test_a_failure_says_how_many_were_acknowledged(sending, acknowledged):
    run = sending(5, 5, topic=Topic(error=Unavailable("OSError('gone')")))
    with pytest.raises(DeliveryFailed, match="Kafka acknowledged 0 of 5 messages, then: OSError"):
        run.send()

    assert (acknowledged, run.acknowledged, list(run.failed)) == ([], 0, [*range(5)])


def test_a_failure_counts_the_messages_that_were_sent_before(sending):
    run = sending(5, 5, topic=Topic(error=Unavailable("OSError('gone')")), sent_before=[0, 1])
    with pytest.raises(DeliveryFailed, match="Kafka acknowledged 2 of 5 messages, then: OSError"):
        run.send()


def test_messages_too_large_for_kafka_are_reported_as_such(sending):
    with pytest.raises(TooLarge, match="Kafka acknowledged 0 of 5 messages: it does not take messages of 5 bytes"):
        sending(5, 5, topic=Topic(error=MessageTooLarge("limit"))).send()


def test_a_run_that_finds_no_room_has_failed(sending):
    topic = Topic(full="nothing was acknowledged")
    with pytest.raises(DeliveryFailed, match=r"0 of 5 messages, then: .*nothing was acknowledged"):
        sending(5, 5, topic=topic).send()


def test_a_run_that_must_stop_says_how_many_messages_were_sent(topic, sending):
    # Given a run that must stop after its first block
    class Stop:
        overdue = False
        asked = property(lambda self: len(topic.messages) > 0)

    # When it is sent
    with pytest.raises(RunStopped, match="stopped; 200 of 1000 messages were sent"):
        sending(1000, 10, stop=Stop()).send()

    # Then it ends after this block of 200 messages
    assert len(topic.messages) == 200


def test_messages_that_kafka_never_acknowledges_are_given_up_once_stopping_is_overdue(sending):
    stop = SimpleNamespace(asked=False, overdue=True)
    with pytest.raises(DeliveryFailed, match="Kafka acknowledged 0 of 5 messages, then: Kafka did not answer in time"):
        sending(5, 5, topic=Topic(silent=True), stop=stop).send()
