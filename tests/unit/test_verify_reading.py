"""Reading topics to their end, and noticing that Kafka has deleted messages."""

import pytest

from client.verify.reading import SILENT_SECONDS, NoSuchTopic, Reading
from messaging.clients.errors import Unavailable
from messaging.clients.protocols import Partition
from tests.unit.fakes import Clock
from tests.unit.topics import Message, Reader, Topics

PING, PONG = Partition("ping", 0), Partition("pong", 0)


@pytest.fixture
def topics():
    """Two topics, each with five messages, with the times 100 to 104."""
    topics = Topics(PING, PONG)
    for partition in PING, PONG:
        topics.add(*partition, *(Message(b"%d" % number, b"", 100 + number) for number in range(5)))
    return topics


def keys(reading: Reading) -> list[str]:
    read: list[str] = []
    reading.to_end(lambda messages: read.extend(f"{messages.topic} {key.decode()}" for key in messages.keys))
    return sorted(read)


def test_topics_are_read_from_their_beginning_to_their_end(topics):
    assert keys(Reading(Reader(topics), ["ping", "pong"])) == [f"{t} {n}" for t in ("ping", "pong") for n in range(5)]
    assert keys(Reading(Reader(topics), ["ping"])) == [f"ping {number}" for number in range(5)]


def test_later_messages_are_read_the_next_time(topics):
    reading = Reading(Reader(topics), ["ping"])
    keys(reading)
    assert keys(reading) == []

    topics.add("ping", 0, Message(b"new", b""))
    assert keys(reading) == ["ping new"]


def test_reading_begins_at_the_given_offset(topics):
    assert keys(Reading(Reader(topics), ["ping"], {PING: 3})) == ["ping 3", "ping 4"]


def test_a_topic_that_is_not_there_is_an_error(topics):
    with pytest.raises(NoSuchTopic, match="peng"):
        Reading(Reader(topics), ["peng"])


def test_reading_fails_if_kafka_sends_nothing(topics):
    clock = Clock()

    class Waits(Reader):
        def poll(self, seconds):
            clock.advance(seconds)
            return super().poll(seconds)

    topics.silent = True
    reading, began = Reading(Waits(topics), ["ping"], clock=clock), clock.now
    with pytest.raises(Unavailable, match="no message came for 30 s"):
        keys(reading)
    assert clock.now - began == pytest.approx(SILENT_SECONDS, abs=2)


@pytest.mark.parametrize(
    ("deleted", "since", "lost"),
    [
        (0, 100, False),  # nothing was ever deleted
        (0, 0, False),
        (2, 103, False),  # the message of time 102 is still there, so all from 103 on are there too
        (2, 102, True),  # earlier messages of time 102 may have been deleted
        (2, 90, True),
        (5, 90, True),  # everything was deleted
        (5, 200, True),
    ],
)
def test_a_partition_is_returned_if_it_may_have_lost_messages_of_the_given_time_or_later(topics, deleted, since, lost):
    topics.deleted[PING] = deleted
    assert Reading(Reader(topics), ["ping", "pong"]).lost_since(since) == [PING] * lost
